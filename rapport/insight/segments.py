"""How large each segment is, and who went from one to another: kept with each valuation of all customers.

Only sums are kept. The segment each customer was last counted in stands beside their present one, so that a
move is counted once, whenever it happened.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.orm import Session

from rapport.insight.models import SegmentMove, SegmentSize
from rapport.kit.database import read_scope, session_scope
from rapport.kit.upsert import insert as upsert
from rapport.value.models import CustomerValue

# So many ids are looked at in one short transaction.
BATCH = 20_000
NONE = ""


def count(engine: Engine, day: date) -> int:
    """Counts segments and moves as of a day; again changes nothing. Returns how many customers moved."""
    with read_scope(engine) as session:
        first, last = session.execute(
            select(func.min(CustomerValue.customer_id), func.max(CustomerValue.customer_id))
        ).one()
    moved = 0
    for start in range(first or 0, (last or -1) + 1, BATCH):
        with session_scope(engine) as session:
            moved += _count_moves(session, day, start, start + BATCH)
    with session_scope(engine) as session:
        sizes = select(CustomerValue.segment, func.count()).where(CustomerValue.segment.is_not(None))
        rows = [
            {"day": day, "segment": segment, "customers": customers}
            for segment, customers in session.execute(sizes.group_by(CustomerValue.segment))
        ]
        session.execute(delete(SegmentSize).where(SegmentSize.day == day))
        if rows:
            session.execute(insert(SegmentSize), rows)
    return moved


def _count_moves(session: Session, day: date, start: int, end: int) -> int:
    mine = (
        CustomerValue.customer_id >= start,
        CustomerValue.customer_id < end,
        CustomerValue.segment.is_distinct_from(CustomerValue.segment_counted),
    )
    # What they were counted in is changed first: whoever changes segment meanwhile waits for us.
    before, after = CustomerValue.segment_counted, CustomerValue.segment
    found = session.execute(select(before, after, func.count()).where(*mine).group_by(before, after)).all()
    for from_segment, to_segment, customers in found:
        statement = upsert(session, SegmentMove).values(
            day=day, from_segment=from_segment or NONE, to_segment=to_segment or NONE, customers=customers
        )
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["day", "from_segment", "to_segment"],
                set_={"customers": SegmentMove.customers + statement.excluded.customers},
            )
        )
        session.execute(
            update(CustomerValue)
            .where(*mine, before.is_not_distinct_from(from_segment), after.is_not_distinct_from(to_segment))
            .values(segment_counted=to_segment)
            .execution_options(synchronize_session=False)
        )
    return sum(customers for _, _, customers in found)
