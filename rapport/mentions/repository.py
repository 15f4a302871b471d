"""All queries on mentions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.mentions.models import Mention


def has_unsettled_complaint(session: Session, customer_id: int, now: datetime) -> bool:
    """Whether there is one of this customer."""
    found = exists().where(Mention.customer_id == customer_id, Mention.at <= now, _unsettled_complaint())
    return bool(session.scalar(select(found)))


def _unsettled_complaint() -> ColumnElement[bool]:
    open_case = exists().where(Case.id == Mention.case_id, Case.resolved_at.is_(None))
    untouched = and_(Mention.case_id.is_(None), Mention.state == "new", Mention.removed_at.is_(None))
    return and_(Mention.kind == "complaint", or_(open_case, untouched))
