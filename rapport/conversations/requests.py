"""What customers may ask the shop's people to do, and what each request needs: a table and pure rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from rapport.conversations.rules import WORDS_OF_A_STORY
from rapport.shop.models import ORDER_STATUSES
from rapport.shop.rules import plain_number

# "No, I meant order 10002" only names an order; with more words beside the number, it says something of it.
WORDS_BESIDE_A_NUMBER = 4
SHORTEST_DETAILS = 3
WORDS_OF_AN_ADDRESS = 3
WORDS_OF_NEW_DATA = 5

OPEN = frozenset({"placed", "paid"})
ANY = frozenset(ORDER_STATUSES)


@dataclass(frozen=True)
class Kind:
    """What a request needs before a colleague can act on it.

    `statuses`: of the orders it can be about; None, it is about no order. `newest`: the last order is meant
    when none is named. `details`: what must be told, in the customer's words. `confirm`: a yes is needed.
    `repeatable`: another request of the kind with other details is not the same one.
    """

    statuses: frozenset[str] | None = None
    newest: bool = False
    details: Literal["story", "address", "data"] | None = None
    confirm: bool = False
    repeatable: bool = False


KINDS = {
    "cancel_order": Kind(OPEN, confirm=True),
    "change_order": Kind(OPEN, details="story", repeatable=True),
    "change_shipping_address": Kind(OPEN, details="address", repeatable=True),
    "set_up_shipping_address": Kind(details="address", repeatable=True),
    "get_refund": Kind(frozenset({"paid", "shipped", "delivered"}), details="story"),
    "get_invoice": Kind(ANY),
    "reorder": Kind(ANY, newest=True, confirm=True),
    "edit_account": Kind(details="data", repeatable=True),
    "delete_account": Kind(confirm=True),
    "export_data": Kind(),
    "redeem_points": Kind(confirm=True),
}
# The message that opened a request was understood as the request itself, or as this.
ALSO_OPENED_BY = {"set_up_shipping_address": "change_shipping_address"}
# Asked for details, a customer may answer with what is understood as some of these; the others are new.
WISHES = {*KINDS, "complaint"}
MAY_DESCRIBE = {
    "story": {"change_order", "get_refund", "complaint"},
    "address": {"change_shipping_address", "set_up_shipping_address", "edit_account"},
    "data": {"edit_account", "change_shipping_address", "set_up_shipping_address"},
}
# Between a street and its number: "Str. Florilor nr. 12". And streets whose last word is written small.
NUMBER_WORDS = re.compile(r"n[ro]\.?|nº|núm\.?|number|número|nummer|numărul", re.IGNORECASE)
SMALL_STREETS = {"gate", "gata", "vei", "veien", "veg", "plass", "allé"}
NEGATIONS = re.compile(r"\b(?:no|not|don['’]?t|never|nunca|tampoco|nei|ikke|aldri|nu|n-)\b", re.IGNORECASE)


class AnOrder(Protocol):
    """What the rules need to know of an order."""

    @property
    def status(self) -> str: ...


Order = TypeVar("Order", bound=AnOrder)


def possible(kind: str, orders: Iterable[Order]) -> list[Order]:
    """Those of the orders the request can be about."""
    statuses = KINDS[kind].statuses or ()
    return [order for order in orders if order.status in statuses]


def refusal(kind: str, status: str) -> str | None:
    """Why an order of that status can't have this done: cancelled, refunded, unsent, too_late; or None."""
    if kind == "get_refund" and status in OPEN:
        return "unsent"  # it is cancelled rather than sent back
    if status in (KINDS[kind].statuses or ()):
        return None
    return status if status in ("cancelled", "refunded") else "too_late"


def begins_another(kind: str, intent: str) -> bool:
    """Whether a message understood as `intent` is a wish of its own rather than the details asked for."""
    details = KINDS[kind].details
    return intent in WISHES and intent != kind and (details is None or intent not in MAY_DESCRIBE[details])


def told(kind: str, message: str | None, number: str | None = None) -> str | None:
    """The details in the message that opened the request, if they are in it already.

    A description is told in ten words, a change of data when something new stands in it, an address when
    there is a street with its number and a place. Whoever said less is asked.
    """
    said = without_number(message or "", number)
    match KINDS[kind].details:
        case "story":
            enough = len(said.split()) >= WORDS_OF_A_STORY
        case "data":
            enough = len(said.split()) >= WORDS_OF_NEW_DATA and bool(re.search(r"[\d@]", said))
        case "address":
            enough = names_an_address(said)
        case None:
            enough = False
    return message if enough else None


def usable(kind: str, details: str) -> bool:
    """Whether what was answered to the question for details can be passed on."""
    text = details.strip()
    if len(text) < SHORTEST_DETAILS or not re.search(r"\w", text):
        return False
    if KINDS[kind].details == "address":
        return bool(re.search(r"\d", text)) or len(text.split()) >= WORDS_OF_AN_ADDRESS
    return True


def only_names_an_order(message: str, number: str) -> bool:
    """Whether a message ("no, I meant 10002") does no more than name an order."""
    return len(without_number(message, number).split()) <= WORDS_BESIDE_A_NUMBER


def without_number(message: str, number: str | None) -> str:
    """A message without the words an order number stands in."""
    wanted = re.sub(r"\D", "", number or "")
    if not wanted:
        return message
    return " ".join(word for word in message.split() if re.sub(r"\D", "", plain_number(word)) != wanted)


def names_an_address(text: str) -> bool:
    """Whether there is a street with its number and a place: "Storgata 5, Oslo" or "12 High Street, London".

    People name tents, days and sums with numbers, too, so only capitals around the number count.
    """
    words = [word for word in re.split(r"[\s,;]+", text) if word and not _stands_between(word)]
    for place, word in enumerate(words):
        if not re.fullmatch(r"\d{1,4}[A-Za-z]?", word):
            continue
        after = [_is_name(name) for name in words[place + 1 : place + 4]]
        if place and _is_street(words[place - 1]) and after[:1] == [True]:
            return True
        if after == [True, True, True]:
            return True
    return False


def _stands_between(word: str) -> bool:
    """A postcode, or a word for "number"."""
    return bool(re.fullmatch(r"\d{4,6}", word) or NUMBER_WORDS.fullmatch(word))


def _is_street(word: str) -> bool:
    return _is_name(word) or word in SMALL_STREETS


def _is_name(word: str) -> bool:
    return len(word) > 1 and word[0].isupper()


def negated(message: str) -> bool:
    """Whether "don't cancel it" is meant. Understood as an intent, it is the same as "cancel it"."""
    return bool(NEGATIONS.search(message))


def key(message_key: str, kind: str) -> str:
    """The idempotency key of a request: a message may ask for several things, but for each of them once."""
    return f"{message_key}:{kind}"


def case_text(opening: str | None, details: str | None) -> str:
    """What the shop's people read: what was said at the start, unless it says no more than the details do."""
    if details is None or not opening or details == opening:
        return details or opening or ""
    return f"{opening}\n\n{details}" if len(opening.split()) >= WORDS_OF_A_STORY else details
