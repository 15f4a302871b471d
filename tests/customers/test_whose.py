"""An address opens nobody's door: who an order or a row of a file is about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rapport.connectors import people
from rapport.connectors.lines import Who
from rapport.customers import rules
from rapport.customers.models import Customer, Identity
from rapport.customers.service import ensure_customer, find_by_identity, find_customer
from rapport.kit import clock
from rapport.kit.settings import get_settings

ANN, MALLORY = "ann@customer.example", "mallory@customer.example"
PHONE = "+4791234567"


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def ann(session: Session) -> Customer:
    return ensure_customer(
        session, references=[("woocommerce", "3")], identities=[("email", ANN)], name="Ann", language="nb"
    )


def addresses(session: Session, customer: Customer) -> list[str]:
    query = select(Identity.value).where(Identity.customer_id == customer.id).order_by(Identity.id)
    return list(session.scalars(query))


@pytest.mark.parametrize(
    ("named", "by_reference", "by_address", "may_join", "expected"),
    [
        (False, None, None, False, None),
        (False, None, "ann", False, "ann"),
        (True, None, None, False, None),
        (True, None, "ann", False, None),
        (True, None, "ann", True, "ann"),
        (True, "bob", None, False, "bob"),
        (True, "bob", "ann", False, "bob"),
        (True, "bob", "ann", True, "bob"),
    ],
)
def test_the_rule(
    named: bool, by_reference: str | None, by_address: str | None, may_join: bool, expected: str | None
) -> None:
    assert rules.whose(named, by_reference, by_address, may_join) == expected


def test_a_new_account_with_somebodys_address_is_somebody_else(session: Session) -> None:
    owner = ann(session)
    mallory = ensure_customer(
        session, references=[("woocommerce", "7")], identities=[("email", ANN)], name="Mallory"
    )
    assert mallory is not owner
    assert addresses(session, mallory) == []
    assert (owner.name, owner.language) == ("Ann", "nb")
    # Their own address is theirs, and theirs alone.
    ensure_customer(session, references=[("woocommerce", "7")], identities=[("email", MALLORY)])
    assert addresses(session, mallory) == [MALLORY]
    assert addresses(session, owner) == [ANN]


def test_an_address_typed_for_a_present_is_not_added_to_one_who_has_one(session: Session) -> None:
    owner = ann(session)
    again = ensure_customer(
        session,
        references=[("woocommerce", "3")],
        identities=[("email", "friend@customer.example"), ("phone", PHONE)],
    )
    assert again is owner
    assert addresses(session, owner) == [ANN, PHONE]
    assert find_by_identity(session, "email", "friend@customer.example") is None


def test_an_address_alone_overwrites_and_adds_nothing(session: Session) -> None:
    owner = ann(session)
    guest = ensure_customer(
        session,
        identities=[("email", ANN.upper()), ("phone", PHONE)],
        name="Mallory",
        language="ro",
        country="RO",
    )
    assert guest is owner
    assert (owner.name, owner.language, owner.country) == ("Ann", "nb", None)
    assert addresses(session, owner) == [ANN]


def test_a_phone_number_beside_a_new_address_opens_no_door_either(session: Session) -> None:
    owner = ensure_customer(session, references=[("woocommerce", "3")], identities=[("phone", PHONE)])
    guest = ensure_customer(session, identities=[("email", MALLORY), ("phone", PHONE)])
    assert guest is not owner
    assert addresses(session, guest) == [MALLORY]
    assert ensure_customer(session, identities=[("phone", PHONE)]) is owner


def test_a_system_that_vouches_for_its_addresses_joins(session: Session) -> None:
    owner = ann(session)
    references, identities = [("shopify", "81")], [("email", ANN)]
    assert find_customer(session, references, identities) == owner.id
    assert ensure_customer(session, references=references, identities=identities) is owner
    # It has one account per address: a second one is no proof any more.
    other = ensure_customer(session, references=[("shopify", "82")], identities=identities)
    assert other is not owner
    assert addresses(session, other) == []


def test_a_phone_number_joins_nobody(session: Session) -> None:
    owner = ensure_customer(session, references=[("woocommerce", "3")], identities=[("phone", PHONE)])
    other = ensure_customer(session, references=[("shopify", "81")], identities=[("phone", PHONE)])
    assert other is not owner


def test_which_systems_vouch_is_set(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = ann(session)
    monkeypatch.setenv("RAPPORT_VERIFIED_EMAIL_SOURCES", "club, till")
    get_settings.cache_clear()
    identities = [("email", ANN)]
    assert ensure_customer(session, references=[("shopify", "81")], identities=identities) is not owner
    assert ensure_customer(session, references=[("till", "1")], identities=identities) is owner


def resolve(session: Session, *who: Who, source: str = "webshop") -> list[int]:
    found, _ = people.resolve(session, source, {one: (None, clock.now()) for one in who})
    return [found[one] for one in who]


def test_rows_of_orders_follow_the_same_rule(session: Session) -> None:
    owner = ann(session)
    guest, mallory = resolve(session, Who(None, ANN), Who("7", ANN))
    assert guest == owner.id
    assert mallory != owner.id
    assert addresses(session, session.get_one(Customer, mallory)) == []
    assert resolve(session, Who("7", MALLORY)) == [mallory]
    assert addresses(session, session.get_one(Customer, mallory)) == [MALLORY]
    # Who has an address gets no second one.
    assert resolve(session, Who("7", "friend@customer.example")) == [mallory]
    assert addresses(session, session.get_one(Customer, mallory)) == [MALLORY]
    assert resolve(session, Who("81", ANN), source="shopify") == [owner.id]
    assert resolve(session, Who("82", ANN), source="shopify") != [owner.id]


def test_of_two_references_with_one_address_in_a_file_the_first_has_it(session: Session) -> None:
    guest, first, second = resolve(session, Who(None, ANN), Who("1", ANN), Who("2", ANN))
    assert first != second
    assert guest == first
    found = find_by_identity(session, "email", ANN)
    assert found is not None
    assert found.id == first
    assert session.scalar(select(func.count()).select_from(Customer)) == 2
    assert session.scalar(select(func.count()).select_from(Identity)) == 1
