"""Everything the page of figures shows of a period, and of the one before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.insight import counting, rules
from rapport.insight.figures import results, talks
from rapport.insight.figures.common import Filters, Spans
from rapport.insight.figures.results import Codes, Work
from rapport.insight.figures.talks import MEASURES, Scores, Waits
from rapport.insight.rules import Period

# So many days that were not counted yet are counted for the page; it names the others.
MOST_LIVE = 2

Counts = dict[str, int]


@dataclass(frozen=True)
class Totals:
    """A period in figures. `talks` holds the sums of `MEASURES`."""

    talks: Counts
    intents: Counts
    waits: Waits
    scores: Scores
    codes: Codes
    work: Work

    @property
    def contained(self) -> float | None:
        return rules.share(self.talks["contained"], self.talks["settled"])

    @property
    def not_understood(self) -> float | None:
        read = self.talks["understood"] + self.talks["not_understood"]
        return rules.share(self.talks["not_understood"], read)

    @property
    def answered(self) -> float | None:
        """The share of those asked how the help was who said it."""
        return rules.share(sum(self.scores.of()), self.scores.asked_of())


@dataclass(frozen=True)
class Report:
    """`now` and `before` are the period and the one before it. What is by part has a value for each of
    `parts`; None where there is nothing to say. `uncounted`: days of the period that are not counted yet.
    """

    period: Period
    parts: list[Period]
    now: Totals
    before: Totals
    talks: list[Counts]
    by_channel: dict[str, Counts]
    by_language: dict[str, Counts]
    handoffs: list[int]
    scores: list[float | None]
    codes: tuple[list[int], list[int]]
    work: tuple[list[int], list[int]]
    overdue: int
    segments: list[Counts | None]
    moves: dict[tuple[str, str], int]
    uncounted: list[date]
    counted_at: datetime | None
    is_empty: bool

    def by_part(self, measure: str) -> list[int]:
        return [counts[measure] for counts in self.talks]


def gather(
    session: Session, period: Period, filters: Filters, timezone: str, currency: str, now: datetime
) -> Report:
    """The report of a period, as things stand now; what was said today is counted at once."""
    parts = rules.parts(period)
    today = rules.day_of(now, timezone)
    counted, counted_at = counting.last_count(session, period.before.first, period.last)
    first = counting.first_message(session)
    missing = [
        day for day in period.all_days()
        if day not in counted and first is not None and rules.day_of(first, timezone) <= day < today
    ]  # fmt: skip
    live = [day for day in (today, *reversed(missing)) if period.first <= day <= period.last][:MOST_LIVE]
    spans = Spans.of(period, parts, timezone)
    rows, intents, intents_before = _days(session, period, spans, filters, live, timezone, now)
    inside = [row for row in rows if row["part"] >= 0]
    earlier = [row for row in rows if row["part"] < 0]
    waits, waits_before, handoffs = talks.waits(session, spans, filters)
    scores, scores_before, averages = talks.scores(session, spans, filters)
    codes, codes_before, codes_by_part = results.codes(session, spans, currency)
    work, work_before, work_by_part = results.work(session, spans, filters)
    return Report(
        period=period,
        parts=parts,
        now=Totals(_sums(inside), intents, waits, scores, codes, work),
        before=Totals(_sums(earlier), intents_before, waits_before, scores_before, codes_before, work_before),
        talks=_by_part(inside, len(parts)),
        by_channel=_grouped(inside, "channel"),
        by_language=_grouped(inside, "language"),
        handoffs=handoffs,
        scores=averages,
        codes=codes_by_part,
        work=work_by_part,
        overdue=results.overdue(session, now, filters),
        segments=results.segment_sizes(session, spans),
        moves=results.segment_moves(session, period),
        uncounted=[day for day in missing if day not in live],
        counted_at=counted_at,
        is_empty=first is None,
    )


def _days(
    session: Session,
    period: Period,
    spans: Spans,
    filters: Filters,
    live: list[date],
    timezone: str,
    now: datetime,
) -> tuple[list[dict[str, Any]], Counts, Counts]:
    """What was counted of the parts and of the period before, and the intents of each period."""
    rows = talks.talk_days(session, spans, live, filters)
    intents, before = talks.intents(session, period, live, filters)
    for day in live:
        counted, understood = counting.count_day(session, day, timezone, now)
        part = bisect_right(spans.days, day) - 2
        rows += [{**row, "part": part} for row in counted if _fits(row, filters)]
        for row in understood:
            if _fits(row, filters):
                intents[row["intent"]] = intents.get(row["intent"], 0) + row["messages"]
    return rows, intents, before


def _fits(row: Mapping[str, Any], filters: Filters) -> bool:
    return filters.channel in (None, row["channel"]) and filters.language in (None, row["language"])


def _sums(rows: Iterable[Mapping[str, Any]]) -> Counts:
    sums = dict.fromkeys(MEASURES, 0)
    for row in rows:
        for measure in MEASURES:
            sums[measure] += row[measure]
    return sums


def _by_part(rows: Iterable[Mapping[str, Any]], count: int) -> list[Counts]:
    found: list[list[Mapping[str, Any]]] = [[] for _ in range(count)]
    for row in rows:
        found[row["part"]].append(row)
    return [_sums(some) for some in found]


def _grouped(rows: Iterable[Mapping[str, Any]], by: str) -> dict[str, Counts]:
    """Sums by channel or language, the most talks first."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[by], []).append(row)
    found = {name: _sums(groups[name]) for name in sorted(groups)}
    return dict(sorted(found.items(), key=lambda item: -item[1]["talks"]))
