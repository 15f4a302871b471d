"""Charts as shapes: pure functions from numbers to what a template writes as SVG. (Why no library: ADR 15.)

A series is told from others by its number: the style sheet gives each a colour and each line its own dashes,
and its name stands beside it. Nothing here carries a style of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

# Small, so that letters can still be read where a telephone shrinks it.
WIDTH, HEIGHT = 380, 210
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 26
ROW, BAR = 34, 12
LETTER = 6.6  # about the width of one, at 12 px
MOST_TICKS = 5
BEYOND = " …"

Value = float | None
Kind = Literal["lines", "columns", "bars"]
Format = Callable[[Value], str]


@dataclass(frozen=True)
class Series:
    """Named numbers, one for each label of the chart; None where there is nothing to show."""

    name: str
    values: Sequence[Value]


@dataclass(frozen=True)
class Chart:
    """What a picture, its table and its file show: all three are made from this.

    lines and columns (stacked) run over time, bars stand for one thing each. `format` writes a value.
    """

    key: str
    kind: Kind
    title: str
    about: str
    heading: str
    labels: Sequence[str]
    series: Sequence[Series]
    format: Format
    short: Sequence[str] = ()  # the labels below the picture
    whole: bool = True  # things that are counted: there are no halves on the axis

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)


@dataclass(frozen=True)
class Shape:
    """One part of a drawing: `tag` is line, path, rect, circle or text; `css` its classes."""

    tag: str
    css: str
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0
    path: str = ""
    text: str = ""
    anchor: str = "start"


@dataclass(frozen=True)
class Drawing:
    """Shapes on a plane of this size."""

    width: int
    height: int
    shapes: list[Shape]


def draw(chart: Chart) -> Drawing:
    """The picture of a chart."""
    return _bars(chart) if chart.kind == "bars" else _over_time(chart)


def ticks(highest: float) -> list[float]:
    """Round numbers from 0 to at least `highest`, for an axis."""
    if highest <= 0:
        return [0, 1]
    step = 10.0 ** math.floor(math.log10(highest / (MOST_TICKS - 1)))
    for factor in (1, 2, 2.5, 5, 10):
        if step * factor * (MOST_TICKS - 1) >= highest:
            step *= factor
            break
    count = math.ceil(round(highest / step, 9))
    return [round(step * number, 9) for number in range(count + 1)]


def _over_time(chart: Chart) -> Drawing:
    stacked = chart.kind == "columns"
    highest = _highest(chart, stacked)
    axis = ticks(highest)
    if chart.whole:
        axis = [tick for tick in axis if tick == int(tick)]
    top = axis[-1] or 1
    span_x, span_y = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    count = max(len(chart.labels), 1)

    def x(number: float) -> float:
        return round(LEFT + span_x * (number + 0.5) / count, 2)

    def y(value: float) -> float:
        return round(TOP + span_y * (1 - value / top), 2)

    shapes: list[Shape] = []
    for tick in axis:
        shapes.append(Shape("line", "grid", LEFT, y(tick), WIDTH - LEFT - RIGHT))
        shapes.append(Shape("text", "tick", LEFT - 6, y(tick) + 4, text=chart.format(tick), anchor="end"))
    shapes += _labels(chart, x)
    if stacked:
        shapes += _columns(chart, x, y, span_x / count)
    else:
        for number, series in enumerate(chart.series, 1):
            shapes += _line(series, number, x, y, area=len(chart.series) == 1)
    return Drawing(WIDTH, HEIGHT, shapes)


def _labels(chart: Chart, x: Callable[[float], float]) -> list[Shape]:
    """As many labels below the axis as have room, the first and last among them."""
    names = chart.short or chart.labels
    longest = max((len(name) for name in names), default=1)
    room = max(int((WIDTH - LEFT - RIGHT) / (longest * LETTER + 14)), 1)
    step = max(math.ceil(len(names) / room), 1)
    chosen = range(len(names) - 1, -1, -step)
    return [
        Shape(
            "text", "tick", _inside(x(number), names[number]), HEIGHT - 8, text=names[number], anchor="middle"
        )
        for number in sorted(chosen)
    ]


def _inside(x: float, text: str) -> float:
    half = len(text) * LETTER / 2
    return min(max(x, half), WIDTH - half)


def _line(
    series: Series, number: int, x: Callable[[float], float], y: Callable[[float], float], area: bool
) -> list[Shape]:
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(series.values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((x(place), y(value)))
    shapes: list[Shape] = []
    for run in (run for run in runs if run):
        path = "M" + " L".join(f"{px:g} {py:g}" for px, py in run)
        if len(run) == 1:
            shapes.append(Shape("circle", f"dot series-{number}", *run[0]))
            continue
        if area:
            closed = f"{path} L{run[-1][0]:g} {y(0):g} L{run[0][0]:g} {y(0):g}Z"
            shapes.append(Shape("path", f"area series-{number}", path=closed))
        shapes.append(Shape("path", f"line series-{number}", path=path))
    return shapes


def _columns(
    chart: Chart, x: Callable[[float], float], y: Callable[[float], float], width: float
) -> list[Shape]:
    shapes: list[Shape] = []
    wide = round(max(width * 0.7, 1), 2)
    for place in range(len(chart.labels)):
        below = 0.0
        for number, series in enumerate(chart.series, 1):
            value = series.values[place] or 0
            if value > 0:
                top = y(below + value)
                high = round(y(below) - top, 2)
                shapes.append(
                    Shape("rect", f"column series-{number}", round(x(place) - wide / 2, 2), top, wide, high)
                )
            below += value
    return shapes


def _bars(chart: Chart) -> Drawing:
    """A bar for each label and series, with the name above it and the value at its end."""
    highest = _highest(chart, False) or 1
    several = len(chart.series) > 1
    shapes: list[Shape] = []
    at = 4
    for place, label in enumerate(chart.labels):
        shapes.append(Shape("text", "name", 0, at + 11, text=_shortened(label, WIDTH)))
        at += 17
        for number, series in enumerate(chart.series, 1):
            value = series.values[place]
            written = chart.format(value)
            written = f"{written} {series.name}" if several else written
            room = WIDTH - len(written) * LETTER - 12
            long = round(max(room * (value or 0) / highest, 0), 2)
            shapes.append(Shape("rect", f"column series-{number}", 0, at, max(long, 1), BAR))
            shapes.append(Shape("text", "value", long + 6, at + BAR - 1.5, text=written))
            at += BAR + 4
        at += 6
    return Drawing(WIDTH, max(at, 1), shapes)


def _shortened(text: str, width: float) -> str:
    most = int(width / LETTER)
    return text if len(text) <= most else text[: most - len(BEYOND)] + BEYOND


def _highest(chart: Chart, stacked: bool) -> float:
    columns = list(zip(*(series.values for series in chart.series), strict=True))
    if stacked:
        return max((sum(value or 0 for value in column) for column in columns), default=0)
    return max((value or 0 for column in columns for value in column), default=0)
