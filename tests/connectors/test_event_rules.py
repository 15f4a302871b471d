"""The pure rules of what shops send: amounts, times, and that the order of arrival does not matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from babel.numbers import get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from rapport.connectors import reading, rules
from rapport.connectors.events import MOMENT, OrderEvent, currencies
from rapport.kit.errors import InvalidInputError

KINDS = st.sampled_from([kind for kind in rules.ORDER_OF_KINDS if kind != "refunded"])


@given(st.lists(KINDS), st.randoms())
def test_where_an_order_ends_does_not_depend_on_what_comes_first(kinds: list[str], random: object) -> None:
    def end(story: list[str]) -> str:
        status = "placed"
        for kind in story:
            status = rules.advance(status, kind)
        return status

    shuffled = list(kinds)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert end(shuffled) == end(kinds) == end(kinds + kinds)


@given(
    st.sampled_from(["NOK", "EUR", "JPY", "KWD", "USD", "CLP"]),
    st.integers(0, rules.LARGEST_MINOR),
)
def test_an_amount_survives_being_written(currency: str, minor: int) -> None:
    written = f"{Decimal(minor).scaleb(-get_currency_precision(currency)):f}"
    assert rules.minor_units(written, currency, "total") == minor
    assert rules.minor_units(Decimal(written), currency, "total") == minor
    assert rules.minor_units(f"-{written}", currency, "total") == -minor


@pytest.mark.parametrize(
    "amount", ["", "ten", "1,50", "1 000", "NaN", "Infinity", "1e400", None, True, 1.5, [], {}, "99999999999"]
)
def test_what_is_no_amount_is_refused(amount: object) -> None:
    with pytest.raises(InvalidInputError, match=r"^total: "):
        rules.minor_units(amount, "NOK", "total")


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)).map(lambda at: at.replace(microsecond=0)),  # noqa: DTZ001
    st.integers(-12 * 60, 13 * 60),
)
def test_a_time_survives_being_written(local: datetime, minutes: int) -> None:
    at = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert rules.moment(at.isoformat(), "at") == at
    assert MOMENT.match(at.isoformat())
    event = OrderEvent.model_validate(
        {"kind": "paid", "event_id": "1", "number": "1", "at": at.isoformat()}, strict=False
    )
    assert event.at == at
    assert event.at.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "zone", "meant"),
    [
        ("2026-05-04T09:30:00", None, "2026-05-04T09:30:00+00:00"),
        ("2026-05-04T09:30:00", "Europe/Oslo", "2026-05-04T07:30:00+00:00"),
        ("2026-05-04 09:30:00Z", "Europe/Oslo", "2026-05-04T09:30:00+00:00"),
        ("2026-05-04T09:30:00.123456789-05:00", None, "2026-05-04T14:30:00+00:00"),
        ("2026-05-04T09:30:00+0200", None, "2026-05-04T07:30:00+00:00"),
    ],
)
def test_times_with_and_without_a_zone(text: str, zone: str | None, meant: str) -> None:
    found = rules.moment(text, "at", ZoneInfo(zone) if zone else None)
    assert found == datetime.fromisoformat(meant)


@pytest.mark.parametrize("text", ["", "today", "2026-13-01T00:00:00", "0001-01-01T00:00:00+14:00", 5, None])
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(InvalidInputError, match=r"^at: "):
        rules.moment(text, "at")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"x"', b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000, b"webhook_id=1"]
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError, match="JSON"):
        reading.parse(body)


def test_amounts_in_a_body_are_exact() -> None:
    assert reading.parse(b'{"price": 0.1, "n": 3}') == {"price": Decimal("0.1"), "n": 3}


@given(st.text(max_size=40) | st.integers() | st.none() | st.lists(st.text(max_size=3), max_size=2))
def test_a_text_is_one_clean_line(value: object) -> None:
    found = reading.text({"field": value}, "field", 10)
    assert found is None or (0 < len(found) <= 10 and found.isprintable() and found == found.strip())


def test_the_worlds_currencies_are_known() -> None:
    assert {"NOK", "EUR", "RON", "JPY", "HRK"} <= set(currencies())


@pytest.mark.parametrize("number", ["1e999999999", "-1e999999999", "1e13", "1.5", "1e-999999999", "true"])
def test_no_number_takes_for_ever_to_read(number: str) -> None:
    payload = reading.parse(f'{{"quantity": {number}}}'.encode())
    with pytest.raises(InvalidInputError, match="quantity: is no whole number"):
        reading.whole(payload, "quantity")


@pytest.mark.parametrize(("number", "read"), [("2.0", 2), ("2e3", 2000), ("0e999999999", 0), ("7", 7)])
def test_a_whole_number_may_be_written_otherwise(number: str, read: int) -> None:
    assert reading.whole(reading.parse(f'{{"quantity": {number}}}'.encode()), "quantity") == read
