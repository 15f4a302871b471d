"""Working on cases, as the console and the bot do it.

Every change names the version it was decided on. Whoever decides on an older one is told what changed
meanwhile, and nothing is overwritten. Locks: the conversation first, then the case.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from rapport.cases import opening, repository, rules, words
from rapport.cases.models import Case, CaseEvent
from rapport.conversations import repository as conversations
from rapport.conversations.models import Conversation
from rapport.customers import repository as customers
from rapport.handoff import service as handoff
from rapport.kit import clock, languages
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.kit.locks import one_at_a_time
from rapport.outreach import compose
from rapport.outreach import service as outreach
from rapport.staff import repository as staff
from rapport.staff import service as accounts
from rapport.staff.rules import May, may

MAIL = "mail"
MAIL_PURPOSE = "case_answer"


class ChangedError(ConflictError):
    """Somebody changed the case after it was looked at; `news` is what happened since."""

    def __init__(self, case: Case, news: Sequence[CaseEvent]) -> None:
        super().__init__("Somebody changed this case meanwhile. Nothing of yours was stored.")
        self.case = case
        self.news = news


class UnreachedError(InvalidInputError):
    """What would be written now reaches the customer on no way."""


def get(session: Session, case_id: int) -> Case:
    """Raises NotFoundError."""
    case = repository.get(session, case_id)
    if case is None:
        raise NotFoundError("There is no such case.")
    return case


def open_by_hand(
    session: Session,
    staff_id: int,
    *,
    kind: str,
    text: str,
    language: str,
    priority: str = "normal",
    customer_id: int | None = None,
    order_number: str = "",
    source_url: str = "",
    contact: str = "",
    conversation_id: str | None = None,
    key: str = "",
) -> Case:
    """A case that came in another way: somebody phoned, wrote about the shop elsewhere, or said in a
    conversation what the bot did not take down. The same `key` again opens no other. Raises
    InvalidInputError.
    """
    if kind not in rules.BY_HAND or priority not in rules.PRIORITIES:
        raise InvalidInputError("Choose what it is and how urgent it is.")
    spoken = languages.normalise(language)
    if spoken is None or len(contact) > rules.LONGEST_CONTACT or len(order_number) > rules.LONGEST_NUMBER:
        raise InvalidInputError("Choose a language, and keep name and number short.")
    message_key = f"staff:{key or uuid4().hex}"
    one_at_a_time(session, message_key)
    if (known := repository.by_key(session, message_key)) is not None:
        return known
    case = Case(
        kind=kind,
        text=rules.checked_text(text),
        language=spoken,
        priority=priority,
        customer_id=customer_id,
        order_number=order_number.strip() or None,
        conversation_id=conversation_id,
        source_url=rules.checked_url(source_url),
        contact=contact.strip() or None,
        message_key=message_key,
    )
    return opening.begin(session, case, staff_id)


def own_doing(session: Session, case_ids: Collection[int], staff_id: int) -> set[int]:
    """Which of these cases they named the customer of themselves: see `rules.is_own_doing`."""
    managers = {one.id for one in staff.everybody(session) if may(one.role, May.PEOPLE)}
    found = repository.whose(session, case_ids)
    return {case_id for case_id, history in found.items() if rules.is_own_doing(history, staff_id, managers)}


def take(session: Session, case_id: int, version: int, staff_id: int) -> Case:
    """They look after it from now on. Raises NotFoundError, ChangedError or ConflictError."""
    case = _hold(session, case_id, version, "take")
    before, case.owner_id = case.owner_id, staff_id
    return _done(session, case, "taken", staff_id, before=before)


def assign(session: Session, case_id: int, version: int, staff_id: int, owner_id: int | None) -> Case:
    """Somebody else looks after it, or nobody. Raises as `take`, and InvalidInputError."""
    if owner_id is not None and accounts.get(session, owner_id).disabled_at is not None:
        raise InvalidInputError("That account is switched off.")
    case = _hold(session, case_id, version, "assign")
    before, case.owner_id = case.owner_id, owner_id
    return _done(session, case, "assigned", staff_id, before=before, after=owner_id)


def set_due(session: Session, case_id: int, version: int, staff_id: int, due: datetime) -> Case:
    """Another time it is due. Raises as `take`."""
    case = _hold(session, case_id, version, "due")
    before, case.due_at = case.due_at, due
    return _done(session, case, "due", staff_id, before=before.isoformat(), after=due.isoformat())


def set_priority(session: Session, case_id: int, version: int, staff_id: int, priority: str) -> Case:
    """How urgent it is; the time it is due follows. Raises as `take`, and InvalidInputError."""
    if priority not in rules.PRIORITIES:
        raise InvalidInputError("Choose how urgent it is.")
    case = _hold(session, case_id, version, "priority")
    before, case.priority = case.priority, priority
    case.due_at = opening.due_at(case.kind, priority, case.opened_at)
    return _done(session, case, "priority", staff_id, before=before, after=priority)


def attach(session: Session, case_id: int, version: int, staff_id: int, customer_id: int | None) -> Case:
    """Whose case it is. Raises as `take`."""
    if customer_id is not None and customers.get_customer(session, customer_id) is None:
        raise NotFoundError("There is no such customer.")
    case = _hold(session, case_id, version, "customer")
    before, case.customer_id = case.customer_id, customer_id
    return _done(session, case, "customer", staff_id, before=before, after=customer_id)


def note(session: Session, case_id: int, staff_id: int, text: str) -> Case:
    """Something for colleagues. It contradicts nothing, so it names no version. Raises InvalidInputError."""
    text = rules.checked_text(text)
    case = _hold(session, case_id, None, "note")
    return _done(session, case, "note", staff_id, text, changes=False)


def answer(
    session: Session, case_id: int, version: int, staff_id: int, text: str, asks: bool = False
) -> Case:
    """Writes to the customer; with `asks` the case then waits for them.

    Raises as `take`, InvalidInputError, and UnreachedError when nothing of it would get there.
    """
    text = rules.checked_text(text)
    case = _hold(session, case_id, version, "ask" if asks else "answer")
    case.owner_id = case.owner_id or staff_id
    used = _tell(session, case, staff_id, text)
    if not used:
        raise UnreachedError("There is no way to reach this customer now.")
    return _done(session, case, "asked" if asks else "answered", staff_id, text, ways=used)


def resolve(
    session: Session,
    case_id: int,
    version: int,
    staff_id: int,
    outcome: str,
    text: str = "",
    tell: bool = True,
) -> tuple[Case, list[str]]:
    """Ends a case: (it, on which ways the customer was told).

    Without `text` they are told in the shop's words for the outcome, if it has some. Not with `tell` False;
    the bot says it all the same when asked. Raises as `take`, and InvalidInputError.
    """
    case = get(session, case_id)
    rules.checked_outcome(case.kind, outcome)
    text = rules.checked_text(text) if text.strip() else ""
    case = _hold(session, case_id, version, "resolve")
    said = text or words.resolution(case, outcome, language_of(session, case))
    case.owner_id = case.owner_id or staff_id
    case.outcome, case.resolution, case.resolved_at = outcome, text or None, clock.now()
    used = _tell(session, case, staff_id, said) if tell and said else []
    _done(session, case, "resolved", staff_id, text or None, outcome=outcome, ways=used)
    return case, used


def reopen(session: Session, case_id: int, version: int, staff_id: int) -> Case:
    """It was not over. Raises as `take`."""
    case = _hold(session, case_id, version, "reopen")
    return _reopened(session, case, staff_id)


def take_up_again(
    session: Session,
    conversation: Conversation,
    customer_id: int | None,
    kinds: Sequence[str],
    text: str,
    message_key: str,
) -> Case | None:
    """The customer says that what was resolved last is not over: it is open again, or None if there is none.

    The same `message_key` again changes nothing.
    """
    conversations.lock(session, conversation.id)
    found = latest(session, conversation, customer_id, kinds)
    for case in found:
        if any(
            event.details.get("message_key") == message_key for event in repository.history(session, case.id)
        ):
            return case
    resolved = next((case for case in found if case.resolved_at is not None), None)
    if resolved is None:
        return None
    case = _hold(session, resolved.id, None)
    if case.resolved_at is None:  # somebody reopened it just now: then this is one more word on it
        return _done(session, case, "heard", None, text, changes=False, message_key=message_key)
    case.status = rules.after(case.status, "reopen")
    return _reopened(session, case, None, text, message_key=message_key)


def heard(session: Session, case_id: int) -> None:
    """The customer wrote while the case waited for them."""
    case = _hold(session, case_id, None)
    if case.status == "waiting":
        case.status = rules.after(case.status, "heard")
        _done(session, case, "heard", None)


def latest(
    session: Session, conversation: Conversation, customer_id: int | None, kinds: Sequence[str] = rules.KINDS
) -> Sequence[Case]:
    """What a customer may ask after: their newest cases that are open, or were resolved not long ago."""
    since = clock.now() - rules.REOPENS_WITHIN
    found = repository.latest_of(session, conversation.id, customer_id, kinds, since)
    return [case for case in found if case.customer_id == customer_id or not _is_anothers(case, conversation)]


def answered_requests(
    session: Session, customer_id: int, topic: str, order_number: str | None = None
) -> Sequence[Case]:
    """The customer's requests of a kind that were resolved lately, newest first; of one order or of all."""
    since = clock.now() - rules.REOPENS_WITHIN
    return repository.answered_requests(session, customer_id, topic, order_number, since)


