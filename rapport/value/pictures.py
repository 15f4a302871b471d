"""Pictures of what customers are worth, each with its numbers in a CSV file of the same name."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rapport.value.holdout import Report
from rapport.value.segments import Segments

# Light enough for black letters, and told apart by the colour-blind.
COLOURS = ("#7fc8a9", "#a6d8e7", "#ffe08a", "#d4c5f9", "#f9c49a", "#f2a0a0", "#d0d0d0", "#b4b4c8")
DOTS = 110


def segment_map(
    cells: Sequence[tuple[int, int, int, str, int]], segments: Segments, language: str, folder: Path
) -> Path:
    """How many customers have which recency and frequency, in the colour of the segment most are in."""
    _csv(folder / "segments.csv", ("recency", "frequency", "monetary", "segment", "customers"), cells)
    counts: dict[tuple[int, int], dict[str, int]] = {}
    for recency, frequency, _monetary, key, number in cells:
        inside = counts.setdefault((recency, frequency), {})
        inside[key] = inside.get(key, 0) + number
    total = max(sum(number for *_, number in cells), 1)
    figure, axes = _figure(9, 7)
    colours = ListedColormap([COLOURS[i % len(COLOURS)] for i in range(len(segments.keys))])
    grid = np.full((5, 5), np.nan)
    for row in range(5):
        for column in range(5):
            inside = counts.get((column + 1, row + 1), {})
            ranked = sorted(inside, key=lambda key: (-inside[key], key))
            keys = [key for key in ranked if key in segments.keys]
            names = [segments.name(key, language) for key in ranked] or [
                segments.name(segments.of(column + 1, row + 1, monetary), language) for monetary in (3,)
            ]
            grid[row, column] = segments.keys.index(keys[0]) if keys else np.nan
            number = sum(inside.values())
            label = f"{number:,}\n{number / total:.0%}\n" + "\n".join(names[:2])
            axes.text(
                column, row, label, ha="center", va="center", fontsize=9, color="black" if number else "grey"
            )
    axes.imshow(grid, origin="lower", cmap=colours, vmin=-0.5, vmax=len(segments.keys) - 0.5, aspect="auto")
    axes.set_xticks(range(5), [str(score) for score in range(1, 6)])
    axes.set_yticks(range(5), [str(score) for score in range(1, 6)])
    axes.set_xlabel("recency: 1 ordered long ago, 5 lately")
    axes.set_ylabel("frequency: 1 ordered once, 5 most often")
    axes.set_title(f"{total:,} customers by segment")
    return _save(figure, folder / "segments.png")


def value_distribution(clv: NDArray[np.float64], currency: str, months: int, folder: Path) -> Path:
    """How customers' values (in whole units of the currency) differ, and what part the best of them bring."""
    values = np.sort(clv)[::-1]
    figure, (left, right) = _figures(11, 4.5, 2)
    positive = values[values > 0]
    edges = (
        np.geomspace(positive.min(), positive.max() * 1.0001, 31) if len(positive) > 1 else np.array([0, 1])
    )
    counts, edges = np.histogram(positive, bins=edges)
    left.stairs(counts, edges, fill=True, color="#4c8fbd")
    if len(positive) > 1:
        left.set_xscale("log")
        median = float(np.median(values))
        left.axvline(max(median, edges[0]), color="black", linestyle="--", label=f"median {median:,.0f}")
        left.legend()
    left.set_xlabel(f"expected value in the next {months} months, {currency}")
    left.set_ylabel("customers")
    left.set_title("How much customers will be worth")
    share = np.cumsum(values) / values.sum() if values.sum() > 0 else np.zeros(len(values))
    people = np.arange(1, len(values) + 1) / max(len(values), 1)
    right.plot(people * 100, share * 100, color="#4c8fbd")
    right.plot([0, 100], [0, 100], color="grey", linestyle="--")
    if len(values):
        fifth = float(share[max(round(len(values) / 5) - 1, 0)])
        right.plot([20], [fifth * 100], "o", color="black")
        right.text(22, fifth * 100 - 2, f"the best fifth:\n{fifth:.0%}", va="top")
    right.set(
        xlabel="best customers, %", ylabel="part of all expected value, %", xlim=(0, 100), ylim=(0, 102)
    )
    right.set_title("Who brings it")
    _csv(
        folder / "value.csv",
        (f"from_{currency}", f"to_{currency}", "customers"),
        [(round(a, 2), round(b, 2), int(n)) for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)],
    )
    return _save(figure, folder / "value.png")


