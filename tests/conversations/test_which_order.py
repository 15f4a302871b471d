"""Orders named by their place; they stand newest first."""

from __future__ import annotations

import pytest

from rapport.conversations.which_order import newest_named, place_named


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("the second one", 1),
        ("the last one, please", 0),
        ("the oldest", 2),
        ("el segundo", 1),
        ("la última", 0),
        ("la más antigua", 2),
        ("den andre", 1),
        ("den siste", 0),
        ("den tredje bestillingen", 2),
        ("a doua", 1),
        ("ultima", 0),
        ("cea mai veche", 2),
        ("the fifth", None),  # there are three
        ("the last week was hard", None),
        ("which ones are there", None),
    ],
)
def test_a_place(text: str, place: int | None) -> None:
    assert place_named(text, 3) == place


def test_none_of_none() -> None:
    assert place_named("the last one", 0) is None


@pytest.mark.parametrize(
    ("text", "newest"),
    [
        ("my latest invoice", True),
        ("the invoice for my last order", True),
        ("la última factura", True),
        ("mi pedido más reciente", True),
        ("fakturaen for siste bestilling", True),
        ("factura pentru ultima mea comandă", True),
        ("factura ultimei comenzi", True),
        ("my last two orders", False),
        ("last week's order", False),
    ],
)
def test_the_newest(text: str, newest: bool) -> None:
    assert newest_named(text) is newest
