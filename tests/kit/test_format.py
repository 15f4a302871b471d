"""Money and dates as each language writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.kit.format import counted, day, listed, money, number, read_money, short_day, typed_money
from rapport.kit.languages import LANGUAGES, normalise


@pytest.mark.parametrize(
    ("minor", "currency", "language", "written"),
    [
        (124900, "NOK", "nb", "1 249 kr"),
        (124950, "NOK", "nb", "1 249,50 kr"),
        (124900, "NOK", "en", "NOK 1,249"),
        (124900, "EUR", "es", "1.249 €"),
        (124900, "RON", "ro", "1.249 RON"),
        (500, "JPY", "en", "JP¥500"),
        (-50, "NOK", "nb", "-0,50 kr"),
        (10**17 + 1, "NOK", "en", "NOK 1,000,000,000,000,000.01"),
    ],
)
def test_money(minor: int, currency: str, language: str, written: str) -> None:
    plain = str.maketrans({"\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ", "−": "-"})
    assert money(minor, currency, language).translate(plain) == written


def test_a_day_is_the_shops_day_not_utcs() -> None:
    late = datetime(2026, 5, 3, 22, 30, tzinfo=UTC)
    assert day(late, "en", "Europe/Oslo") == "4 May 2026"
    assert day(late, "nb", "Europe/Oslo") == "4. mai 2026"
    assert day(late, "es", "Europe/Oslo") == "4 de mayo de 2026"
    assert day(late, "ro", "Europe/Oslo") == "4 mai 2026"
    assert short_day(late, "nb", "Europe/Oslo") == "4. mai 2026"
    assert short_day(late, "es", "Europe/Oslo") == "4 may 2026"


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_written_in_every_language(language: str) -> None:
    assert number(7, language) == "7"


@pytest.mark.parametrize(
    ("value", "language", "written"),
    [
        (0, "ro", "0"),
        (5, "ro", "5"),
        (19, "ro", "19"),
        (20, "ro", "20 de"),
        (30, "ro", "30 de"),
        (100, "ro", "100 de"),
        (101, "ro", "101"),
        (1234, "ro", "1.234 de"),
        (30, "es", "30"),
    ],
)
def test_a_number_before_what_it_counts(value: int, language: str, written: str) -> None:
    assert counted(value, language) == written


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("es-MX", "es"),
        ("no", "nb"),
        ("nn-NO", "nb"),
        ("ro_RO", "ro"),
        ("EN", "en"),
        ("fr", None),
        ("", None),
        (None, None),
    ],
)
def test_language_tags(tag: str | None, language: str | None) -> None:
    assert normalise(tag) == language


@pytest.mark.parametrize(
    ("language", "three", "two"),
    [
        ("en", "a, b and c", "a and b"),
        ("es", "a, b y c", "a y b"),
        ("nb", "a, b og c", "a og b"),
        ("ro", "a, b și c", "a și b"),
    ],
)
def test_things_in_a_row(language: str, three: str, two: str) -> None:
    assert listed(["a", "b", "c"], language) == three
    assert listed(["a", "b"], language) == two
    assert listed(["a"], language) == "a"
    assert listed([], language) == ""


@pytest.mark.parametrize(
    ("language", "typed", "minor"),
    [
        ("nb", "49,90", 4990),
        ("nb", "1 249,50 kr", 124950),
        ("nb", "1.249", 124900),
        ("en", "49.90", 4990),
        ("en", "49,90", 4990),
        ("en", "1,249", 124900),
        ("en", "NOK 1,249.5", 124950),
        ("es", "1.249", 124900),
        ("ro", "49.9", 4990),
        ("ro", "1.249.000,00", 124900000),
    ],
)
def test_money_is_read_as_people_type_it(language: str, typed: str, minor: int) -> None:
    assert read_money(typed, "NOK", language) == minor


@pytest.mark.parametrize(
    "typed", ["", "-3", "1e5", "1.2.3", "1,24,500", "abc", "٣", "1,249,50", ".", ",5", "99999999999", "nan"]
)
def test_what_is_no_money_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="is "):
        read_money(typed, "NOK", "nb")


@given(
    st.integers(0, 2_147_483_647),
    st.sampled_from(["NOK", "EUR", "JPY", "KWD"]),
    st.sampled_from(["en", "es", "nb", "ro"]),
)
def test_money_is_read_back_as_shown(minor: int, currency: str, language: str) -> None:
    assert read_money(typed_money(minor, currency, language), currency, language) == minor
    assert read_money(money(minor, currency, language), currency, language) == minor
