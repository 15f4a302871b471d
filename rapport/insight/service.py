"""How customers found the help they got: asking, and keeping what they tap."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from sqlalchemy.orm import Session

from rapport.channels import outbound
from rapport.conversations import events
from rapport.conversations import repository as conversations
from rapport.conversations import rules as talk
from rapport.conversations import service as cases
from rapport.conversations.models import Conversation, Message
from rapport.conversations.rasa import Reply
from rapport.conversations.texts import load_variations
from rapport.insight import repository, rules
from rapport.insight.models import Satisfaction
from rapport.insight.rules import Situation
from rapport.kit import clock
from rapport.kit.settings import ROOT

QUESTION = "utter_satisfaction_ask"
FILE = ROOT / "data" / "responses" / "satisfaction.yml"


def bot_asks(session: Session, conversation: Conversation, message_key: str, in_form: bool) -> bool:
    """Whether the bot should ask now, after the message of this key; if so that is noted, once."""
    if repository.by_key(session, message_key) is not None:
        return True
    now = clock.now()
    if in_form or conversation.status != "bot":
        return False
    said = repository.lately(session, conversation.id, now - rules.GAP)
    situation = _situation(session, conversation, in_form, [intent for _, intent, _ in said if intent])
    if not rules.bot_may_ask(now, situation):
        return False
    by_person = any(author == "staff" for author, _, _ in said)
    _note(session, conversation, message_key, "person" if by_person else "bot")
    return True


def ask(session: Session, conversation: Conversation) -> Message | None:
    """Asks a customer whom a person has just served; None when it would not be right to ask now.

    The question is stored as the bot's and handed to the channel. Call it where a person is done, in the same
    transaction.
    """
    now = clock.now()
    if not rules.person_may_ask(now, _situation(session, conversation, False, ())):
        return None
    last, _, language = conversations.advance(session, conversation.id, 1, now)
    question = _question(language, last)
    message = Message(
        conversation_id=conversation.id,
        sequence=last,
        author="bot",
        channel=conversation.channel,
        status="stored",
        text=question.text,
        content=talk.content_of(question.buttons, None, None),
        language=language,
        response=QUESTION,
        at=now,
    )
    session.add(message)
    _note(session, conversation, f"person:{conversation.id}:{last}", "person")
    # They did not write just now: where a channel lets us write only to who did, it is not sent.
    outbound.queue(session, conversation, [{"sequence": last}], asked=False)
    events.announce(session, conversation.id)
    return message


def noted_question(
    session: Session, conversation: Conversation, language: str, message_key: str
) -> list[tuple[str, str]]:
    """The question's buttons (title, payload), for words that ask it themselves; it is noted as asked."""
    _note(session, conversation, message_key, "person")
    return list(_question(language, 0).buttons)


def is_asked(session: Session, conversation: Conversation) -> bool:
    """Whether the question was the last thing said."""
    return repository.last_response(session, conversation.id) == QUESTION


def rate(session: Session, conversation: Conversation, score: int, message_key: str) -> Satisfaction:
    """Keeps what they tapped (1 to 5). Another tap within a day corrects it, later ones change nothing."""
    conversations.lock(session, conversation.id)
    given = repository.newest(session, conversation.id)
    if given is None:  # they found a button of a question nobody noted
        given = _note(session, conversation, message_key, "bot")
    now = clock.now()
    if rules.may_correct(given.at, now):
        given.score, given.at = score, given.at or now
        session.flush()
    return given


def _situation(
    session: Session, conversation: Conversation, in_form: bool, intents: list[str] | tuple[()]
) -> Situation:
    before = repository.newest(session, conversation.id)
    return Situation(
        status=conversation.status,
        stopped=repository.has_stopped(session, conversation.id),
        complaint_open=cases.open_complaint(session, conversation) is not None,
        in_form=in_form,
        asked_at=before.asked_at if before else None,
        intents=intents,
    )


def _note(session: Session, conversation: Conversation, message_key: str, handled_by: str) -> Satisfaction:
    asked = Satisfaction(
        conversation_id=conversation.id,
        message_key=message_key,
        handled_by=handled_by,
        asked_at=clock.now(),
    )
    session.add(asked)
    session.flush()
    return asked


def _question(language: str, turn: int) -> Reply:
    variations = _questions()[language]
    question = variations[turn % len(variations)]
    # Rasa would fill in variables; for it the braces are doubled.
    buttons = [(title, payload.replace("{{", "{").replace("}}", "}")) for title, payload in question.buttons]
    return replace(question, buttons=buttons)


@cache
def _questions() -> dict[str, list[Reply]]:
    return load_variations(QUESTION, FILE)
