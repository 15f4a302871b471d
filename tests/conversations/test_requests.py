"""What each request needs, and what counts as having said it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rapport.conversations import requests
from rapport.conversations.requests import KINDS
from rapport.shop.models import ORDER_STATUSES


@dataclass(frozen=True)
class Order:
    status: str


def test_only_these_orders_come_into_question() -> None:
    orders = [Order(status) for status in ORDER_STATUSES]
    fit = {kind: [order.status for order in requests.possible(kind, orders)] for kind in KINDS}
    assert fit["cancel_order"] == fit["change_order"] == ["placed", "paid"]
    assert fit["change_shipping_address"] == ["placed", "paid"]
    assert fit["get_refund"] == ["paid", "shipped", "delivered"]
    assert fit["get_invoice"] == fit["reorder"] == list(ORDER_STATUSES)
    assert fit["edit_account"] == fit["export_data"] == []


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        ("cancel_order", (None, None, "too_late", "too_late", "cancelled", "refunded")),
        ("change_order", (None, None, "too_late", "too_late", "cancelled", "refunded")),
        ("change_shipping_address", (None, None, "too_late", "too_late", "cancelled", "refunded")),
        ("get_refund", ("unsent", "unsent", None, None, "cancelled", "refunded")),
        ("get_invoice", (None, None, None, None, None, None)),
        ("reorder", (None, None, None, None, None, None)),
    ],
)
def test_why_an_order_is_not_fit(kind: str, reasons: tuple[str | None, ...]) -> None:
    assert tuple(requests.refusal(kind, status) for status in ORDER_STATUSES) == reasons


def test_a_case_holds_what_was_said() -> None:
    opening = "Please cancel my order, I found out that I already have the very same tent"
    assert requests.case_text(opening, None) == opening
    assert requests.case_text("cancel", None) == "cancel"
    assert requests.case_text(None, None) == ""
    assert requests.case_text("change it", "size M") == "size M"
    assert requests.case_text(opening, "size M") == f"{opening}\n\nsize M"
    assert requests.case_text(opening, opening) == opening
