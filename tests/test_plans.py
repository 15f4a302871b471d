"""What the tests of plans rest on: a table that is read whole is noticed, one that is not is not."""

from __future__ import annotations

from sqlalchemy import Engine, select

from rapport.customers.models import Customer
from rapport.kit.database import read_scope
from tests.plans import read_whole, statements


def test_a_table_that_is_read_whole_is_named(engine: Engine) -> None:
    with statements(engine) as asked, read_scope(engine) as session:
        session.scalars(select(Customer).where(Customer.name == "Ann")).all()
        session.scalars(select(Customer).where(Customer.id == 7)).all()
    assert [read_whole(engine, one) for one in asked] == [["customer"], []]
