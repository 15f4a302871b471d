"""What is done with mentions, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.mentions import intake, service
from rapport.mentions.base import Said
from rapport.mentions.mastodon import MastodonSource
from rapport.mentions.models import Mention, MentionAnswer
from rapport.mentions.signed import SignedSource
from tests.mentions.conftest import add_staff
from tests.mentions.worlds import SECRET

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def mention(session: Session, customer: Customer, **values: object) -> Mention:
    """A complaint of this customer's."""
    what: dict[str, object] = {"kind": "complaint", "at": NOW, **values}
    row = Mention(
        source="mastodon",
        author="ann@social.example",
        text="!",
        language="en",
        customer_id=customer.id,
        **what,
    )
    session.add(row)
    session.flush()
    return row


def test_a_complaint_in_public_counts_until_it_is_settled(session: Session) -> None:
    table: list[
        tuple[dict[str, object], bool | None, bool]
    ] = [  # mention, case resolved (None: no case), bad
        ({}, None, True),
        ({"kind": "doubt"}, None, False),
        ({"state": "noted"}, None, False),
        ({"removed_at": NOW}, None, False),
        ({"at": NOW + timedelta(hours=1)}, None, False),
        ({"state": "case"}, False, True),
        ({"state": "answered"}, False, True),
        ({"state": "case", "removed_at": NOW}, False, True),
        ({"state": "case"}, True, False),
    ]
    for number, (values, resolved, bad) in enumerate(table):
        customer = Customer(name="Ann")
        session.add(customer)
        session.flush()
        row = mention(session, customer, source_id=f"{number}", **values)
        if resolved is not None:
            case = Case(kind="mention", message_key=f"{number}", text="!", language="en")
            case.resolved_at = NOW if resolved else None
            session.add(case)
            session.flush()
            row.case_id = case.id
            session.flush()
        assert service.has_bad(session, customer.id, NOW) is bad, values
        assert not service.has_bad(session, customer.id + 1, NOW)


def test_staff_have_the_last_word(session: Session) -> None:
    staff_id, customer = add_staff(session), Customer(name="Ann Lee")
    session.add(customer)
    session.flush()
    row = mention(session, customer, source_id="1", kind="neutral", confidence=0.6)
    service.correct(session, row.id, 1, staff_id, "complaint")
    assert (row.kind, row.confidence, row.state, row.version) == ("complaint", None, "case", 2)
    assert "private message" in row.suggestion
    assert service.has_bad(session, customer.id, NOW)
    for stale in (service.correct, service.open_case):
        with pytest.raises(ConflictError):
            stale(session, row.id, 1, staff_id, *(["praise"] if stale is service.correct else []))
    with pytest.raises(ConflictError):
        service.open_case(session, row.id, 2, staff_id)
    with pytest.raises(InvalidInputError):
        service.correct(session, row.id, 2, staff_id, "gossip")
    service.correct(session, row.id, 2, staff_id, "praise")
    assert not service.has_bad(session, customer.id, NOW)
    service.link(session, row.id, 3, staff_id, None)
    assert (row.customer_id, row.linked_by) == (None, None)
    assert session.get_one(Case, row.case_id).customer_id is None


@pytest.mark.usefixtures("thanks")
def test_no_thanks_wait_for_who_has_changed_their_mind(session: Session) -> None:
    source = MastodonSource("https://social.example", "token")
    said = Said("1", "@ann", "I love it", clock.now(), author_id="7")
    intake.take(session, source, said, intake.read(said))
    worse = replace(said, text="it is broken by now", changed_at=clock.now() + timedelta(minutes=1))
    intake.take(session, source, worse, intake.read(worse))
    assert session.scalars(select(MentionAnswer.status)).all() == ["cancelled"]
    # Nor is somebody answered of whom nobody says who they are: it may be ourselves.
    nobody = replace(said, source_id="2", author_id="")
    intake.take(session, source, nobody, intake.read(nobody))
    assert len(session.scalars(select(MentionAnswer)).all()) == 1


def test_an_edit_changes_what_it_is_unless_staff_said_it(session: Session) -> None:
    source, staff_id = SignedSource(SECRET), add_staff(session)
    said = Said("1", "Ann", "I love it", NOW, author_id="7")
    row = intake.take(session, source, said, intake.read(said))
    assert row is not None and row.kind == "praise"
    worse = replace(said, text="it is broken by now", changed_at=NOW + timedelta(hours=1))
    intake.take(session, source, worse, intake.read(worse))
    assert (row.kind, row.state) == ("complaint", "case")
    service.correct(session, row.id, row.version, staff_id, "neutral")
    worst = replace(said, text="it is broken for good", changed_at=NOW + timedelta(hours=2))
    intake.take(session, source, worst, intake.read(worst))
    assert (row.kind, row.confidence, row.text) == ("neutral", None, "it is broken for good")
    assert len(session.scalars(select(Case)).all()) == 1
