"""Searched words, without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.review import words
from rapport.review.words import Piece, Term


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Søk på Ærlig", ["sok", "pa", "aerlig"]),
        ("știri țară mână ŞŢ", ["stiri", "tara", "mana", "st"]),
        ("¿Dónde está el niño?", ["donde", "esta", "el", "nino"]),
        ("e-post: ana.pop@example.com", ["e", "post", "ana", "pop", "example", "com"]),
        ("Straße Łódź Đorđe œuvre Þór", ["strasse", "lodz", "dorde", "oeuvre", "thor"]),
        ("e\u0301te\u0301 FJ-1001_x", ["ete", "fj", "1001", "x"]),
        ("👍 --- ", []),
    ],
)
def test_words_are_plain(text: str, plain: list[str]) -> None:
    assert words.words(text) == plain


@pytest.mark.parametrize(
    ("line", "terms"),
    [
        ("where Order", [Term(("where",)), Term(("order",), begins=True)]),
        ('"my order" late ', [Term(("my", "order")), Term(("late",), begins=True)]),
        ('late "my order"', [Term(("late",)), Term(("my", "order"))]),
        ('"my ord', [Term(("my", "ord"))]),
        ("e-post", [Term(("e", "post"), begins=True)]),
        ('NEAR(a b) OR "', [Term(("near", "a")), Term(("b",)), Term(("or",))]),
        ('* ^ - : "" \0 ( ', []),
    ],
)
def test_a_line_of_search(line: str, terms: list[Term]) -> None:
    assert list(words.parse(line).terms) == terms


def test_what_a_query_finds() -> None:
    text = "Hvor er pakken min? Jeg søkte på nettsiden."
    for line in ("pakken", "sok", "nettsiden hvor", '"er pakken"', "søkte"):
        assert words.matches(text, words.parse(line)), line
    for line in ("pakke hvor", '"pakken er"', '"er pakk"', "okte", "", "***"):
        assert not words.matches(text, words.parse(line)), line


def test_a_snippet_shows_the_hit_as_it_is_written() -> None:
    assert words.snippet("Jeg <b>søkte</b>\n lenge", words.parse("sok")) == [
        Piece("Jeg <b>"),
        Piece("søkte", hit=True),
        Piece("</b> lenge"),
    ]
    long = "start " + "ord " * 200 + "pakken min " + "ord " * 200
    pieces = words.snippet(long, words.parse("pakken"))
    assert (pieces[0], Piece("pakken", hit=True) in pieces) == (Piece("… "), True)
    assert sum(len(piece.text) for piece in pieces) < words.SNIPPET + 10


@given(st.text(max_size=300), st.text(max_size=40))
def test_whatever_is_written_makes_no_error_and_loses_no_text(text: str, line: str) -> None:
    query = words.parse(line)
    shown = "".join(piece.text for piece in words.snippet(text, query, longest=10_000))
    assert shown == " ".join(words._composed(text).split())
    assert words.matches(text, query) == any(piece.hit for piece in words.snippet(text, query, 10_000)) or (
        len(query.terms) > 1
    )


@given(st.lists(st.sampled_from(["søk", "țară", "niño", "order", "FJ-12"]), min_size=1, max_size=4))
def test_a_text_is_found_by_its_own_words(some: list[str]) -> None:
    assert words.matches(" ".join(some), words.parse(" ".join(reversed(some))))
