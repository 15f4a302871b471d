"""The migrations and the models say the same."""

from __future__ import annotations

from datetime import date

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import IntegrityError

from rapport import migrations
from rapport.customers.models import Customer
from rapport.insight.models import IntentDay, IntentMonth
from rapport.kit import clock
from rapport.kit.database import Base, read_scope, session_scope
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.policy.models import ContactDecision


def _is_modelled(name: str | None, kind: str, _parents: object) -> bool:
    """The tables behind the search are each database's own."""
    return not (kind == "table" and name is not None and "_search" in name)


def test_migrations_lead_to_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": _is_modelled}
        )
        assert compare_metadata(context, Base.metadata) == []
        connection.rollback()


def test_upgrade_twice_changes_nothing(engine: Engine) -> None:
    migrations.upgrade(engine)
    assert migrations.current(engine) == migrations.newest()


def test_what_there_is_stays_when_a_table_is_made_anew(engine: Engine) -> None:
    """Others point to its rows; and what is summed up later is summed up at once."""
    now = clock.now()
    with session_scope(engine) as session:
        customer = Customer(language="en")
        session.add(customer)
        session.flush()
        mine = {"customer_id": customer.id, "journey": "win_back", "trigger_key": "x"}
        entry = JourneyEntry(**mine, variant="a", anchor_at=now)
        session.add(entry)
        session.flush()
        step = JourneyStep(**mine, entry_id=entry.id, step="question", planned_at=now, due_at=now)
        session.add(step)
        session.flush()
        decision = {"customer_id": customer.id, "journey": "win_back", "step": "question"}
        session.add(ContactDecision(**decision, step_id=step.id, outcome="later", reason="pause"))
        for day, messages in ((date(2026, 2, 1), 2), (date(2026, 2, 28), 3), (date(2026, 3, 1), 4)):
            counted = {"channel": "web", "language": "en", "intent": "greet", "messages": messages}
            session.add(IntentDay(day=day, **counted))
    command.downgrade(migrations.config(engine), "0027")
    migrations.upgrade(engine)
    with read_scope(engine) as session:
        assert session.scalars(select(ContactDecision.step_id)).all() == [step.id]
        assert session.scalars(select(JourneyStep.planned_at)).all() == [now]
        months = session.execute(select(IntentMonth.month, IntentMonth.messages).order_by(IntentMonth.month))
        assert [tuple(row) for row in months] == [(date(2026, 2, 1), 5), (date(2026, 3, 1), 4)]
    with pytest.raises(IntegrityError), session_scope(engine) as session:
        session.execute(delete(JourneyEntry))


def test_the_search_goes_on_after_a_step_back(sqlite_engine: Engine) -> None:
    """SQLite drops the triggers of a table that is made anew."""
    command.downgrade(migrations.config(sqlite_engine), "0014")
    with sqlite_engine.connect() as connection:
        kept = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'message'"
        assert connection.exec_driver_sql(kept).scalar() == 3