def language_of(session: Session, case: Case) -> str:
    """The language the customer speaks now."""
    talk = session.get(Conversation, case.conversation_id) if case.conversation_id else None
    return talk.language if talk else case.language


def ways_of(session: Session, case: Case) -> rules.Ways:
    """How what is written now reaches the customer."""
    talk = session.get(Conversation, case.conversation_id) if case.conversation_id else None
    hindrance = last = None
    if talk is not None:
        hindrance = handoff.reach(session, talk).why
        point = repository.contact_point(session, talk.id)
        if point is not None and point.stopped_at is not None:
            hindrance = "stopped"
        if _is_anothers(case, talk):
            hindrance = "other"
        last = repository.last_heard(session, talk.id)
    return rules.ways(
        talk.channel if talk else None,
        last_heard=last,
        now=clock.now(),
        hindrance=hindrance,
        address=_address(session, case) is not None,
        refuses_mail=_refuses_mail(session, case),
    )


def _is_anothers(case: Case, talk: Conversation) -> bool:
    """Whether somebody else has shown since who they are in the conversation, as on a shared computer."""
    return case.customer_id is not None and talk.customer_id not in {None, case.customer_id}


def _address(session: Session, case: Case) -> str | None:
    return repository.verified_address(session, case.customer_id) if case.customer_id else None


