"""The forms of the shop's facts: what is shown in their fields, and what is read from them.

A field is called as pydantic calls the place (`0.text.en`), so that a mistake is shown where it is. Whether
values make sense is decided by the models that check the files; here `49,90` only becomes 4990.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rapport.console.i18n import mark
from rapport.console.settings_reader import MOST_ROWS, Fields, Reader, slug
from rapport.kit.format import typed_money
from rapport.shop.facts import ShopFacts
from rapport.shop.hours import MINUTES_A_DAY, WEEKDAYS, Span, clock_time

# Places for the hours of a day: before and after a break, and as many as a file may have.
SPANS = 2
MOST_SPANS = 4


@dataclass(frozen=True)
class Form:
    """A section's form. `show` makes fields of a value as it is stored, `read` the other way round."""

    key: str
    title: str
    help: str
    show: Callable[[Any, str, str], Fields]
    read: Callable[[Reader], Any]
    rows: bool = False  # it has rows that are added, removed and moved


def moved(fields: Fields, do: str) -> Fields | None:
    """The fields after `add`, `remove.2` or `up.2`; None when `do` is none of these."""
    count = int(fields.get("rows", "0"))
    kind, _, number = do.partition(".")
    rows = [
        {name.partition(".")[2]: value for name, value in fields.items() if name.startswith(f"{row}.")}
        for row in range(count)
    ]
    others = {name: value for name, value in fields.items() if not name.split(".")[0].isdigit()}
    place = int(number) if number.isascii() and number.isdigit() else -1
    if kind == "add" and count < MOST_ROWS:
        rows.append({})
    elif kind == "remove" and 0 <= place < count:
        del rows[place]
    elif kind == "up" and 0 < place < count:
        rows[place - 1 : place + 1] = reversed(rows[place - 1 : place + 1])
    else:
        return None
    placed = {f"{row}.{name}": value for row, part in enumerate(rows) for name, value in part.items()}
    return {**others, "rows": str(len(rows)), **placed}


def _flat(value: Any, name: str = "") -> Fields:
    """Texts and numbers by their places."""
    match value:
        case dict():
            parts = value.items()
        case list():
            parts = enumerate(value)  # type: ignore[assignment]
        case None:
            return {name: ""}
        case _:
            return {name: str(value)}
    flat: Fields = {"rows": str(len(value))} if isinstance(value, list) and not name else {}
    for key, part in parts:
        flat |= _flat(part, f"{name}.{key}" if name else str(key))
    return flat


def _show(value: Any, currency: str, language: str) -> Fields:
    return {
        name: typed_money(int(text), currency, language) if name.endswith("_minor") and text else text
        for name, text in _flat(value).items()
    }


def _show_hours(value: Any, _currency: str, _language: str) -> Fields:
    fields: Fields = {}
    for day in WEEKDAYS:
        for number, written in enumerate(value.get(day, [])):
            span = Span.model_validate(written)
            fields[f"{day}.{number}.opens"] = _input_time(span.opens)
            fields[f"{day}.{number}.closes"] = _input_time(span.closes)
    closed = value.get("closed", [])
    fields["rows"] = str(len(closed))
    for number, away in enumerate(closed):
        fields[f"{number}.first"] = away["first"]
        fields[f"{number}.last"] = away.get("last") or ""
        fields[f"{number}.yearly"] = "yes" if away.get("yearly") else ""
    return fields


def _input_time(minute: int) -> str:
    """As a field for a time has it, which knows no 24:00."""
    return clock_time(minute % MINUTES_A_DAY).zfill(5)


def _read_hours(reader: Reader) -> Any:
    value: dict[str, Any] = {}
    for day in WEEKDAYS:
        spans = []
        for number in range(MOST_SPANS):
            opens, closes = (reader.text(f"{day}.{number}.{end}") for end in ("opens", "closes"))
            if opens or closes:
                spans.append(f"{opens}-{'24:00' if closes == '00:00' else closes}")
        value[day] = spans
    value["closed"] = [
        {
            "first": reader.text(f"{row}.first"),
            "last": reader.optional(f"{row}.last"),
            "yearly": bool(reader.text(f"{row}.yearly")),
        }
        for row in reader.rows()
    ]
    return value


def _read_contact(reader: Reader) -> Any:
    return {"email": reader.text("email"), "phone": reader.text("phone")}


def _read_delivery(reader: Reader) -> Any:
    taken: set[str] = set()
    return [
        {
            "key": slug(reader.text(f"{row}.key"), taken, "option"),
            "price_minor": reader.money(f"{row}.price_minor"),
            "free_from_minor": reader.money(f"{row}.free_from_minor"),
            "min_days": reader.optional(f"{row}.min_days"),
            "max_days": reader.optional(f"{row}.max_days"),
            "text": reader.texts(f"{row}.text"),
        }
        for row in reader.rows()
    ]


def _read_payment(reader: Reader) -> Any:
    taken: set[str] = set()
    return [
        {
            "key": slug(reader.text(f"{row}.key") or reader.text(f"{row}.name.en"), taken, "method"),
            "name": reader.texts(f"{row}.name"),
        }
        for row in reader.rows()
    ]


def _read_refunds(reader: Reader) -> Any:
    return {"days": reader.optional("days"), "how": reader.texts("how")}


def _show_club(value: Any, currency: str, language: str) -> Fields:
    numbers = {name: part for name, part in value.items() if name != "tiers"}
    return _show(numbers, currency, language) | _show(value["tiers"], currency, language)


def _read_club(reader: Reader) -> Any:
    taken: set[str] = set()
    return {
        **{name: reader.money(name) for name in ("per_minor", "point_value_minor")},
        **{
            name: reader.optional(name)
            for name in ("points", "expires_after_days", "grace_days", "tier_days")
        },
        "tiers": [
            {
                "key": slug(reader.text(f"{row}.key") or reader.text(f"{row}.name.en"), taken, "level"),
                "from_points": reader.optional(f"{row}.from_points"),
                "name": reader.texts(f"{row}.name"),
            }
            for row in reader.rows()
        ],
    }


FORMS = {
    form.key: form
    for form in (
        Form(
            "hours",
            mark("Opening hours"),
            mark("When people answer. What customers read is made from this table."),
            _show_hours,
            _read_hours,
            rows=True,
        ),
        Form("contact", mark("Contact"), mark("How customers reach you."), _show, _read_contact),
        Form(
            "delivery",
            mark("Delivery"),
            mark("The ways to get an order, with prices and times."),
            _show,
            _read_delivery,
            rows=True,
        ),
        Form(
            "payment",
            mark("Payment"),
            mark("The ways to pay."),
            _show,
            _read_payment,
            rows=True,
        ),
        Form(
            "refunds",
            mark("Returns"),
            mark("How long things can be sent back, and how."),
            _show,
            _read_refunds,
        ),
        Form(
            "club",
            mark("Customer club"),
            mark("How points are earned, what they are worth, and the levels."),
            _show_club,
            _read_club,
            rows=True,
        ),
    )
}


def spans(fields: Fields) -> range:
    """How many hours a day has places for."""
    more = any(f"{day}.{number}.opens" in fields for day in WEEKDAYS for number in range(SPANS, MOST_SPANS))
    return range(MOST_SPANS if more else SPANS)


def stored(facts: ShopFacts, part: str) -> Any:
    """A part of the facts as it is stored."""
    return facts.model_dump(mode="json")[part]
