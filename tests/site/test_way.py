"""From what somebody does on a page to the mail they get because of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select

from rapport.customers import choices
from rapport.customers.choices import Said
from rapport.customers.models import Customer, Identity
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.languages import LANGUAGES
from rapport.outreach.journeys import tasks as journeys
from rapport.outreach.journeys.models import JourneyStep
from rapport.outreach.models import OutboxMessage
from rapport.shop.models import ProductText
from rapport.site import service, tasks
from rapport.site.schemas import CartChanged, Item, WantsBack
from tests.site.conftest import SHOP, stock

NOON = datetime(2026, 5, 6, 10, tzinfo=UTC)  # a Wednesday
PAGE = service.Page(SHOP, "nb", "1.2.3.4")


def mails(engine: Engine, at: datetime) -> list[tuple[str, str]]:
    """(recipient, subject and text) of what is decided then."""
    with clock.freeze(at):
        journeys.run_often(engine)
    with session_scope(engine) as session:
        sent = session.scalars(select(OutboxMessage)).all()
        return [(one.recipient or "", f"{one.subject}\n{one.text}") for one in sent]


def a_shop(engine: Engine) -> None:
    with session_scope(engine) as session:
        for sku, left in (("TENT", 4), ("BOOTS", 0)):
            stock(session, sku, left).texts = [
                ProductText(language=x, name=f"{sku.title()} ({x})", description="") for x in LANGUAGES
            ]


def somebody(engine: Engine, name: str) -> int:
    """A customer who speaks Norwegian; these two are in no control group."""
    with session_scope(engine) as session:
        one = Customer(language="nb", timezone="Europe/Oslo")
        session.add(one)
        session.flush()
        address = f"{name}@example.com"
        session.add(Identity(customer_id=one.id, kind="email", value=address, verified_at=NOON))
        return one.id


def test_who_waits_is_told_once_when_it_is_back(sqlite_engine: Engine, settings: object) -> None:
    a_shop(sqlite_engine)
    ann = somebody(sqlite_engine, "ann")
    with clock.freeze(NOON), session_scope(sqlite_engine) as session:
        service.receive(session, "hers", ann, [WantsBack(kind="wants_back", sku="BOOTS")], PAGE, NOON)
    assert mails(sqlite_engine, NOON) == []
    with session_scope(sqlite_engine) as session:
        stock(session, "BOOTS", 7)
    later = NOON + timedelta(days=30)
    with clock.freeze(later):
        tasks.see_stock(sqlite_engine)
    for hours in (0, 1, 24):
        ((recipient, mail),) = mails(sqlite_engine, later + timedelta(hours=hours))
        assert recipient == "ann@example.com"
        assert "Boots (nb)" in mail


def test_what_sold_out_again_overnight_is_not_told_of(sqlite_engine: Engine, settings: object) -> None:
    a_shop(sqlite_engine)
    ann = somebody(sqlite_engine, "ann")
    with clock.freeze(NOON), session_scope(sqlite_engine) as session:
        service.receive(session, "hers", ann, [WantsBack(kind="wants_back", sku="BOOTS")], PAGE, NOON)
        stock(session, "BOOTS", 7)
    night = NOON + timedelta(hours=11)
    with clock.freeze(night):
        tasks.see_stock(sqlite_engine)
    assert mails(sqlite_engine, night) == []
    with session_scope(sqlite_engine) as session:
        stock(session, "BOOTS", 0)
    assert mails(sqlite_engine, NOON + timedelta(hours=24)) == []
    with session_scope(sqlite_engine) as session:
        assert session.scalars(select(JourneyStep.reason)).all() == ["no_words"]


def test_a_cart_is_reminded_of_only_who_wants_reminders(sqlite_engine: Engine, settings: object) -> None:
    a_shop(sqlite_engine)
    bob, ann = (somebody(sqlite_engine, name) for name in ("bob", "ann"))
    cart = CartChanged(kind="cart_changed", items=[Item(sku="TENT", quantity=2)], url=f"{SHOP}/cart?a=1")
    with clock.freeze(NOON), session_scope(sqlite_engine) as session:
        choices.agree(session, ann, [("reminders", "email")], Said("test", "1"))
        for who, visitor in ((ann, "hers"), (bob, "his")):
            service.receive(session, visitor, who, [cart], PAGE, NOON)
    assert mails(sqlite_engine, NOON + timedelta(minutes=59)) == []
    ((recipient, mail),) = mails(sqlite_engine, NOON + timedelta(hours=5))
    assert recipient == "ann@example.com"
    assert "Tent (nb)" in mail and f"{SHOP}/cart?a=1" in mail
