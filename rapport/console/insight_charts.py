"""The charts of the page of figures, in the reader's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial

from babel.dates import format_date, format_skeleton

from rapport.console import templating
from rapport.console.desk import Desk
from rapport.console.i18n import mark
from rapport.insight import rules
from rapport.insight.charts import Chart, Drawing, Kind, Series, Value
from rapport.insight.report import Report
from rapport.insight.rules import Period
from rapport.kit import languages
from rapport.kit.format import LOCALES
from rapport.value.segments import get_segments

MOST_INTENTS = 12
MOST_MOVES = 12
MOST_LINES = 5
# What forms ask for, and what says nothing of a wish.
NO_WISH = rules.SMALL_TALK | {"inform_email", "inform_code", "inform_order_number", "resend_code"}
CHANNEL_NAMES = {
    **{"web": mark("Web chat"), "email": mark("E-mail"), "sms": "SMS"},
    **{"whatsapp": "WhatsApp", "telegram": "Telegram", "messenger": "Messenger"},
}


@dataclass(frozen=True)
class Drawn:
    """A chart with its picture."""

    chart: Chart
    drawing: Drawing


def charts_of(desk: Desk, report: Report) -> list[Chart]:
    """All charts of a report."""
    return [*_talks(desk, report), *_people(desk, report), *_wishes(desk, report), *_business(desk, report)]


def _talks(desk: Desk, report: Report) -> list[Chart]:
    _, over_time = desk.gettext, partial(_over_time, desk, report)
    contained = [rules.share(part["contained"], part["settled"]) for part in report.talks]
    missed = [
        rules.share(part["not_understood"], part["understood"] + part["not_understood"])
        for part in report.talks
    ]
    return [
        over_time(
            "talks",
            "lines",
            _("Conversations over time"),
            [Series(_("Conversations"), report.by_part("talks"))],
        ),
        over_time(
            "messages",
            "columns",
            _("Messages over time"),
            [
                Series(_("From customers"), report.by_part("from_customers")),
                Series(_("From the bot"), report.by_part("from_bot")),
                Series(_("From staff"), report.by_part("from_staff")),
            ],
        ),
        over_time(
            "containment",
            "lines",
            _("Solved by the bot, over time"),
            [Series(_("Share solved by the bot"), contained)],
            "percent",
        ),
        over_time(
            "not_understood",
            "lines",
            _("Not understood, over time"),
            [Series(_("Share not understood"), missed)],
            "percent",
        ),
    ]


def _people(desk: Desk, report: Report) -> list[Chart]:
    _, over_time, bars = desk.gettext, partial(_over_time, desk, report), partial(_bars, desk)
    now, before = report.now.waits, report.before.waits
    stars = range(5, 0, -1)
    by_bot, by_person = report.now.scores.of("bot"), report.now.scores.of("person")
    opened, resolved = report.work
    return [
        over_time(
            "handoffs",
            "columns",
            _("Hand-overs over time"),
            [Series(_("Asked for a person"), report.handoffs)],
        ),
        bars(
            "waits",
            _("How long customers waited"),
            _("From asking for a person"),
            [
                _("until somebody took over: half waited at most"),
                _("until somebody took over: nine of ten waited at most"),
                _("until the first answer: half waited at most"),
                _("until the first answer: nine of ten waited at most"),
            ],
            [
                Series(name, [w.taken_median, w.taken_p90, w.answer_median, w.answer_p90])
                for name, w in ((_("now"), now), (_("before"), before))
            ],
            "duration",
        ),
        bars(
            "satisfaction",
            _("Scores given"),
            _("Score"),
            [str(score) for score in stars],
            [
                Series(_("bot"), [by_bot[score - 1] for score in stars]),
                Series(_("person"), [by_person[score - 1] for score in stars]),
            ],
        ),
        over_time(
            "satisfaction_over_time",
            "lines",
            _("Satisfaction over time"),
            [Series(_("Average score"), report.scores)],
            "score",
        ),
        over_time(
            "cases",
            "lines",
            _("Cases over time"),
            [Series(_("Opened"), opened), Series(_("Resolved"), resolved)],
        ),
    ]


def _wishes(desk: Desk, report: Report) -> list[Chart]:
    _, bars = desk.gettext, partial(_bars, desk)
    wishes = {intent: number for intent, number in report.now.intents.items() if intent not in NO_WISH}
    top = sorted(wishes, key=lambda intent: (-wishes[intent], intent))[:MOST_INTENTS]
    return [
        bars(
            "intents",
            _("What customers wanted"),
            _("Intent"),
            [intent.replace("_", " ") for intent in top],
            [
                Series(_("now"), [wishes[intent] for intent in top]),
                Series(_("before"), [report.before.intents.get(intent, 0) for intent in top]),
            ],
        ),
        bars(
            "languages",
            _("Conversations by language"),
            _("Language"),
            [languages.NAMES.get(code, code) for code in report.by_language],
            [Series(_("Conversations"), [counts["talks"] for counts in report.by_language.values()])],
        ),
        bars(
            "channels",
            _("Conversations by channel"),
            _("Channel"),
            [desk.gettext(CHANNEL_NAMES.get(name, name)) for name in report.by_channel],
            [Series(_("Conversations"), [counts["talks"] for counts in report.by_channel.values()])],
        ),
    ]


def _business(desk: Desk, report: Report) -> list[Chart]:
    _, over_time, bars = desk.gettext, partial(_over_time, desk, report), partial(_bars, desk)
    given, used = report.codes
    sizes = next((part for part in reversed(report.segments) if part), {})
    largest = sorted(sizes, key=lambda key: (-sizes[key], key))

    def name(key: str) -> str:
        return get_segments().name(key, desk.staff.language) if key else _("no segment")

    moves = sorted(report.moves.items(), key=lambda item: (-item[1], item[0]))[:MOST_MOVES]
    return [
        over_time(
            "codes",
            "lines",
            _("Codes over time"),
            [Series(_("Given out"), given), Series(_("Used"), used)],
        ),
        bars(
            "segments",
            _("Segments now"),
            _("Segment"),
            [name(key) for key in largest],
            [Series(_("Customers"), [sizes[key] for key in largest])],
        ),
        over_time(
            "segments_over_time",
            "lines",
            _("The largest segments over time"),
            [
                Series(name(key), [part.get(key, 0) if part else None for part in report.segments])
                for key in largest[:MOST_LINES]
            ],
        ),
        bars(
            "moves",
            _("Moves between segments"),
            _("From and to"),
            [f"{name(before)} → {name(after)}" for (before, after), _number in moves],
            [Series(_("Moves"), [number for _pair, number in moves])],
        ),
    ]


def _over_time(
    desk: Desk,
    report: Report,
    key: str,
    kind: Kind,
    title: str,
    series: list[Series],
    unit: str = "number",
) -> Chart:
    language = desk.staff.language
    about = desk.gettext(
        "%(title)s, from %(first)s to %(last)s.",
        title=title,
        first=_date(report.period.first, language),
        last=_date(report.period.last, language),
    )
    return Chart(
        key=key,
        kind=kind,
        title=title,
        about=about,
        heading=desk.gettext("Time"),
        labels=[_part(part, language) for part in report.parts],
        short=[format_skeleton("MMMd", part.first, locale=LOCALES[language]) for part in report.parts],
        series=series,
        format=partial(_format, language, unit),
        whole=unit == "number",
    )


def _bars(
    desk: Desk,
    key: str,
    title: str,
    heading: str,
    labels: list[str],
    series: list[Series],
    unit: str = "number",
) -> Chart:
    write = partial(_format, desk.staff.language, unit)
    told = [f"{label}: {write(series[0].values[place])}" for place, label in enumerate(labels[:5])]
    return Chart(key, "bars", title, "; ".join(told), heading, labels, series, write)


def _format(language: str, unit: str, value: Value) -> str:
    write = templating.environment(language).filters
    if unit == "score":
        return str(write["number"](value, digits=1))
    if unit == "number" and value is not None and value != int(value):
        return str(write["number"](value, digits=2))
    return str(write[unit](value))


def _part(part: Period, language: str) -> str:
    if part.days == 1:
        return _date(part.first, language)
    return f"{_date(part.first, language)} – {_date(part.last, language)}"


@lru_cache(4096)  # each of the charts has the same days
def _date(day: date, language: str) -> str:
    return format_date(day, "medium", locale=LOCALES[language])
