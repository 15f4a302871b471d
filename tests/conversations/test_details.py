"""What counts as having said what a request must tell."""

from __future__ import annotations

import pytest

from rapport.conversations import addresses, details


@pytest.mark.parametrize(
    ("kind", "intent", "text", "fits"),
    [
        ("change_order", "get_refund", "the boots were too small", True),
        ("change_order", "change_order", "can I have size M instead?", True),
        ("change_order", "edit_account", "change my phone number", False),
        ("change_order", "ask_product", "the blue Gaupe 65 instead of the red one", True),
        ("change_order", "ask_product", "is the Vidda 2 waterproof", False),
        ("change_order", "nlu_fallback", "size M", True),
        ("change_order", "nlu_fallback", "perdona un momento", False),
        ("change_order", "ask_points_balance", "I would like to know my points", False),
        ("get_refund", "check_refund_policy", "den var for liten over skuldrene", True),
        ("get_refund", "check_refund_policy", "hvor lenge kan jeg returnere", False),
        ("get_refund", "change_shipping_address", "send it to another address", False),
        ("get_refund", "out_of_scope", "when I opened it the zip was already broken", True),
        ("get_refund", "out_of_scope", "what do you mean", False),
        ("set_up_shipping_address", "change_shipping_address", "to my mother's", True),
        ("set_up_shipping_address", "complaint", "the parcel never came", False),
        ("set_up_shipping_address", "ask_product", "hm, and is the Vidda 2 waterproof?", False),
        ("set_up_shipping_address", "ask_product_tips", "how do I wash a down jacket", False),
        ("set_up_shipping_address", "track_order", "Storgata 5, 0155 Oslo", True),
        ("set_up_shipping_address", "out_of_scope", "calle toledo 4, 28005 madrid", True),
        ("edit_account", "get_refund", "I want my money back", False),
        ("edit_account", "nlu_fallback", "my name is now Ann Smith", True),
        ("edit_account", "out_of_scope", "41 23 45 67", True),
        ("edit_account", "out_of_scope", "what do you mean", False),
        ("edit_account", "out_of_scope", "you absolute idiot", False),
        ("edit_account", "inform_email", "ann@new.example", True),
    ],
)
def test_not_all_that_is_said_are_details(kind: str, intent: str, text: str, fits: bool) -> None:
    assert details.may_be_details(kind, intent, text) is fits


def test_a_remark_is_another_wish_only_if_it_is_surely_one() -> None:
    remark = "it took far too long and by now I bought another one"
    assert details.may_be_details("get_refund", "reorder", remark, sure=0.5)
    assert not details.may_be_details("get_refund", "reorder", remark, sure=0.95)


@pytest.mark.parametrize(
    ("message", "product", "enough"),
    [
        ("add 2 more socks to order 10001 pls", False, True),
        ("legg til en ekstra drikkeflaske i bestillinga", True, True),
        ("la chaqueta en M en vez de L", True, True),
        ("adaugă un cort la comandă", True, True),
        ("I want to change the boots in my order", True, False),
        ("add something to order 10001", False, False),
    ],
)
def test_a_change_is_told_in_few_words(message: str, product: bool, enough: bool) -> None:
    assert details.told("change_order", message, "FJ-10001", product) == (message if enough else None)


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
        ("edit_account", "vreau factura pe FJ-10234 si sa schimb numarul de telefon", None, False),
        ("edit_account", "'; UPDATE account SET points = 99999; --", None, False),
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
    assert details.told(kind, message, number) == (message if enough else None)


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
    assert addresses.names_an_address(address)


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
    assert not addresses.names_an_address(text)


@pytest.mark.parametrize(
    ("kind", "answer", "usable"),
    [
        ("change_order", "M", False),
        ("change_order", " . . ", False),
        ("change_order", "size M", True),
        ("get_refund", "the tent leaks", True),
        ("change_shipping_address", "Oslo", False),
        ("change_shipping_address", "Storgata 5", False),
        ("change_shipping_address", "Storgata 5, Oslo", True),
        ("set_up_shipping_address", "Karl Johans gate", False),
        ("edit_account", "ann@new.example", True),
        ("edit_account", "???", False),
    ],
)
def test_details_must_have_something_in_them(kind: str, answer: str, usable: bool) -> None:
    assert details.usable(kind, answer) is usable


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
    assert details.only_names_an_order(message, "10002") is only


@pytest.mark.parametrize(
    "text",
    [
        "storgata 5 oslo",
        "calle toledo 4, 28005 madrid",
        "Calle Mayor s/n, Toledo",
        "0155 Oslo, Storgata 5",
        "Vestre Gård, 2870 Dokka",
        "bulevardul unirii 12 bl 4 sc 2 ap 10 bucurești",
    ],
)
def test_whole_addresses(text: str) -> None:
    assert addresses.is_whole(text)


@pytest.mark.parametrize(
    "text",
    [
        "a casa de mi madre",
        "el termo es malísimo, no os lo recomiendo",
        "Storgata 14",
        "vreau factura pe FJ-10234 si sa schimb numarul de telefon",
        "Harbour Lane 14",
        "28013 Madrid",
        "hm, and is the Vidda 2 waterproof?",
    ],
)
def test_no_parcel_would_find_there(text: str) -> None:
    assert not addresses.is_whole(text)


@pytest.mark.parametrize(
    ("text", "number", "part"),
    [
        ("mandadlo mejor a Calle Toledo 4, 28005 Madrid", "28005", True),
        ("mejor a calle toledo 4, 28005 madrid", "28005", True),
        ("change order 10009 to Storgata 5, Oslo", "10009", False),
        ("bestilling #10009 skal til Storgata 5, Oslo", "10009", False),
        ("change the address for 10009", "10009", False),
        ("FJ-10009 to Storgata 5, Oslo", "FJ-10009", False),
    ],
)
def test_a_number_of_an_address(text: str, number: str, part: bool) -> None:
    assert addresses.is_of_an_address(text, number) is part


@pytest.mark.parametrize(
    ("message", "only"),
    [
        ("sorry, I meant order 10002", True),
        ("nei, jeg mente bestilling 10002", True),
        ("no, me refería al pedido 10002", True),
        ("nu, comanda 10002", True),
        ("cancel 10002", False),
        ("no, mejor la factura del 10002", False),
    ],
)
def test_another_order_is_meant(message: str, only: bool) -> None:
    assert details.corrects_the_order(message, "10002") is only
