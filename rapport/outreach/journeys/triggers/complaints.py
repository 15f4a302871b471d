"""`complaint_solved`: a complaint was settled so many `days` ago, and stayed so. Once for each."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.conversations.models import Conversation
from rapport.outreach.journeys.triggers.base import Found, Search, batches


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    whose = func.coalesce(Case.customer_id, Conversation.customer_id)
    query = (
        select(Case.id, whose.label("customer_id"), Case.resolved_at.label("at"))
        .outerjoin(Conversation, Conversation.id == Case.conversation_id)
        .where(
            Case.resolved_at.is_not(None),
            Case.resolved_at > search.since - search.days,
            Case.resolved_at <= search.now - search.days,
            Case.kind == "complaint",
            # Who took it back themselves was not helped by us.
            Case.outcome.is_distinct_from("withdrawn"),
            whose.is_not(None),
        )
    )
    for rows in batches(session, query, Case.resolved_at, Case.id):
        yield [
            Found(row.customer_id, f"case:{row.id}", row.at + search.days, {"case_id": row.id})
            for row in rows
        ]
