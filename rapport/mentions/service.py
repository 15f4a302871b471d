"""What others may ask about mentions, and what staff do with them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from rapport.cases import service as cases
from rapport.cases.models import Case
from rapport.customers import repository as customers
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.mentions import answers, intake, repository, rules, words
from rapport.mentions.models import Mention


def has_bad(session: Session, customer_id: int, now: datetime) -> bool:
    """Whether the customer complained in public and that is not settled: its case is open, or nobody has
    looked at it yet. What its author took back counts no longer, unless its case is still open.
    """
    return repository.has_unsettled_complaint(session, customer_id, now)


def get(session: Session, mention_id: int) -> Mention:
    """Raises NotFoundError."""
    mention = repository.get(session, mention_id)
    if mention is None:
        raise NotFoundError("There is no such mention.")
    return mention


def correct(session: Session, mention_id: int, version: int, staff_id: int, kind: str) -> Mention:
    """Staff say what kind it is: another answer is suggested, and a case opened where one is needed.

    Raises NotFoundError, ConflictError when it changed since they looked, and InvalidInputError.
    """
    mention = answers.hold(session, mention_id, version)
    mention.kind, mention.confidence = rules.checked_kind(kind), None
    if mention.removed_at is None:
        mention.suggestion = words.suggestion(kind, mention.language, mention.source_id)
    answers.cancel(session, mention.id, "staff said that it is something else")
    mention.version += 1
    session.flush()
    if kind in rules.NEED_PEOPLE and mention.case_id is None and mention.removed_at is None:
        intake.open_case(session, mention, staff_id)
    return mention


def open_case(session: Session, mention_id: int, version: int, staff_id: int) -> Case:
    """A case for something that has none. Raises as `correct`."""
    mention = answers.hold(session, mention_id, version)
    if mention.case_id is not None:
        raise ConflictError("There is a case already.")
    case = intake.open_case(session, mention, staff_id)
    mention.version += 1
    session.flush()
    return case


def note(session: Session, mention_id: int, version: int, text: str, state: str = "noted") -> Mention:
    """One more line of what staff keep about it, if there is one; `state` is noted, or answered where they
    answered elsewhere. Raises as `correct`.
    """
    mention = answers.hold(session, mention_id, version)
    kept = "\n".join(line for line in (mention.note, text.strip()) if line)
    if len(kept) > rules.LONGEST_NOTE or state not in {"noted", "answered"}:
        raise InvalidInputError("Keep the note short.")
    mention.note = kept
    if mention.state in {"new", "noted", "gone"} or state == "answered":
        mention.state = state
    answers.cancel(session, mention.id, "staff looked after it")
    mention.version += 1
    session.flush()
    return mention


def link(session: Session, mention_id: int, version: int, staff_id: int, customer_id: int | None) -> Mention:
    """Whose account it is (None: we don't know). It holds for the account's other mentions that are nobody's
    yet, and for those to come. Raises as `correct`.
    """
    mention = answers.hold(session, mention_id, version)
    if customer_id is not None and customers.get_customer(session, customer_id) is None:
        raise NotFoundError("There is no such customer.")
    others = repository.of_author(session, mention) if customer_id is not None else []
    for one in {mention.id: mention, **{other.id: other for other in others}}.values():
        one.customer_id = customer_id
        one.linked_by = staff_id if customer_id is not None else None
        case = repository.case_of(session, one)
        if case is not None and case.resolved_at is None and case.customer_id != customer_id:
            cases.attach(session, case.id, case.version, staff_id, customer_id)
    mention.version += 1
    session.flush()
    return mention
