"""A few customers with points."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from rapport.customers.models import Customer
from rapport.kit.database import session_scope

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)


@pytest.fixture
def people(engine: Engine) -> list[int]:
    """The ids of three customers without points."""
    with session_scope(engine) as session:
        customers = [Customer(name=name) for name in ("Kari", "Ola", "Liv")]
        session.add_all(customers)
        session.flush()
        return [customer.id for customer in customers]
