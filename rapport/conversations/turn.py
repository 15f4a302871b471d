"""One turn: a conversation's next unanswered message goes to Rasa, and its answer is stored exactly once."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, Row

from rapport.channels import notices, outbound
from rapport.channels.base import MAX_TEXT
from rapport.conversations import gate, language, repository, rules, values
from rapport.conversations.events import Events
from rapport.conversations.rasa import (
    Answer,
    Rasa,
    RasaAwayError,
    RasaBrokeOffError,
    RasaRefusedError,
    Reply,
    Told,
)
from rapport.conversations.repository import Head
from rapport.conversations.rules import PublicMessage
from rapport.customers import verification
from rapport.handoff import mail_address
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.shop.catalogue import Catalogue
from rapport.shop.facts import get_facts

log = logging.getLogger(__name__)

# A message that brings Rasa down each time must not be sent for ever.
MAX_ATTEMPTS = 5
MAX_ENTITIES = 20
# The longest conversation with a person fits through Rasa's door in pieces of this many messages.
TOLD_AT_ONCE = 5
NO = "/deny"


class Outcome(Enum):
    """What came of looking after a conversation."""

    NOTHING = auto()  # no message for the bot
    ANSWERED = auto()
    ANSWERED_MORE_WAIT = auto()


class Turns:
    """Takes turns; for many threads, but one at a time per conversation (`ConversationQueue` sees to it)."""

    def __init__(
        self, database: Engine, rasa: Rasa, events: Events, catalogue: Catalogue, trouble: dict[str, Reply]
    ) -> None:
        self._database = database
        self._rasa = rasa
        self._events = events
        self._catalogue = catalogue
        self._trouble = trouble
        # Who said STOP while Rasa was away, by conversation: it is told before it hears more.
        self._untold: dict[str, Head] = {}

    def take(self, conversation_id: str) -> Outcome:
        """Answers the next message, if there is one.

        No transaction is open while Rasa is asked. Raises RasaAwayError: it is to be sent again later.
        """
        head = self._head(conversation_id)
        while head is not None and not _is_for_bot(head):
            self._settle_without_bot(head)
            head = self._head(conversation_id)
        if head is None:
            return Outcome.NOTHING
        started = time.perf_counter()
        self._tell_of_stop(conversation_id)
        self._tell_what_was_said(head)
        found = self._find(head.text) if head.payload is None else []
        self._follow_language(head, found)
        answer = self._address_left(head) or self._gated(head, self._ask(head, found))
        self._store(head, answer, started)
        return Outcome.ANSWERED_MORE_WAIT if head.more else Outcome.ANSWERED

    def stumbled(self, conversation_id: str) -> None:
        """Something unforeseen happened with the next message. The fifth time an apology answers it."""
        head = self._head(conversation_id)
        if head is not None and not self._count_attempt(head):
            self._store(head, Answer(replies=[]), time.perf_counter())

    def _count_attempt(self, head: Head) -> bool:
        """Notes that an attempt failed; False when that was the last one a message gets."""
        if head.attempts + 1 >= MAX_ATTEMPTS:
            log.error("Message %s failed %s times; it gets an apology.", head.message_id, MAX_ATTEMPTS)
            return False
        with session_scope(self._database) as session:
            repository.count_attempt(session, head.message_id)
        return True

    def _head(self, conversation_id: str) -> Head | None:
        with read_scope(self._database) as session:
            head = repository.head(session, conversation_id)
            session.expunge_all()  # it is read after the session has ended
        return head

    def _find(self, text: str) -> list[dict[str, str]]:
        """What the text names: products, categories and topics, times, sums of money, channels not wanted."""
        facts = get_facts()
        today = clock.now().astimezone(ZoneInfo(facts.timezone)).date()
        named = self._catalogue.match(text)[:MAX_ENTITIES]
        return named + values.find(text, today, facts.currency, facts.coupon_prefix)[:MAX_ENTITIES]

    def _settle_without_bot(self, head: Head) -> None:
        """What a notice answers waits for nobody; all else is for the person who has the conversation."""
        if head.notice is None or _is_for_person(head):
            with session_scope(self._database) as session:
                repository.settle(session, head.message_id, status="kept")
            self._tell(head, None)
            return
        said = notices.reply(head.notice, head.conversation.language, head.message_id)
        self._store(head, Answer(replies=[said]), time.perf_counter())
        if head.notice == notices.STOPPED:
            conversation_id = head.conversation.id
            # To the bot it is a no: else what comes next would answer its open question.
            self._untold[conversation_id] = replace(head, text="", payload=NO)
            with suppress(RasaAwayError):
                self._tell_of_stop(conversation_id)

    def _tell_of_stop(self, conversation_id: str) -> None:
        """Raises RasaAwayError: then it is still to be told. Where it broke off, once is enough."""
        head = self._untold.pop(conversation_id, None)
        if head is None:
            return
        try:
            self._ask(head, [])
        except RasaBrokeOffError:
            log.warning("Rasa broke off while it was told of STOP.")
        except RasaAwayError:
            self._untold[conversation_id] = head
            raise

    def _tell_what_was_said(self, head: Head) -> None:
        """What a person said in the bot's place, and the customer to them: it stands in the database until
        the bot knows it. Raises RasaAwayError: then it is still to be told.
        """
        conversation_id = head.conversation.id
        with read_scope(self._database) as session:
            rows = repository.untold(session, conversation_id, head.sequence)
        if not rows:
            return
        # What was taken back before it arrived is no question to the customer.
        told = [_told(row) for row in rows if not _is_taken_back(row)]
        for start in range(0, len(told), TOLD_AT_ONCE):
            try:
                self._rasa.tell(conversation_id, told[start : start + TOLD_AT_ONCE])
            except RasaBrokeOffError:
                # The customer's own message must not wait for ever for that.
                if self._count_attempt(head):
                    raise
            except RasaRefusedError as error:
                log.error(
                    "Rasa refused to be told what was said in conversation %s: %s", conversation_id, error
                )
        with session_scope(self._database) as session:
            repository.mark_told(session, [row.id for row in rows], clock.now())

    def _follow_language(self, head: Head, found: list[dict[str, str]]) -> None:
        conversation = head.conversation
        if head.payload is not None:
            return
        names = [item["text"] for item in found if item["entity"] == "product"]
        spoken = language.follow(head.text, conversation.language, conversation.language_chosen, names)
        if spoken == conversation.language:
            return
        with session_scope(self._database) as session:
            repository.change_language(session, conversation.id, spoken)
        conversation.language = spoken

    def _address_left(self, head: Head) -> Answer | None:
        """The answer to an address for mail, which was asked for without the bot; None to all else."""
        if head.payload is not None or "@" not in head.text:
            return None
        with session_scope(self._database) as session:
            said = mail_address.taken(session, head.conversation, head.sequence, head.text)
        return None if said is None else Answer([Reply(said, [], None, None, "app_address_taken")])

    def _ask(self, head: Head, found: list[dict[str, str]]) -> Answer:
        conversation = head.conversation
        metadata = {
            "language": conversation.language,
            "verified": verification.current_customer_id(conversation) is not None,
            "entities": found,
        }
        try:
            return self._rasa.turn(conversation.id, head.message_id, head.text, head.payload, metadata)
        except RasaBrokeOffError:
            if self._count_attempt(head):
                raise
        except RasaRefusedError as error:
            log.error("Rasa refused message %s: %s", head.message_id, error)
        return Answer(replies=[])

    def _gated(self, head: Head, answer: Answer) -> Answer:
        """Without promises the offer ledger knows nothing of."""
        conversation = head.conversation
        sorry = self._trouble[conversation.language]
        return gate.checked(self._database, conversation.id, head.message_id, answer, sorry)

    def _store(self, head: Head, answer: Answer, started: float) -> None:
        """Writes replies and log in one transaction, unless the message was answered meanwhile."""
        if not answer.replies:
            log.warning("Message %s got no reply from the bot; it gets an apology.", head.message_id)
        now = clock.now()
        with session_scope(self._database) as session:
            count = max(len(answer.replies), 1)
            last, status, spoken = repository.advance_understood(
                session, head.conversation.id, count, now, answer.intent, answer.confidence
            )
            # A person may have taken over while the bot was thinking: then it holds its tongue.
            silent = status == "human" and head.notice != notices.STOPPED
            settled = repository.settle(
                session,
                head.message_id,
                status="kept" if silent else "answered",
                answered_at=None if silent else now,
                language=head.conversation.language,
                intent=answer.intent,
                confidence=answer.confidence,
                entities=answer.entities,
                actions=answer.actions,
                took_ms=round((time.perf_counter() - started) * 1000, 2),
            )
            if not settled:
                session.rollback()
                return
            if silent:
                rows = []
                repository.advance(session, head.conversation.id, -count, now)
            else:
                replies = answer.replies or [self._trouble[spoken]]
                rows = [
                    _row(head, reply, last - count + number, spoken, now)
                    for number, reply in enumerate(replies, 1)
                ]
                repository.add_messages(session, rows)
                outbound.queue(session, head.conversation, rows)
        self._tell(head, None if silent else [rules.public_message(row) for row in rows])

    def _tell(self, head: Head, replies: list[PublicMessage] | None) -> None:
        self._events.answered(head.message_id, replies)
        self._events.changed(head.conversation.id)


def _is_for_person(head: Head) -> bool:
    return head.conversation.status == "human" and head.notice != notices.STOPPED


def _is_for_bot(head: Head) -> bool:
    return head.notice is None and head.conversation.status != "human"


def _is_taken_back(row: Row[Any]) -> bool:
    """Whether nobody asked for it and it never got there: it was refused meanwhile, or nobody was reached."""
    return "journey" in (row.content or {}) and row.delivery in {"cancelled", "failed"}


def _told(row: Row[Any]) -> Told:
    """What was said without the bot, by whom; a yes to a journey's words means what they offer."""
    content = row.content or {}
    by_customer, journey = row.author == "customer", "journey" in content
    return Told(
        row.id,
        "customer" if by_customer else "journey" if journey else "staff",
        (row.text or "")[:MAX_TEXT],
        by_customer or bool(content.get("stepped_in")),
        content.get("next") if journey else None,
    )


def _row(head: Head, reply: Reply, sequence: int, spoken: str, now: datetime) -> dict[str, Any]:
    return {
        "conversation_id": head.conversation.id,
        "sequence": sequence,
        "author": "bot",
        "channel": head.conversation.channel,
        "provider_id": None,
        "status": "stored",
        "text": reply.text,
        "content": rules.content_of(reply.buttons, reply.card, reply.image),
        "reply_to": head.message_id,
        "language": spoken,
        "response": reply.response,
        "attempts": 0,
        "at": now,
    }
