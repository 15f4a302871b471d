"""Who cannot be reached does not begin a journey, and counts on neither side; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from rapport.channels.models import ContactPoint
from rapport.customers import contact
from rapport.customers.models import Identity
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.outreach import repository as outbox
from rapport.outreach import service as outreach
from rapport.outreach.journeys import entering, rules, tasks
from rapport.outreach.journeys.models import JourneyEntry
from rapport.value.models import CustomerValue
from tests.loyalty.offers.shop import order, valued
from tests.outreach.journeys.conftest import Use
from tests.outreach.journeys.walk import DAY, NOW, agree, in_app, journey, person, step
from tests.plans import read_whole, statements

# In Messenger a day after the last word nothing may be said freely.
WAYS = ["email", "messenger"]


def in_messenger(session: Session, who: int, hours_ago: int, **values: object) -> None:
    agree(session, who, channel="messenger")
    in_app(session, who, "messenger", NOW - timedelta(hours=hours_ago))
    if values:
        session.execute(update(ContactPoint).where(ContactPoint.customer_id == who).values(**values))


def is_worth(session: Session, who: int, minor: int) -> None:
    valued(session, who, "loyal", (3, 3, 3))
    session.execute(update(CustomerValue).where(CustomerValue.customer_id == who).values(clv_minor=minor))


def no_mail(session: Session, who: int) -> None:
    session.execute(update(Identity).where(Identity.customer_id == who).values(verified_at=None))


# What is known of somebody who agreed by mail, and whether they enter.
PEOPLE: dict[str, tuple[Callable[[Session, int], object], str | None]] = {
    "nothing more": (lambda session, who: None, None),
    "took it back": (lambda session, who: agree(session, who, granted=False, at=NOW), "no_consent"),
    "left": (lambda session, who: contact.unsubscribe(session, who, "talk:1"), "no_consent"),
    "refused": (
        lambda session, who: contact.set_channels(session, who, refused=["email"]),
        "refused_channel",
    ),
    "address not theirs": (no_mail, "no_channel"),
    "mails came back": (
        lambda session, who: outbox.note_trouble(
            session, outreach.address_hash(f"{who}@example.com"), True, "550", NOW
        ),
        "unreachable",
    ),
    "reached in an app": (
        lambda session, who: (no_mail(session, who), in_messenger(session, who, 1)),
        None,
    ),
    "wrote there too long ago": (
        lambda session, who: (no_mail(session, who), in_messenger(session, who, 25)),
        "window_closed",
    ),
    "blocked us there": (
        lambda session, who: (no_mail(session, who), in_messenger(session, who, 1, unreachable_since=NOW)),
        "unreachable",
    ),
    "worth too little for any step": (lambda session, who: is_worth(session, who, 500), "too_costly"),
    "worth enough": (lambda session, who: is_worth(session, who, 90_000), None),
    # These pass: it is decided when a step is due.
    "paused": (lambda session, who: contact.pause(session, who, NOW + 9 * DAY, "talk:1"), None),
}


@pytest.mark.parametrize("drawn", ["a", "control"])
def test_only_who_can_be_reached_enters_whatever_is_drawn(
    engine: Engine, use: Use, monkeypatch: pytest.MonkeyPatch, drawn: str
) -> None:
    monkeypatch.setattr(rules, "variant_of", lambda *_: drawn)
    one = use(journey(*(step(key, cost="medium", channels=WAYS) for key in ("first", "second"))))
    people: dict[str, int] = {}
    with session_scope(engine) as session:
        for number, (name, (known, _)) in enumerate(PEOPLE.items(), 100):
            people[name] = person(session, f"{number}@example.com", id=number)
            known(session, number)
            order(session, number, NOW - 9 * DAY, delivered_at=NOW - DAY)
    tasks.find(engine)
    with statements(engine) as asked, read_scope(engine) as session:
        barred = entering.barred(session, "test", one, people.values(), NOW)
        told = list(asked)
        entered = set(session.scalars(select(JourneyEntry.customer_id)))
    assert {name: barred.get(who) for name, who in people.items()} == {
        name: why for name, (_, why) in PEOPLE.items()
    }
    assert {name for name, who in people.items() if who in entered} == {
        name for name, (_, why) in PEOPLE.items() if why is None
    }
    assert [read_whole(engine, one) for one in told] == [[]] * 5


def test_who_agrees_later_enters_while_there_is_a_reason(engine: Engine, use: Use) -> None:
    use(journey(step()))
    with session_scope(engine) as session:
        soon, late = (person(session, f"{number}@example.com", agrees=False) for number in range(2))
        for who in (soon, late):
            order(session, who, NOW - 9 * DAY, delivered_at=NOW)
    for days, who in ((1, None), (2, soon), (8, late)):
        with clock.freeze(NOW + days * DAY):
            if who is not None:
                with session_scope(engine) as session:
                    agree(session, who, at=NOW + days * DAY)
            assert tasks.run(engine) == ("1 entered, 1 send" if who == soon else "nothing was due")