def _refuses_mail(session: Session, case: Case) -> bool:
    policy = customers.policy_of(session, case.customer_id) if case.customer_id else None
    return policy is not None and "email" in policy.refused_channels


def _tell(session: Session, case: Case, staff_id: int, text: str) -> list[str]:
    """Hands a text to the customer on every way there is now; which these were."""
    open_ways = ways_of(session, case)
    used = []
    if open_ways.chat and case.conversation_id:
        talk = session.get_one(Conversation, case.conversation_id)
        handoff.say(session, talk, staff_id, text, f"case:{case.id}:{case.version}")
        used.append(talk.channel)
    if open_ways.mail:
        language = language_of(session, case)
        mail = compose.compose(
            MAIL_PURPOSE, language, what=words.about(case, language), case=case.id, text=text
        )
        outreach.enqueue(
            session,
            key=f"case:{case.id}:{case.version}",
            purpose=MAIL_PURPOSE,
            recipient=_address(session, case),
            subject=mail.subject,
            text=mail.text,
            language=language,
        )
        used.append(MAIL)
    return used


def _hold(session: Session, case_id: int, version: int | None, action: str | None = None) -> Case:
    """The case, locked, in the state it has after `action`. None: whatever its version is.

    Raises NotFoundError, ChangedError, and ConflictError when that cannot be done in its state.
    """
    conversation_id = get(session, case_id).conversation_id
    if conversation_id is not None:
        conversations.lock(session, conversation_id)
    case = repository.lock(session, case_id)
    assert case is not None  # cases are never deleted
    if version is not None and case.version != version:
        raise ChangedError(case, repository.history(session, case.id, version))
    if action is not None:
        case.status = rules.after(case.status, action)
    return case


def _done(
    session: Session,
    case: Case,
    what: str,
    staff_id: int | None,
    text: str | None = None,
    *,
    changes: bool = True,
    **details: Any,
) -> Case:
    case.version += changes
    session.flush()
    repository.add_event(session, case, what, staff_id, text, **details)
    return case


def _reopened(
    session: Session, case: Case, staff_id: int | None, text: str | None = None, **more: Any
) -> Case:
    was = case.outcome
    case.resolved_at = case.outcome = case.resolution = None
    case.due_at = opening.due_at(case.kind, case.priority, clock.now())
    return _done(session, case, "reopened", staff_id, text, outcome=was, **more)
