"""Reading the JSON of shops: what is missing or odd is an error that names the field."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from rapport.connectors.events import OrderEvent
from rapport.customers.rules import normalise_email
from rapport.kit.errors import InvalidInputError

# The power of ten of the largest number read.
MOST_DIGITS = 12


def parse(body: bytes) -> dict[str, Any]:
    """The object in a body; its numbers are exact. Raises InvalidInputError."""
    try:
        found = json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidInputError("the body is no JSON") from None
    if not isinstance(found, dict):
        raise InvalidInputError("the body is no JSON object")
    return found


def _refuse(name: str) -> Any:
    raise ValueError(name)


def records(payload: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """The list of objects in a field; none when it is missing."""
    found = payload.get(field) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise InvalidInputError(f"{field}: is no list of objects")
    return found


def record(payload: dict[str, Any], field: str) -> dict[str, Any]:
    """The object in a field; an empty one when it is missing."""
    found = payload.get(field) or {}
    if not isinstance(found, dict):
        raise InvalidInputError(f"{field}: is no object")
    return found


def text(payload: dict[str, Any], field: str, longest: int) -> str | None:
    """A text or whole number as one line of at most so many letters; None when it is missing or empty."""
    found = payload.get(field)
    if found is None or isinstance(found, bool | list | dict):
        return None
    line = " ".join("".join(letter for letter in str(found) if letter.isprintable()).split())
    return line[:longest].strip() or None


def needed(payload: dict[str, Any], field: str, longest: int = 60) -> str:
    """The same, where it may not be missing, and is not cut short. Raises InvalidInputError."""
    found = text(payload, field, longest + 1)
    if found is None:
        raise InvalidInputError(f"{field}: is missing")
    if len(found) > longest:
        raise InvalidInputError(f"{field}: is too long")
    return found


def only_id(payload: dict[str, Any]) -> str:
    """The id of what was deleted, which is all such a body holds. Raises InvalidInputError.

    The signature is of the body and not of the topic: an order's own body under this topic is no deletion.
    """
    if payload.keys() != {"id"}:
        raise InvalidInputError("id: is not all there is; what was deleted is told of by its id alone")
    return needed(payload, "id")


def whole(payload: dict[str, Any], field: str) -> int:
    """A whole number; 0 when it is missing."""
    found = payload.get(field) or 0
    # 1e999999999 is one, too, and takes for ever to write out.
    if isinstance(found, Decimal) and found.adjusted() <= MOST_DIGITS and found == found.to_integral_value():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int):
        raise InvalidInputError(f"{field}: is no whole number")
    return found


def address(payload: dict[str, Any], field: str) -> str | None:
    """An e-mail address; None when it is missing or is none: an order counts all the same."""
    found = text(payload, field, 320)
    return found if found and normalise_email(found) else None


def event(
    source: str, kind: str, reference: str, number: str | None, at: datetime, *, event_id: str, **more: Any
) -> OrderEvent:
    """An event of an order, as OrderEvent has it. Raises InvalidInputError that names the field."""
    told = {"source": source, "kind": kind, "reference": reference, "number": number, "at": at}
    try:
        return OrderEvent.model_validate({**told, "event_id": event_id, **more})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        said = str(first["msg"]).removeprefix("Value error, ")
        raise InvalidInputError(f"{place}: {said}" if place else said) from None


def state_id(reference: str, at: datetime, details: dict[str, Any]) -> str:
    """The id of the event that an order looks like this: two changes may share a second."""
    digest = hashlib.sha256(json.dumps(details, default=str, sort_keys=True).encode()).hexdigest()[:12]
    return f"{reference}:{at:%Y%m%dT%H%M%S}:{digest}"
