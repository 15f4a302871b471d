"""What in a text tells who somebody is, and what only looks like it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.privacy.personal import HIDDEN, find, masked, masked_email, masked_name, masked_number

FOUND = [
    ("mail me at ola.nordmann@example.no please", "email", "ola.nordmann@example.no"),
    ("(jane+shop@mail.example.co.uk)", "email", "jane+shop@mail.example.co.uk"),
    ("call +47 412 34 567 today", "phone", "+47 412 34 567"),
    ("ring meg på 41 23 45 67", "phone", "41 23 45 67"),
    ("(+34) 612 345 678", "phone", "(+34) 612 345 678"),
    ("tel. 0722 123 456", "phone", "0722 123 456"),
    ("it's 555-0134", "phone", "555-0134"),
    ("0047 41234567", "phone", "0047 41234567"),
    ("where is FJ-10234?", "order", "FJ-10234"),
    ("pedido #536365", "order", "#536365"),
    ("C536365 kom ikke", "order", "C536365"),
    ("ordre 53636", "order", "53636"),
    ("the code is 123456", "code", "123456"),
    ("123 456", "code", "123 456"),
    ("my coupon FJ-2345-7KQM fails", "coupon", "FJ-2345-7KQM"),
    ("card 4111 1111 1111 1111", "card", "4111 1111 1111 1111"),
    ("4111111111111111", "card", "4111111111111111"),
    ("IBAN NO93 8601 1117 947", "iban", "NO93 8601 1117 947"),
    ("RO49AAAA1B31007593840000 este contul", "iban", "RO49AAAA1B31007593840000"),
    ("I live at 12 Baker Street, Flat 4", "address", "12 Baker Street, Flat 4"),
    ("vivo en Calle Mayor 5, 3º B, 28013 Madrid", "address", "Calle Mayor 5, 3º B, 28013 Madrid"),
    ("send til Storgata 5B, 0184 Oslo", "address", "Storgata 5B, 0184 Oslo"),
    ("pe Str. Lungă nr. 5, bl. 3, ap. 12", "address", "Str. Lungă nr. 5, bl. 3, ap. 12"),
    ("my name is john smith and i wait", "name", "john smith"),
    ("Hi, this is Ann Lee", "name", "Ann Lee"),
    ("me llamo María José García", "name", "María José García"),
    ("jeg heter kari nordmann og venter", "name", "kari nordmann"),
    ("mă numesc Ion Popescu și aștept", "name", "Ion Popescu"),
    ("ma numesc ion popescu si astept", "name", "ion popescu"),
    ("Where is it?\nBest regards, Ann O'Neill", "name", "Ann O'Neill"),
    ("Mvh Ola", "name", "Ola"),
    ("soy Lucía", "name", "Lucía"),
    ("for Mrs. Walsh", "name", "Walsh"),
]


@pytest.mark.parametrize(("text", "kind", "words"), FOUND)
def test_found(text: str, kind: str, words: str) -> None:
    assert [(span.kind, text[span.start : span.end]) for span in find(text)] == [(kind, words)]
    assert masked(text) == text.replace(words, HIDDEN)


@pytest.mark.parametrize(
    "text",
    [
        "boots in size 42",
        "EU 44 or 45?",
        "sizes 38 39 40 41",
        "it costs 1 299,00 kr",
        "I paid 12000 kr for it",
        "100 000 kr",
        "€12500 is a lot",
        "un saco de 1500 g",
        "tent of 200x300",
        "15000 mAh",
        "since 03.05.2026",
        "on 2026-05-03 14:30",
        "12/05/2026",
        "from 2019-2020",
        "i waited from 10:30 to 11:45",
        "I'm looking for a jacket",
        "I am Norwegian",
        "this is not what I ordered",
        "soy cliente desde 2019",
        "det er ikke riktig",
        "sunt foarte mulțumit",
        "rated EN-13537",
        "at 50 % off",
        "in 24/7 and 7/7",
        "the road is long, the street too",
        "@example",
        "",
    ],
)
def test_not_about_anybody(text: str) -> None:
    assert find(text) == []
    assert masked(text) == text


def test_names_that_are_known_are_found_in_any_case() -> None:
    text = "ANA pop wants it, not anatomy"
    assert [text[span.start : span.end] for span in find(text, ["Ana Pop"])] == ["ANA pop"]


def test_several_at_once() -> None:
    text = "I'm Ann Lee, ann@example.com, +47 412 34 567, order FJ-10234"
    assert masked(text) == f"I'm {HIDDEN}, {HIDDEN}, {HIDDEN}, order {HIDDEN}"


@settings(max_examples=40)
@given(st.text(max_size=120), st.lists(st.text(max_size=8), max_size=2))
def test_any_text(text: str, names: list[str]) -> None:
    spans = find(text, names)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(first.end <= second.start for first, second in itertools.pairwise(spans))


@pytest.mark.parametrize("sign", ["1", "a", "A ", "1 ", "a-", "a.", "@", "my name is ", "Calle A "])
def test_long_texts_take_no_time(sign: str) -> None:
    find(sign * (4000 // len(sign)))


def test_single_values() -> None:
    assert masked_email("ann@example.com") == f"a{HIDDEN}@e{HIDDEN}.com"
    assert masked_number("+4741234567") == f"{HIDDEN}67"
    assert masked_name("Ann Lee") == "A. L."
