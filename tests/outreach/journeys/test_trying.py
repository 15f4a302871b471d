"""What would happen, without anything happening; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.customers import contact
from rapport.customers.models import Customer, Identity
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.offers.models import Coupon
from rapport.outreach.journeys import deciding, giving, rules, service, tasks, trying
from rapport.outreach.journeys.trying import Trial
from rapport.outreach.policy.models import ContactDecision
from rapport.value.models import CustomerValue
from tests.loyalty.offers.shop import offer, order, valued
from tests.outreach.journeys.conftest import Use
from tests.outreach.journeys.walk import DAY, NOW, begin, journey, mails, person, step, steps

CODE = "{code}: {off}, {minimum}, until {expires}."
HOUR = timedelta(hours=1)


@contextmanager
def reading_only(engine: Engine) -> Iterator[Session]:
    """A session in which whatever would write fails."""
    with read_scope(engine) as session:
        sqlite = engine.dialect.name == "sqlite"
        session.execute(text("PRAGMA query_only = on" if sqlite else "SET TRANSACTION READ ONLY"))
        yield session
        if sqlite:
            session.execute(text("PRAGMA query_only = off"))


def tried(engine: Engine) -> Trial:
    with reading_only(engine) as session:
        return service.dry_run(session, NOW)


def buyer(session: Session, number: int, placed_at: datetime = NOW - 9 * DAY, **more: Any) -> int:
    """Somebody whose order arrived yesterday, which begins the journey."""
    found = person(session, f"{number}@example.com", **more)
    order(session, found, placed_at, delivered_at=NOW - DAY)
    return found


def test_who_would_get_what_is_what_they_get(engine: Engine, use: Use) -> None:
    """Exits, audience, codes, wishes, several reasons at once, the second step on the same day."""
    one = use(
        journey(
            step("first", "Hello."),
            step("second", CODE, offer="win-back"),
            step("third", "Bye.", after_days=1),
            exits=["bought"],
            audience={"max_orders": 1},
        )
    )
    with session_scope(engine) as session:
        offer(session, "win-back")
        for number in range(3):
            buyer(session, number)
        again = buyer(session, 3)
        order(session, again, NOW - 9 * DAY, delivered_at=NOW - DAY)  # two orders: not for them
        paused, unhappy, bought = (buyer(session, number) for number in range(4, 7))
        long_ago = buyer(session, 7, NOW - 40 * DAY)
        contact.pause(session, paused, NOW + DAY, "talk:1")
        session.add(Case(kind="complaint", text="t", language="en", customer_id=unhappy, message_key="k"))
        for who, at in ((bought, NOW - HOUR), (long_ago, NOW - 30 * DAY)):
            begin(session, one, who, "order:9", at)
        order(session, bought, NOW - HOUR / 2)
        twice = buyer(session, 8)
        begin(session, one, twice, "order:9", NOW - HOUR)  # and for the other order now
    trial = tried(engine)
    assert steps(engine) == [(name, "waiting", None) for name in ("first", "second", "third")] * 3
    assert (mails(engine), trial.barred) == ([], {})
    tasks.run(engine)
    with read_scope(engine) as session:
        rows = session.scalars(select(ContactDecision).order_by(ContactDecision.id))
        done = [(row.customer_id, row.step, row.outcome, row.reason, row.channel, row.until) for row in rows]
    planned = [
        (one.customer_id, one.step, one.outcome, one.reason, one.channel, one.until) for one in trial.planned
    ]
    assert sorted(planned, key=str) == sorted(done, key=str)
    assert {reason for _, _, _, reason, _, _ in planned} >= {
        "allowed",
        "paused",
        "open_complaint",
        "too_many",
        "too_late",
        "bought",
    }


def test_who_fits_but_cannot_be_reached_is_counted_and_who_is_compared(
    engine: Engine, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = use(journey(step("first", CODE, offer="win-back"), again_days=5))
    with session_scope(engine) as session:
        offer(session, "win-back")
        ann, bob, eva, kim = (buyer(session, number, agrees=number != 1) for number in range(4))
        contact.set_channels(session, eva, refused=["email"])
        session.execute(update(Identity).where(Identity.customer_id == kim).values(verified_at=None))
        buyer(session, 5, agrees=False)
        order(session, bob, NOW - 8 * DAY, delivered_at=NOW - HOUR)  # the same person
        recent = buyer(session, 6, agrees=False)
        begin(session, one, recent, "order:9", NOW - 2 * DAY)  # would not enter in any case
    trial = tried(engine)
    assert {one.customer_id for one in trial.planned} == {ann, recent}
    assert trial.barred == {"test": {"no_consent": 2, "refused_channel": 1, "no_channel": 1}}
    assert tasks.find(engine) == {"entered": 1}
    monkeypatch.setattr(rules, "variant_of", lambda *_: "control")
    with session_scope(engine) as session:
        buyer(session, 7)
    trial = tried(engine)
    assert (trial.control, trial.barred["test"].total()) == (1, 4)


def test_no_more_are_shown_than_may_enter_in_a_day(engine: Engine, use: Use) -> None:
    use(journey(step("first"), trigger={"on": "lapsed", "a_day": 3}, audience={"segments": ["at_risk"]}))
    with session_scope(engine) as session:
        people = [person(session, f"{number}@example.com") for number in range(6)]
        for who in people:
            valued(session, who, "at_risk", (1, 3, 3))
        session.execute(update(CustomerValue).values(last_order_at=NOW - 100 * DAY))
        contact.set_channels(session, people[0], refused=["email"])
    trial = tried(engine)
    assert len(trial.planned) == 3
    assert tasks.run(engine) == "3 entered, 3 send"
    assert tried(engine).planned == []


def test_it_says_when_there_are_more_than_it_looked_at(
    sqlite_engine: Engine, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = use(journey(step()))
    with session_scope(sqlite_engine) as session:
        for number in range(3):
            buyer(session, number, agrees=number > 0)
    for most, cut in ((3, False), (2, True)):
        monkeypatch.setattr(trying, "MOST", most)
        trial = tried(sqlite_engine)
        assert (trial.cut, len(trial.planned), trial.barred["test"].total()) == (cut, most - 1, 1)
    with session_scope(sqlite_engine) as session:
        for number in range(3, 6):
            begin(session, one, person(session, f"{number}@example.com"))
    monkeypatch.setattr(trying, "MOST", 5)
    assert not tried(sqlite_engine).cut
    monkeypatch.setattr(trying, "MOST", 4)
    trial = tried(sqlite_engine)
    assert (trial.cut, len(trial.planned)) == (True, 4)


def test_nobody_waits_for_it_and_it_waits_for_nobody(
    engine: Engine, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = use(journey(step()))
    with session_scope(engine) as session:
        ann, bob = person(session), buyer(session, 2)
        begin(session, one, ann)
    look = deciding.look

    def write_meanwhile(*given: Any) -> Any:
        with session_scope(engine) as other:
            query = select(Customer).where(Customer.id.in_([ann, bob])).with_for_update(nowait=True)
            for customer in other.scalars(query):
                customer.name = f"{customer.name}!"
        return look(*given)

    monkeypatch.setattr(deciding, "look", write_meanwhile)
    assert len(tried(engine).planned) == 2
    monkeypatch.setattr(deciding, "look", look)
    with session_scope(engine) as writing:
        assert writing.get_one(Customer, ann).name == "Ann Berg!!"
        writing.execute(update(Customer).values(name="Somebody"))
        assert len(tried(engine).planned) == 2


def test_a_preview_shows_words_and_the_policys_reason_and_gives_nothing(session: Session, use: Use) -> None:
    offer(session, "win-back", amount_minor=10_000)
    use(journey(step("first", CODE, offer="win-back")))
    ann = person(session, agrees=False)
    preview = service.preview(session, "test", "first", ann)
    assert preview.decision.reason == "no_consent"
    assert preview.words is not None
    assert preview.words.text == "en: FJ-XXXX-XXXX: NOK\u00a0100 off, on any order, until 2 April 2026.\n"
    assert session.query(Coupon).count() == 0


def test_a_code_that_is_only_shown_has_the_terms_of_the_one_that_is_given(session: Session, use: Use) -> None:
    offer(session, "win-back", percent=15, minimum_minor=2_000, max_discount_minor=5_000)
    gift = giving.Gift(person(session), 0, NOW, {})
    terms = attrgetter("kind", "percent", "minimum_minor", "max_discount_minor", "currency", "expires_at")
    shown = terms(giving.sample(session, "win-back", gift, NOW))
    assert shown == terms(giving.coupon(session, "win-back", gift, NOW))


def test_a_preview_of_a_present_shows_what_is_given_for_it(session: Session, use: Use) -> None:
    offer(session, "birthday", occasion="birthday", percent=20)
    use(journey(step("first", CODE), trigger={"on": "birthday"}))
    preview = service.preview(session, "test", "first", person(session))
    assert preview.words is not None
    assert "20% off" in preview.words.text
    assert session.query(Coupon).count() == 0
