"""What `rapport value` tells: sums by segment, and the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from babel.numbers import get_currency_precision
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from rapport.shop.facts import get_facts
from rapport.value import reporting, rules
from rapport.value.counting import Currency
from rapport.value.segments import get_segments

# Cohorts of months up to so many of them, then of quarters, then of years.
MOST_COHORTS = 20


@dataclass(frozen=True)
class SegmentSum:
    """A segment's customers, their median expected value (minor units), their part of all expected value and
    their mean probability to buy again soon."""

    key: str
    name: str
    customers: int
    median_minor: int
    share: float
    p_buy: float


def by_segment(session: Session, language: str) -> list[SegmentSum]:
    """All segments in the order of their table, also empty ones."""
    found: dict[str, list[tuple[int, float]]] = {}
    for rows in reporting.worths(session):
        for segment, clv, p_buy in rows:
            found.setdefault(segment, []).append((clv, p_buy))
    total = sum(clv for values in found.values() for clv, _ in values)
    segments = get_segments()
    result = []
    # A segment the table has lost since is shown until the next valuation.
    for key in (*segments.keys, *sorted(set(found) - set(segments.keys))):
        values = np.array(found.get(key, []), float).reshape(-1, 2)
        some = len(values) > 0
        result.append(
            SegmentSum(
                key=key,
                name=segments.name(key, language),
                customers=len(values),
                median_minor=round(float(np.median(values[:, 0]))) if some else 0,
                share=float(values[:, 0].sum() / total) if total else 0.0,
                p_buy=float(values[:, 1].mean()) if some else 0.0,
            )
        )
    return result


def draw(session: Session, language: str, folder: Path) -> list[Path]:
    """The segment map, the distribution of values and the cohorts, with their CSV files."""
    from rapport.value import pictures  # matplotlib takes a second to load

    facts = get_facts()
    money = Currency(facts.currency, rules.day_starts(facts.timezone))
    clv: list[NDArray[np.int64]] = [
        np.array([row[1] for row in rows], np.int64) for rows in reporting.worths(session)
    ]
    span = reporting.first_and_last(session, money)
    if span is None or not clv:
        return []
    months = (span[1] - span[0]).days / 30.4
    period = next((size for size in (1, 3) if months / size <= MOST_COHORTS), 12)
    return [
        pictures.segment_map(reporting.cells(session), get_segments(), language, folder),
        pictures.value_distribution(
            np.concatenate(clv) / 10 ** get_currency_precision(facts.currency),
            facts.currency,
            facts.valuation.horizon_months,
            folder,
        ),
        pictures.retention(reporting.cohorts(session, money, period), period, folder),
    ]
