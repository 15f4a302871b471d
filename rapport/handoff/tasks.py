"""Nobody came in time: the customer is told, once, and what they wanted is kept as a case. Somebody came and
says nothing: others are asked.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.channels import notices, outbound
from rapport.conversations import events
from rapport.conversations import repository as conversations
from rapport.conversations import service as talks
from rapport.conversations.models import Conversation, Handoff, Message
from rapport.customers import verification
from rapport.handoff import repository, rules, service, texts
from rapport.handoff.rules import Step
from rapport.kit import clock
from rapport.kit.database import DATABASE_AWAY, read_scope, session_scope
from rapport.kit.settings import get_settings
from rapport.shop.facts import get_facts
from rapport.shop.hours import is_open, opens_next
from rapport.staff import service as staff

log = logging.getLogger(__name__)

AT_ONCE = 500
# Who took a conversation has so many times as long to say something as others had to come.
TIMES_FOR_AN_ANSWER = 2
TOLD = {"told": "told that nobody came", "again": "back in the queue without an answer"}
NOBODY_CAME = "app_nobody_came"
# What a case begins with when the customer asked for a person without a word of why.
WITHOUT_WORDS = "–"


def run(engine: Engine) -> str:
    """Looks at who waits; one transaction for each who has waited too long."""
    now, done = clock.now(), Counter[str]()
    patience = timedelta(minutes=get_settings().handoff_minutes)
    open_now = is_open(get_facts(), now)
    longest = patience * TIMES_FOR_AN_ANSWER
    with read_scope(engine) as session:
        waiting = repository.overdue(session, AT_ONCE)
        silent = repository.silent(session, now - longest, AT_ONCE) if open_now else ()
    work = [(one, _look_at, patience) for one in waiting] + [(one, _take_back, longest) for one in silent]
    for conversation_id, look, time in work:
        try:
            with session_scope(engine) as session:
                done[look(session, conversation_id, time, open_now)] += 1
        except DATABASE_AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - the trouble of one must not leave all behind them waiting
            log.error("Conversation %s cannot be told: %s", conversation_id, type(error).__name__)
    told = [f"{done[key]} {words}" for key, words in TOLD.items() if done[key]]
    return ", ".join(told) or "nobody has waited too long"


def _take_back(session: Session, conversation_id: str, patience: timedelta, open_now: bool) -> str:
    conversation = session.get_one(Conversation, conversation_id)
    whose = service.take_back(session, conversation, patience, open_now)
    if whose is None:
        return "stays"
    staff.note(session, None, "release", "conversation", conversation_id, of=whose)
    return "again"


def _look_at(session: Session, conversation_id: str, patience: timedelta, open_now: bool) -> str:
    """With the conversation's lock: somebody may be taking it over at this moment."""
    conversation = session.get_one(Conversation, conversation_id)
    status = repository.locked_status(session, conversation)
    handoff = repository.open_handoff(session, conversation_id)
    now = clock.now()
    if (
        status != "waiting"
        or handoff is None
        or handoff.waiting_since is None
        or not rules.is_missed(handoff.waiting_since, now, patience, open_now)
    ):
        return "wait"
    stopped = repository.said_stop_since(session, conversation_id, handoff.requested_at, notices.STOPPED)
    _open_case(session, conversation, handoff)
    if not stopped:
        _tell(session, conversation, open_now)
    handoff.missed_at = handoff.closed_at = now
    handoff.waiting_since = None
    conversation.status = rules.after(status, Step.MISS)
    session.flush()
    events.announce(session, conversation_id)
    return "told"


def case_key(handoff: Handoff) -> str:
    """What finds the case of a wish nobody came for."""
    return f"handoff:{handoff.id}"


def _open_case(session: Session, conversation: Conversation, handoff: Handoff) -> None:
    words = repository.words_about(session, conversation.id, handoff.requested_at)
    talks.open_case(session, conversation, "callback", "\n".join(words) or WITHOUT_WORDS, case_key(handoff))


def _tell(session: Session, conversation: Conversation, open_now: bool) -> None:
    now = clock.now()
    sequence, _, language = conversations.advance(session, conversation.id, 1, now)
    session.add(
        Message(
            conversation_id=conversation.id,
            sequence=sequence,
            author="bot",
            channel=conversation.channel,
            status="untold",
            text=f"{_why(language, open_now)} {_offer(conversation, language)}",
            content={},
            language=language,
            response=NOBODY_CAME,
            at=now,
        )
    )
    session.flush()
    outbound.queue(session, conversation, [{"sequence": sequence}])


def _why(language: str, open_now: bool) -> str:
    if open_now:
        return texts.text("busy", language)
    facts = get_facts()
    opens = opens_next(facts, clock.now())
    if opens is None:
        return texts.text("closed_long", language)
    return texts.text("closed", language, opens=texts.moment(opens, language, facts.timezone))


def _offer(conversation: Conversation, language: str) -> str:
    if conversation.channel == "email":
        return texts.text("answered_by_mail", language)
    if conversation.channel != outbound.WEB:
        return texts.text("answered_here", language)
    known = verification.current_customer_id(conversation) is not None
    return texts.text("address_known" if known else "leave_address", language)