def retention(cohorts: Sequence[tuple[int, int, int]], months: int, folder: Path) -> Path:
    """What part of those who first bought in one period bought again so many periods later."""
    firsts = sorted({first for first, _, _ in cohorts})
    latest = max((first + later for first, later, _ in cohorts), default=0)
    if firsts:
        firsts = list(range(firsts[0], latest + 1))
    found = {(first, later): number for first, later, number in cohorts}
    grid = np.full((max(len(firsts), 1), max(len(firsts), 1)), np.nan)
    for row, first in enumerate(firsts):
        size = found.get((first, 0), 0)
        for later in range(latest - first + 1):
            if size:
                grid[row, later] = found.get((first, later), 0) / size * 100
    figure, axes = _figure(3 + 0.55 * grid.shape[1], 2 + 0.42 * grid.shape[0])
    # The first column is 100 % by definition and would drown the others.
    axes.imshow(np.where(np.arange(grid.shape[1]) == 0, np.nan, grid), cmap="YlGnBu", vmin=0, aspect="auto")
    for row in range(grid.shape[0]):
        for column in range(grid.shape[1]):
            if not np.isnan(grid[row, column]):
                size = found.get((firsts[row], 0), 0)
                label = f"{size:,}" if column == 0 else f"{grid[row, column]:.0f}"
                highest = np.nanmax(grid[:, 1:]) if grid.shape[1] > 1 and row < len(grid) - 1 else 100
                dark = column > 0 and grid[row, column] > 0.6 * highest
                axes.text(
                    column,
                    row,
                    label,
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if dark else "black",
                )
    axes.set_yticks(range(len(firsts)), [_period(first, months) for first in firsts])
    axes.set_xticks(range(grid.shape[1]), ["new", *(str(later) for later in range(1, grid.shape[1]))])
    length = {1: "months", 3: "quarters", 12: "years"}[months]
    axes.set_xlabel(f"{length} after the first order")
    axes.set_title(f"Of new customers, how many % bought again, by {length} later")
    _csv(folder / "cohorts.csv", ("first", f"{length}_later", "customers"), [
        (_period(first, months), later, number) for first, later, number in cohorts
    ])  # fmt: skip
    return _save(figure, folder / "cohorts.png")


def holdout(report: Report, folder: Path) -> Path:
    """Expected and actual orders after the cut, by how often customers had come back before it."""
    figure, axes = _figure(8, 5)
    place = np.arange(len(report.classes))
    expected = axes.bar(
        place - 0.2, [c.expected for c in report.classes], 0.4, label="expected", color="#f9c49a"
    )
    actual = axes.bar(place + 0.2, [c.actual for c in report.classes], 0.4, label="came", color="#4c8fbd")
    axes.bar_label(expected, fmt="%.2f", fontsize=8)
    axes.bar_label(actual, fmt="%.2f", fontsize=8)
    most = max((c.repeats for c in report.classes), default=0)
    labels = [
        f"{c.repeats}{'+' if c.repeats == most == 7 else ''}\n({c.customers:,})" for c in report.classes
    ]
    axes.set_xticks(place, labels)
    axes.set_xlabel(f"times they had come back before {report.cut:%Y-%m-%d} (customers)")
    axes.set_ylabel(f"orders per customer until {report.end:%Y-%m-%d}")
    axes.set_title(f"Expected and actual orders of {report.customers:,} customers, by {report.method}")
    axes.legend()
    _csv(
        folder / "holdout.csv",
        ("repeats_before", "customers", "expected_orders_each", "actual_orders_each"),
        [(c.repeats, c.customers, c.expected, c.actual) for c in report.classes],
    )
    return _save(figure, folder / "holdout.png")


def _period(number: int, months: int) -> str:
    """A period's name: 2026-05, 2026 Q2 or 2026."""
    year, part = divmod(number * months, 12)
    return {1: f"{year}-{part + 1:02d}", 3: f"{year} Q{part // 3 + 1}"}.get(months, str(year))


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _figures(width: float, height: float, count: int) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, count))


def _save(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DOTS)
    return path


def _csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
