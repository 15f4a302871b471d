"""Stages of a relationship: every pair of stage and event."""

from __future__ import annotations

from itertools import product

import pytest
from sqlalchemy import event as database_event
from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation
from rapport.customers import contact, lifecycle, service
from rapport.customers.lifecycle import DOWNWARDS, EVENTS, STAGES, Event, Stage, advance
from rapport.customers.models import Customer

TABLE: dict[tuple[Stage, Event], Stage] = {
    ("know", "registered"): "know",
    ("know", "verified"): "know",
    ("know", "asked_about_product"): "interest",
    ("know", "interest_stated"): "interest",
    ("know", "subscribed"): "interest",
    ("know", "unsubscribed"): "know",
    ("know", "ordered"): "trust",
    ("know", "order_kept"): "trust",
    ("know", "returned_all"): "know",
    ("know", "recommended"): "trust",
    ("know", "complained"): "know",
    ("know", "complaint_resolved"): "know",
    ("know", "said_goodbye"): "know",
    ("know", "erased"): "know",
    ("interest", "registered"): "interest",
    ("interest", "verified"): "interest",
    ("interest", "asked_about_product"): "interest",
    ("interest", "interest_stated"): "interest",
    ("interest", "subscribed"): "interest",
    ("interest", "unsubscribed"): "interest",
    ("interest", "ordered"): "trust",
    ("interest", "order_kept"): "trust",
    ("interest", "returned_all"): "interest",
    ("interest", "recommended"): "trust",
    ("interest", "complained"): "interest",
    ("interest", "complaint_resolved"): "interest",
    ("interest", "said_goodbye"): "know",
    ("interest", "erased"): "know",
    ("trust", "registered"): "trust",
    ("trust", "verified"): "trust",
    ("trust", "asked_about_product"): "trust",
    ("trust", "interest_stated"): "trust",
    ("trust", "subscribed"): "trust",
    ("trust", "unsubscribed"): "trust",
    ("trust", "ordered"): "trust",
    ("trust", "order_kept"): "trust",
    ("trust", "returned_all"): "interest",
    ("trust", "recommended"): "trust",
    ("trust", "complained"): "trust",
    ("trust", "complaint_resolved"): "trust",
    ("trust", "said_goodbye"): "know",
    ("trust", "erased"): "know",
}


def test_the_table_is_exhaustive() -> None:
    assert set(TABLE) == set(product(STAGES, EVENTS))


@pytest.mark.parametrize(("stage", "event"), TABLE)
def test_every_transition(stage: Stage, event: Event) -> None:
    assert advance(stage, event) == TABLE[stage, event]


@pytest.mark.parametrize(("stage", "event"), TABLE)
def test_downwards_only_for_the_stated_events_and_the_same_again_changes_nothing(
    stage: Stage, event: Event
) -> None:
    after = advance(stage, event)
    assert STAGES.index(after) >= STAGES.index(stage) or event in DOWNWARDS
    assert advance(after, event) in {after, advance(stage, event)} or event in DOWNWARDS


def test_unknown_words_are_errors() -> None:
    with pytest.raises(KeyError):
        advance("know", "sneezed")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tuple"):
        advance("love", "ordered")  # type: ignore[arg-type]


@pytest.mark.parametrize(("stage", "event"), TABLE)
def test_a_note_moves_the_customer_in_one_update(session: Session, stage: Stage, event: Event) -> None:
    customer, other = Customer(name="Kari", stage=stage), Customer(name="Ola", stage=stage)
    session.add_all([customer, other])
    session.flush()
    statements: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    bind = session.get_bind()
    database_event.listen(bind, "before_cursor_execute", listen)
    service.note(session, customer.id, event)
    database_event.remove(bind, "before_cursor_execute", listen)
    assert len(statements) == (1 if any(advance(s, event) != s for s in STAGES) else 0)
    session.expire_all()
    assert (customer.stage, other.stage) == (advance(stage, event), stage)


def test_a_note_about_nobody_changes_nothing(session: Session) -> None:
    service.note(session, 4711, "ordered")
    assert set(lifecycle.after("ordered")) == set(STAGES)


def test_the_newsletter_shows_interest(session: Session) -> None:
    customer = Customer(name="Kari")
    session.add(customer)
    session.flush()
    assert contact.subscribe(session, customer.id, "message:1")
    session.expire_all()
    assert customer.stage == "interest"


def test_an_interest_counts_once_we_know_whose_it_is(session: Session) -> None:
    customer, conversation = Customer(name="Kari"), Conversation(channel="web", language="nb")
    session.add_all([customer, conversation])
    session.flush()
    service.record_interest(session, conversation, "tents")
    session.expire_all()
    assert customer.stage == "know"
