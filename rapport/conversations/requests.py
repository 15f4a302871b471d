"""What customers may ask the shop's people to do, and what each request needs: a table and pure rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from rapport.conversations.rules import WORDS_OF_A_STORY
from rapport.shop.models import ORDER_STATUSES

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
    details: Literal["story", "address", "data", "points"] | None = None
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
    "redeem_points": Kind(details="points", confirm=True),
}
# The message that opened a request was understood as the request itself, or as this.
ALSO_OPENED_BY = {"set_up_shipping_address": "change_shipping_address"}
WISHES = {*KINDS, "complaint"}


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


def key(message_key: str, kind: str) -> str:
    """The idempotency key of a request: a message may ask for several things, but for each of them once."""
    return f"{message_key}:{kind}"


def case_text(opening: str | None, details: str | None) -> str:
    """What the shop's people read: what was said at the start, unless it says no more than the details do."""
    if details is None or not opening or details == opening:
        return details or opening or ""
    return f"{opening}\n\n{details}" if len(opening.split()) >= WORDS_OF_A_STORY else details
