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


@pytest.mark.parametrize(
    ("kind", "intent", "new"),
    [
        ("change_order", "get_refund", False),
        ("change_order", "complaint", False),
        ("change_order", "change_order", False),
        ("change_order", "edit_account", True),
        ("get_refund", "change_shipping_address", True),
        ("set_up_shipping_address", "change_shipping_address", False),
        ("set_up_shipping_address", "edit_account", False),
        ("set_up_shipping_address", "complaint", True),
        ("edit_account", "get_refund", True),
        ("edit_account", "nlu_fallback", False),
        ("edit_account", "inform_email", False),
    ],
)
def test_another_wish_is_no_description(kind: str, intent: str, new: bool) -> None:
    assert requests.begins_another(kind, intent) is new


@pytest.mark.parametrize(
    ("kind", "message", "number", "enough"),
    [
        ("change_order", "please change order FJ-10001", "FJ-10001", False),
        (
            "change_order",
            "in order 10001 I need the jacket in size L instead of size M",
            "FJ-10001",
            True,
        ),
        ("change_order", "I would like to change my order number 10001, please", "FJ-10001", False),
        (
            "get_refund",
            "quiero el dinero del pedido porque la cremallera se rompió el primer día",
            None,
            True,
        ),
        ("edit_account", "change my phone", None, False),
        ("edit_account", "I would really like to change the phone number that you have", None, False),
        ("edit_account", "change my phone to 41 23 45 67", None, True),
        ("edit_account", "my e-mail is now ann@new.example", None, True),
        (
            "change_shipping_address",
            "change my address for order 10001 to Storgata 5, Oslo",
            "FJ-10001",
            True,
        ),
        ("change_shipping_address", "change the address for order 10001", "FJ-10001", False),
        ("change_shipping_address", "I moved on the 3rd of May, change the address please", None, False),
        ("cancel_order", "cancel it, I ordered the wrong size and found it cheaper elsewhere", None, False),
        ("change_order", None, None, False),
    ],
)
def test_what_the_first_message_tells_already(
    kind: str, message: str | None, number: str | None, enough: bool
) -> None:
    assert requests.told(kind, message, number) == (message if enough else None)


@pytest.mark.parametrize(
    "address",
    [
        "to Storgata 5, Oslo",
        "Storgata 5B, 0155 Oslo",
        "bestill til Bjørnsons gate 12, 0475 Oslo",
        "a Calle Mayor 3, 28013 Madrid",
        "Calle Mayor, nº 3, Madrid",
        "la Strada Florilor nr. 12, București",
        "to 12 High Street, London",
    ],
)
def test_addresses(address: str) -> None:
    assert requests.names_an_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "I ordered 2 Vidda tents last week",
        "the Vidda 3 should go elsewhere",
        "I moved on the 3rd of May",
        "me he mudado el 3 de mayo",
        "vi flyttet til Oslo 3. mai",
        "order 10001 Oslo",
        "",
    ],
)
def test_numbers_that_are_no_address(text: str) -> None:
    assert not requests.names_an_address(text)


@pytest.mark.parametrize(
    ("kind", "details", "usable"),
    [
        ("change_order", "M", False),
        ("change_order", " . . ", False),
        ("change_order", "size M", True),
        ("get_refund", "the tent leaks", True),
        ("change_shipping_address", "Oslo", False),
        ("change_shipping_address", "Storgata 5", True),
        ("set_up_shipping_address", "Karl Johans gate", True),
        ("edit_account", "ann@new.example", True),
        ("edit_account", "???", False),
    ],
)
def test_details_must_have_something_in_them(kind: str, details: str, usable: bool) -> None:
    assert requests.usable(kind, details) is usable


@pytest.mark.parametrize(
    ("message", "only"),
    [
        ("10002", True),
        ("no, I meant order #10002!", True),
        ("FJ-10002", True),
        ("no, el pedido 10002", True),
        ("order 10002 came with the wrong boots", False),
        ("Calle Mayor 3, 10002 Some Town", False),
    ],
)
def test_a_message_that_only_names_an_order(message: str, only: bool) -> None:
    assert requests.only_names_an_order(message, "10002") is only


@pytest.mark.parametrize(
    ("message", "negated"),
    [
        ("don't cancel it", True),
        ("no lo canceles", True),
        ("ikke kanseller den", True),
        ("nu o anula", True),
        ("n-o anula", True),
        ("yes, cancel it now, in November", False),
        ("sí, cancélalo, nota aparte", False),
        ("ja, kanseller den nå", False),
        ("da, anuleaz-o", False),
    ],
)
def test_not_wanting_it(message: str, negated: bool) -> None:
    assert requests.negated(message) is negated


def test_a_case_holds_what_was_said() -> None:
    opening = "Please cancel my order, I found out that I already have the very same tent"
    assert requests.case_text(opening, None) == opening
    assert requests.case_text("cancel", None) == "cancel"
    assert requests.case_text(None, None) == ""
    assert requests.case_text("change it", "size M") == "size M"
    assert requests.case_text(opening, "size M") == f"{opening}\n\nsize M"
    assert requests.case_text(opening, opening) == opening
