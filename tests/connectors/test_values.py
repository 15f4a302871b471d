"""Numbers, dates and yes or no, as people in many places write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.connectors.csv import values

OSLO = ZoneInfo("Europe/Oslo")


@pytest.mark.parametrize(
    ("text", "decimal", "minor"),
    [
        ("2.55", ".", 255),
        ("2,55", ",", 255),
        ("1,234.50", ".", 123450),
        ("1.234,50", ",", 123450),
        ("1 234,50", ",", 123450),
        ("1\u00a0234,5", ",", 123450),
        ("1'234.50", ".", 123450),
        ("£2.55", ".", 255),
        ("kr 1 249,00", ",", 124900),
        ("NOK 99", ".", 9900),
        ("99,-", ",", 9900),
        ("99 lei", ".", 9900),
        ("-27.5", ".", -2750),
        ("(27.50)", ".", -2750),
        ("27.5-", ".", -2750),
        ("0.005", ".", 1),
        ("0.004", ".", 0),
        ("1234", ".", 123400),
    ],
)
def test_amount(text: str, decimal: str, minor: int) -> None:
    assert values.amount(text, decimal, 2) == minor


@pytest.mark.parametrize(
    "text", ["", "abc", "1,2,3 x 4", "1.2.3", "--", "nan", "12 34 56 kr 7a8", "99999999999"]
)
def test_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|large"):
        values.amount(text, ".", 2)


@given(st.integers(-(10**9), 10**9), st.sampled_from([".", ","]), st.booleans())
def test_amounts_come_back(minor: int, decimal: str, grouped: bool) -> None:
    grouping = "," if decimal == "." else "."
    whole, cents = divmod(abs(minor), 100)
    digits = f"{whole:,}".replace(",", grouping) if grouped else str(whole)
    text = f"{'-' if minor < 0 else ''}{digits}{decimal}{cents:02d}"
    assert values.amount(text, decimal, 2) == minor


@given(st.text(max_size=40), st.sampled_from([".", ","]))
def test_any_text_is_an_amount_or_said_not_to_be(text: str, decimal: str) -> None:
    try:
        assert abs(values.amount(text, decimal, 2)) <= values.LARGEST
        assert abs(values.whole(text, decimal)) <= values.LARGEST
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "decimal", "expected"),
    [("6", ".", 6), ("6.0", ".", 6), ("6,0", ",", 6), ("1 000", ".", 1000), ("-12", ".", -12)],
)
def test_whole(text: str, decimal: str, expected: int) -> None:
    assert values.whole(text, decimal) == expected


def test_two_and_a_half_is_not_whole() -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        values.whole("2.5", ".")


@pytest.mark.parametrize(
    ("texts", "sign"),
    [
        (["2.55", "3.39"], "."),
        (["2,55", "3,39"], ","),
        (["1.234,5"], ","),
        (["1,234.5"], "."),
        (["1.234.567"], ","),
        (["1.234"], None),
        (["0.001"], "."),
        (["12", "7"], None),
        ([], None),
    ],
)
def test_decimal_sign(texts: list[str], sign: str | None) -> None:
    assert values.decimal_sign(texts) == sign


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("2010-12-01 08:26:00", "ymd", datetime(2010, 12, 1, 7, 26, tzinfo=UTC)),
        ("2010-07-01T08:26", "ymd", datetime(2010, 7, 1, 6, 26, tzinfo=UTC)),
        ("2010-12-01T08:26:00Z", "ymd", datetime(2010, 12, 1, 8, 26, tzinfo=UTC)),
        ("2010-12-01 08:26:00.123 +0200", "ymd", datetime(2010, 12, 1, 6, 26, tzinfo=UTC)),
        ("12/1/2010 8:26", "mdy", datetime(2010, 12, 1, 7, 26, tzinfo=UTC)),
        ("12/1/2010 8:26", "dmy", datetime(2010, 1, 12, 7, 26, tzinfo=UTC)),
        ("12/1/10 8:26 PM", "mdy", datetime(2010, 12, 1, 19, 26, tzinfo=UTC)),
        ("1.12.2010 12:05 am", "dmy", datetime(2010, 11, 30, 23, 5, tzinfo=UTC)),
        ("01.12.2010 kl", "dmy", None),
        ("01.12.2010", "dmy", datetime(2010, 12, 1, 11, tzinfo=UTC)),
        ("19970101", "ymd", datetime(1997, 1, 1, 11, tzinfo=UTC)),
        ("20101201082600", "ymd", datetime(2010, 12, 1, 7, 26, tzinfo=UTC)),
        ("31.02.2010", "dmy", None),
        ("2010-12-01 25:00", "ymd", None),
        ("1850-01-01", "ymd", None),
        ("yesterday", "dmy", None),
        ("", "dmy", None),
    ],
)
def test_moment(text: str, order: str, expected: datetime | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="date"):
            values.moment(text, order, OSLO)
    else:
        assert values.moment(text, order, OSLO) == expected


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001
    st.sampled_from(
        [("%d.%m.%Y %H:%M:%S", "dmy"), ("%m/%d/%Y %H:%M:%S", "mdy"), ("%Y-%m-%d %H:%M:%S", "ymd")]
    ),
)
def test_moments_come_back(at: datetime, written: tuple[str, str]) -> None:
    pattern, order = written
    assert values.moment(at.strftime(pattern), order, ZoneInfo("UTC")) == at.replace(
        microsecond=0, tzinfo=UTC
    )


@given(st.text(max_size=30), st.sampled_from(["dmy", "mdy", "ymd"]))
def test_any_text_is_a_moment_or_said_not_to_be(text: str, order: str) -> None:
    try:
        values.moment(text, order, OSLO)
        values.calendar_day(text, order)
    except ValueError as error:
        assert str(error)
    assert values.date_order(text) in {None, "dmy", "mdy", "ymd"}


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("2010-12-01", "ymd"),
        ("20101201", "ymd"),
        ("13/12/2010", "dmy"),
        ("12/13/2010", "mdy"),
        ("12/1/2010", None),
        ("1.2.2010", "dmy"),
    ],
)
def test_date_order(text: str, order: str | None) -> None:
    assert values.date_order(text) == order


def test_a_birthday() -> None:
    assert values.calendar_day("3.5.1954", "dmy") == date(1954, 5, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17850.0", "17850"),
        ("17850,00", "17850"),
        ("A-17", "A-17"),
        ("nan", ""),
        (" NULL ", ""),
        ("1.5", "1.5"),
    ],
)
def test_reference(text: str, expected: str) -> None:
    assert values.reference(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes", True),
        ("JA", True),
        ("sí", True),
        ("da", True),
        ("1", True),
        ("no", False),
        ("nei", False),
        ("", None),
    ],
)
def test_yes_or_no(text: str, expected: bool | None) -> None:
    assert values.yes_or_no(text) is expected


def test_agreement_is_never_guessed() -> None:
    with pytest.raises(ValueError, match="neither"):
        values.yes_or_no("maybe")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Norway", "NO"),
        ("Norge", "NO"),
        ("no", "NO"),
        ("España", "ES"),
        ("Marea Britanie", None),
        ("EIRE", "IE"),
        ("", None),
    ],
)
def test_country(text: str, code: str | None) -> None:
    assert values.country(text) == (code or text or None)


@pytest.mark.parametrize(
    ("text", "code"),
    [("Español", "es"), ("spansk", "es"), ("norsk bokmål", "nb"), ("Romanian", "ro"), ("klingon", None)],
)
def test_language(text: str, code: str | None) -> None:
    assert values.language(text) == code
