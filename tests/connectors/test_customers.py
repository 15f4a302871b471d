"""Importing customers: who they are, and above all what they did not agree to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from rapport.connectors import importers
from rapport.connectors.order_events import apply
from rapport.connectors.report import Report
from rapport.connectors.woocommerce.orders import events
from rapport.customers.models import ConsentEvent, Customer, Identity
from rapport.customers.service import find_by_identity, record_consent
from rapport.kit.database import read_scope, session_scope
from rapport.shop.models import Order
from tests.connectors.fake_shops import woo_order
from tests.customers.asking import agrees_to_mail

HEADER = "id,email,phone,name,language,country,birthday,newsletter,consent source,consent date"
FILE = f"""{HEADER}
1,Kari@Example.com,912 34 567,Kari Nordmann,nb,Norway,1980-05-03,yes,checkout,2024-02-01
2,lucia@example.com,,Lucía Moreno,Español,España,,sí,,
3,andrei@example.com,+40 721 234 567,Andrei,ro-RO,RO,,no,checkout,
4,not an address,,Nobody,klingon,,31/31/1990,maybe,form,
,,123,No one,,,,yes,form,
5,emma@example.com,,Emma,en,GB,,,form,
"""


def _import(engine: Engine, tmp_path: Path, content: str, consent_source: str | None = None) -> Report:
    path = tmp_path / "customers.csv"
    path.write_text(content, "utf-8")
    plan = importers.plan("customers", path, source="crm", consent_source=consent_source)
    return importers.run(plan, engine)


def _agrees(engine: Engine, address: str) -> bool:
    with read_scope(engine) as session:
        customer = find_by_identity(session, "email", address)
        assert customer is not None
        return agrees_to_mail(session, customer.id)


def test_who_they_are(engine: Engine, tmp_path: Path) -> None:
    report = _import(engine, tmp_path, FILE)
    assert (report.read, report.taken) == (6, 5)
    assert dict(report.skipped) == {"no usable id, e-mail address or phone number": 1}
    assert dict(report.noted) == {
        "consent without a source, not taken (see --consent-source)": 1,
        "e-mail address not valid, left out": 1,
        "language not one of ours, left out": 1,
        "birthday not a date, left out": 1,
        "consent is neither yes nor no, taken as not given": 1,
        "phone number not valid, left out": 1,
    }
    with read_scope(engine) as session:
        kari = find_by_identity(session, "email", "kari@example.com")
        assert kari is not None
        assert (kari.name, kari.language, kari.country) == ("Kari Nordmann", "nb", "NO")
        assert kari.birthday is not None
        assert kari.birthday.isoformat() == "1980-05-03"
        assert {identity.value for identity in kari.identities} == {"kari@example.com", "+4791234567"}
        lucia = find_by_identity(session, "email", "lucia@example.com")
        assert lucia is not None
        assert (lucia.language, lucia.country) == ("es", "ES")


def test_where_their_clock_is(engine: Engine, tmp_path: Path) -> None:
    zones = "email,time zone\nkari@example.com,Europe/Oslo\nann@example.com,Norway time\n"
    report = _import(engine, tmp_path, zones)
    assert dict(report.noted) == {"time zone not one such as Europe/Oslo, left out": 1}
    with read_scope(engine) as session:
        known = session.scalars(select(Customer.timezone).order_by(Customer.id)).all()
        assert known == ["Europe/Oslo", None]


def test_only_consent_with_a_source_counts(engine: Engine, tmp_path: Path) -> None:
    _import(engine, tmp_path, FILE)
    assert _agrees(engine, "kari@example.com")
    for address in ("lucia@example.com", "andrei@example.com", "emma@example.com"):
        assert not _agrees(engine, address)
    with read_scope(engine) as session:
        event = session.scalars(select(ConsentEvent).where(ConsentEvent.granted)).one()
        assert (event.source, event.at.date().isoformat()) == ("checkout", "2024-02-01")


def test_the_source_may_be_given_for_all(engine: Engine, tmp_path: Path) -> None:
    _import(engine, tmp_path, FILE, consent_source="spring fair 2024")
    assert _agrees(engine, "lucia@example.com")
    assert not _agrees(engine, "emma@example.com")


def test_again_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    _import(engine, tmp_path, FILE)
    counts = []
    for _ in range(2):
        with read_scope(engine) as session:
            counts.append(
                [session.scalar(select(func.count(table.id))) for table in (Customer, Identity, ConsentEvent)]
            )
        report = _import(engine, tmp_path, FILE)
        assert not +report.added
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("consented", "allowed"), [("", False), ("2024-05-01", False), ("2024-07-01", True), ("no date", False)]
)
def test_a_file_does_not_overrule_a_refusal(
    engine: Engine, tmp_path: Path, consented: str, allowed: bool
) -> None:
    _import(engine, tmp_path, FILE)
    with session_scope(engine) as session:
        kari = find_by_identity(session, "email", "kari@example.com")
        assert kari is not None
        record_consent(
            session,
            kari.id,
            purpose="newsletter",
            channel="email",
            granted=False,
            wording_version="1",
            source="chat",
            at=datetime(2024, 6, 1, tzinfo=UTC),
        )
    _import(engine, tmp_path, f"{HEADER}\n1,kari@example.com,,,,,,yes,checkout,{consented}\n")
    assert _agrees(engine, "kari@example.com") is allowed


def test_a_refusal_in_the_file_counts(engine: Engine, tmp_path: Path) -> None:
    _import(engine, tmp_path, FILE)
    report = _import(engine, tmp_path, f"{HEADER}\n1,kari@example.com,,,,,,no,,\n")
    assert report.added["refusals"] == 1
    assert not _agrees(engine, "kari@example.com")


def test_just_addresses(engine: Engine, tmp_path: Path) -> None:
    report = _import(engine, tmp_path, "E-post\nola@example.com\nola@example.com\n")
    assert report.added["customers"] == 1
    assert not _agrees(engine, "ola@example.com")


def test_names_in_parts(engine: Engine, tmp_path: Path) -> None:
    _import(engine, tmp_path, "Fornavn;Etternavn;Epost;Mobil\nOla;Berg;ola@example.com;41234567.0\n")
    with read_scope(engine) as session:
        ola = find_by_identity(session, "phone", "+4741234567")
        assert ola is not None
        assert ola.name == "Ola Berg"


def test_a_shop_that_moves_to_webhooks_goes_on_with_its_customers(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("id,email,name\n88,kari.nordmann@customer.example,Kari\n", "utf-8")
    importers.run(importers.plan("customers", path, source="woocommerce"), engine)
    with session_scope(engine) as session:
        for event in events("order.created", woo_order(), datetime(2026, 5, 4, tzinfo=UTC)):
            apply(session, event)
    with read_scope(engine) as session:
        kari = session.scalars(select(Customer)).one()
        assert session.scalars(select(Order.customer_id)).all() == [kari.id]


def test_two_of_the_files_own_ids_with_one_address_stay_two(engine: Engine, tmp_path: Path) -> None:
    _import(engine, tmp_path, "id,email,name\n1,ann@customer.example,Ann\n2,ann@customer.example,Bo\n")
    _import(engine, tmp_path, "id,email,name\n1,,Ann Berg\n")
    # Somebody without an id, who says they are called otherwise, is Ann, and Ann keeps her name.
    _import(engine, tmp_path, "email,name\nann@customer.example,Mallory\n")
    with read_scope(engine) as session:
        assert session.scalars(select(Customer.name).order_by(Customer.id)).all() == ["Ann Berg", "Bo"]
        ann = find_by_identity(session, "email", "ann@customer.example")
        assert ann is not None
        assert ann.name == "Ann Berg"
