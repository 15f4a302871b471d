"""Figures: what is asked, how much of it the bot solves, and what comes of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from babel.dates import format_date
from fastapi import APIRouter, Depends
from fastapi.responses import Response

from rapport.console import templating
from rapport.console.desk import Desk, allowed
from rapport.console.i18n import mark
from rapport.console.insight_charts import CHANNEL_NAMES, Drawn, charts_of
from rapport.insight import report, rules
from rapport.insight.charts import Chart, Value, draw
from rapport.insight.figures.common import Filters
from rapport.insight.report import Report, Totals
from rapport.insight.rules import Period
from rapport.kit import clock
from rapport.kit.errors import InvalidInputError, NotFoundError
from rapport.kit.format import LOCALES
from rapport.kit.languages import LANGUAGES
from rapport.shop.facts import get_facts
from rapport.staff.rules import May

routes = APIRouter()
MyDesk = Annotated[Desk, Depends(allowed(May.INSIGHT))]
# What rules.py says of two dates.
PROBLEMS = (
    mark("Give both dates."),
    mark("The first day comes after the last."),
    mark("Choose two years at most, up to today."),
)
# Spreadsheets run what begins like this.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Wanted:
    """What somebody chose to look at."""

    name: str
    period: Period
    filters: Filters

    @property
    def query(self) -> str:
        chosen = {
            "period": self.name,
            "first": self.period.first if self.name == rules.CUSTOM else None,
            "last": self.period.last if self.name == rules.CUSTOM else None,
            "channel": self.filters.channel,
            "language": self.filters.language,
        }
        return urlencode({name: str(value) for name, value in chosen.items() if value is not None})


@dataclass(frozen=True)
class Figure:
    """A number with the one before it."""

    label: str
    value: str
    before: str
    change: str


@routes.get("/insight")
def show(
    desk: MyDesk, period: str = "30", first: str = "", last: str = "", channel: str = "", language: str = ""
) -> Response:
    """The page, for a period and the one before."""
    problem = None
    try:
        wanted = _wanted(period, first, last, channel, language)
    except InvalidInputError as error:
        problem, wanted = desk.gettext(str(error)), _wanted("30", "", "", channel, language)
    found = _gather(desk, wanted)
    facts = get_facts()
    charts = charts_of(desk, found)
    return desk.page(
        "insight.html",
        422 if problem else 200,
        problem=problem,
        wanted=wanted,
        report=found,
        before=found.period.before,
        charts={chart.key: Drawn(chart, draw(chart)) for chart in charts},
        figures=_figures(desk, found),
        typed={"first": first or wanted.period.first, "last": last or wanted.period.last},
        channels=CHANNEL_NAMES,
        today=rules.day_of(clock.now(), facts.timezone),
        date=lambda day: format_date(day, "medium", locale=LOCALES[desk.staff.language]),
    )


@routes.get("/insight/{key}.csv")
def download(
    desk: MyDesk,
    key: str,
    period: str = "30",
    first: str = "",
    last: str = "",
    channel: str = "",
    language: str = "",
) -> Response:
    """The numbers of one chart, as a file that spreadsheets open."""
    found = _gather(desk, _wanted(period, first, last, channel, language))
    chart = next((chart for chart in charts_of(desk, found) if chart.key == key), None)
    if chart is None:
        raise NotFoundError(desk.gettext("There is no such chart."))
    name = f"{key}-{found.period.first}-{found.period.last}.csv"
    return Response(
        as_csv(chart),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def as_csv(chart: Chart) -> str:
    """The table of a chart. With a byte order mark, without which Excel garbles letters like å and ș."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_defused(name) for name in (chart.heading, *(series.name for series in chart.series))])
    for place, label in enumerate(chart.labels):
        writer.writerow([_defused(label), *(_written(series.values[place]) for series in chart.series)])
    return "\ufeff" + text.getvalue()


