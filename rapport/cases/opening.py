"""A case begins: whose words, how urgent, until when. Used where it is opened, by the bot and by people."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from rapport.cases import repository, rules
from rapport.cases.models import Case
from rapport.kit import clock
from rapport.shop.facts import get_facts


def begin(session: Session, case: Case, staff_id: int | None = None) -> Case:
    """Stores a new case, with its urgency, the time it is due and the first line of its history."""
    case.priority = case.priority or rules.first_priority(case.kind, case.rating)
    case.opened_at = clock.now()
    case.due_at = due_at(case.kind, case.priority, case.opened_at)
    case.status, case.version = "open", 1
    session.add(case)
    session.flush()
    repository.add_event(session, case, "opened", staff_id)
    return case


def rate(session: Session, case: Case, stars: int) -> None:
    """Stars for a review. Few of them make it urgent, while nobody has it."""
    case.rating = stars
    if case.owner_id is None and case.status == "open":
        case.priority = rules.first_priority(case.kind, stars)
        case.due_at = due_at(case.kind, case.priority, case.opened_at)
    session.flush()


def due_at(kind: str, priority: str, since: datetime) -> datetime:
    """Until when such a case is due, by the days on which the shop is open."""
    facts = get_facts()

    def is_working(day: date) -> bool:
        return bool(facts.hours.on(day))

    return rules.due_at(kind, priority, since, ZoneInfo(facts.timezone), is_working)
