"""Asking for what the shop doesn't have, told apart from more questions about what is talked of."""

from __future__ import annotations

import pytest

from actions.unknown_things import asks_for_another_thing


@pytest.mark.parametrize(
    "text",
    [
        *("do you have sofas?", "hi, do you sell any laptops", "have you got a fridge"),
        *("¿tenéis sofás?", "vendéis algún reloj", "¿tienen también lavadoras?"),
        *("har dere sofaer?", "selger dere også sykler", "har dere en vaskemaskin"),
        *("aveți canapele?", "vindeti si mobila", "aveți vreo bicicletă"),
    ],
)
def test_another_thing(text: str) -> None:
    assert asks_for_another_thing(text)


@pytest.mark.parametrize(
    "text",
    [
        *("do you have it in blue", "have you got any in red", "do you have this in size 42"),
        *("¿la tenéis en rojo?", "¿tenéis otra talla?", "¿tenéis más?", "¿cuánto pesa?"),
        *("har dere den i blått", "har dere flere farger", "har dere den på lager", "hva veier den"),
        *("îl aveți pe negru", "aveți altă culoare", "aveți și mărimi mai mari", "cât cântărește"),
    ],
)
def test_the_same_thing(text: str) -> None:
    assert not asks_for_another_thing(text)
