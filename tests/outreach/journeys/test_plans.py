"""What is due is found by its index, however many steps were decided long ago; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, text

from rapport.customers.models import Customer
from rapport.kit.database import session_scope
from rapport.outreach.journeys import repository
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from tests.outreach.journeys.walk import NOW
from tests.plans import plan, statements

PEOPLE = 3000


@pytest.fixture(scope="module")
def decided(shared_engine: Engine) -> Engine:
    """Many steps that were sent, and a few that wait."""
    numbers = range(1, PEOPLE + 1)
    about = {"journey": "test", "trigger_key": "k"}
    with session_scope(shared_engine) as session:
        session.execute(insert(Customer), [{"id": n, "stage": "know", "created_at": NOW} for n in numbers])
        session.execute(
            insert(JourneyEntry),
            [
                {"id": n, "customer_id": n, "variant": "a", "anchor_at": NOW, "context": {}, **about}
                for n in numbers
            ],
        )
        session.execute(
            insert(JourneyStep),
            [
                {
                    "id": n,
                    "entry_id": n,
                    "customer_id": n,
                    "step": "first",
                    "status": "waiting" if n > PEOPLE - 20 else "sent",
                    "planned_at": NOW,
                    "due_at": NOW - timedelta(minutes=n),
                    **about,
                }
                for n in numbers
            ],
        )
        session.execute(text("ANALYZE"))
    return shared_engine


def test_what_is_due_is_found_by_its_index(decided: Engine) -> None:
    with statements(decided) as asked, session_scope(decided) as session:
        assert repository.something_due(session, NOW)
        found = repository.claim(session, NOW)
        assert found is not None
        assert found.id == PEOPLE  # the longest due
    assert len(asked) == 2
    for one in asked:
        steps = plan(decided, one)
        assert any("ix_journey_step_due" in line for line in steps), steps
