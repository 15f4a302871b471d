"""Charts as shapes: within their plane, true to the numbers, told apart without colour."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.insight.charts import HEIGHT, WIDTH, Chart, Drawing, Kind, Series, Shape, draw, ticks

VALUES = st.lists(st.one_of(st.none(), st.integers(0, 10**9)), min_size=1, max_size=60)


def chart(kind: Kind, *series: list[int | None], whole: bool = True) -> Chart:
    labels = [f"label {number}" for number in range(len(series[0]))]
    named = [Series(f"s{number}", values) for number, values in enumerate(series)]
    return Chart(
        "key",
        kind,
        "Title",
        "About",
        "Time",
        labels,
        named,
        lambda v: "–" if v is None else f"{v:g}",
        whole=whole,
    )


def within(drawing: Drawing, shape: Shape) -> bool:
    points = [tuple(map(float, pair.split())) for pair in re.findall(r"[\d.]+ [\d.]+", shape.path)]
    points += [(shape.x, shape.y), (shape.x + shape.width, shape.y + shape.height)]
    return all(0 <= x <= drawing.width + 0.01 and 0 <= y <= drawing.height + 0.01 for x, y in points)


@given(st.sampled_from(["lines", "columns", "bars"]), VALUES, st.booleans())
def test_nothing_is_drawn_outside(kind: Kind, values: list[int | None], whole: bool) -> None:
    drawing = draw(chart(kind, values, values, whole=whole))
    assert drawing.shapes
    assert [shape for shape in drawing.shapes if not within(drawing, shape)] == []


def test_a_line_breaks_where_nothing_is_known() -> None:
    shapes = [s for s in draw(chart("lines", [1, 2, None, 4])).shapes if "series-1" in s.css]
    assert [shape.tag for shape in shapes] == ["path", "path", "circle"]
    assert shapes[1].path.count("L") == 1


def test_columns_are_as_high_as_what_they_stand_for() -> None:
    drawing = draw(chart("columns", [10, 5], [10, 0]))
    columns = [shape for shape in drawing.shapes if shape.tag == "rect"]
    assert [shape.css for shape in columns] == ["column series-1", "column series-2", "column series-1"]
    assert columns[0].height == columns[1].height == pytest.approx(2 * columns[2].height)
    assert columns[1].y + columns[1].height == pytest.approx(columns[0].y)


def test_each_bar_has_its_name_and_value_beside_it() -> None:
    shapes = draw(chart("bars", [4, 0], [2, None])).shapes
    assert [shape.text for shape in shapes if shape.css == "name"] == ["label 0", "label 1"]
    assert [shape.text for shape in shapes if shape.css == "value"] == ["4 s0", "2 s1", "0 s0", "– s1"]


@pytest.mark.parametrize(
    ("highest", "expected"),
    [
        (0, [0, 1]),
        (1, [0, 0.25, 0.5, 0.75, 1]),
        (7, [0, 2, 4, 6, 8]),
        (40, [0, 10, 20, 30, 40]),
        (41, [0, 20, 40, 60]),
    ],
)
def test_axes_have_round_numbers(highest: float, expected: list[float]) -> None:
    assert ticks(highest) == expected


def test_labels_have_room() -> None:
    drawing = draw(chart("lines", [1] * 45))
    names = [shape for shape in drawing.shapes if shape.text.startswith("label")]
    assert 2 <= len(names) <= 6
    assert names[-1].text == "label 44"
    assert (drawing.width, drawing.height) == (WIDTH, HEIGHT)