def _defused(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _written(value: Value) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _wanted(name: str, first: str, last: str, channel: str, language: str) -> Wanted:
    """Raises InvalidInputError."""
    known = (*rules.PRESETS, rules.MONTH, rules.CUSTOM)
    name = name if name in known else "30"
    today = rules.day_of(clock.now(), get_facts().timezone)
    return Wanted(
        name,
        rules.period(name, first, last, today),
        Filters(channel if channel in CHANNEL_NAMES else None, language if language in LANGUAGES else None),
    )


def _gather(desk: Desk, wanted: Wanted) -> Report:
    facts = get_facts()
    with desk.reading() as session:
        return report.gather(
            session, wanted.period, wanted.filters, facts.timezone, facts.currency, clock.now()
        )


def _figures(desk: Desk, found: Report) -> dict[str, Figure]:
    """The single numbers of the page by name."""
    write = templating.environment(desk.staff.language).filters
    now, before = found.now, found.before

    def figure(label: str, kind: str, value: Value, earlier: Value) -> Figure:
        grown = rules.change(value, earlier)
        change = "" if grown is None else ("+" if grown > 0 else "") + write["percent"](grown)
        return Figure(label, write[kind](value), write[kind](earlier), change)

    def count(label: str, measure: str) -> Figure:
        return figure(label, "number", now.talks[measure], before.talks[measure])

    def stars(label: str, who: str | None) -> Figure:
        found_now, found_before = now.scores.average(who), before.scores.average(who)
        change = figure(label, "number", found_now, found_before).change
        return Figure(
            label, write["number"](found_now, digits=1), write["number"](found_before, digits=1), change
        )

    _ = desk.gettext
    pairs: Sequence[tuple[str, str, str, str]] = (
        ("contained", _("Solved by the bot"), "percent", "contained"),
        ("not_understood", _("Not understood"), "percent", "not_understood"),
        ("answered", _("Gave a score"), "percent", "answered"),
    )
    shares = {
        name: figure(label, kind, getattr(now, attribute), getattr(before, attribute))
        for name, label, kind, attribute in pairs
    }
    return {
        **shares,
        "talks": count(_("Conversations"), "talks"),
        "messages": figure(_("Messages"), "number", _messages(now), _messages(before)),
        "asked": figure(_("Asked for a person"), "number", now.waits.asked, before.waits.asked),
        "taken": figure(
            _("Waited for a person, typically"),
            "duration",
            now.waits.taken_median,
            before.waits.taken_median,
        ),
        "first_answer": figure(
            _("First answer, typically"), "duration", now.waits.answer_median, before.waits.answer_median
        ),
        "satisfaction": stars(_("Satisfaction, of 5"), None),
        "satisfaction_bot": stars(_("With the bot"), "bot"),
        "satisfaction_person": stars(_("With a person"), "person"),
        "issued": figure(_("Codes given out"), "number", now.codes.issued, before.codes.issued),
        "used": figure(_("Codes used"), "number", now.codes.used, before.codes.used),
        "revenue": figure(
            _("Revenue with codes"), "money", now.codes.revenue_minor, before.codes.revenue_minor
        ),
        "discount": figure(
            _("Discount given"), "money", now.codes.discount_minor, before.codes.discount_minor
        ),
        "margin": figure(_("Margin, where known"), "money", _margin(now), _margin(before)),
        "opened": figure(_("Cases opened"), "number", now.work.opened, before.work.opened),
        "resolved": figure(_("Cases resolved"), "number", now.work.resolved, before.work.resolved),
        "in_time": figure(
            _("Resolved in time"),
            "percent",
            rules.share(now.work.in_time, now.work.resolved),
            rules.share(before.work.in_time, before.work.resolved),
        ),
    }


def _messages(totals: Totals) -> int:
    return sum(totals.talks[f"from_{who}"] for who in ("customers", "bot", "staff"))


def _margin(totals: Totals) -> int | None:
    return totals.codes.margin_minor if totals.codes.costed_orders else None
