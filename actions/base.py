"""What every action shares: a thread, a database session, the conversation, and one commit at the end.

An action is thin: it reads slots, calls one service and answers with a response's name. Who the customer is
comes from the conversation's own record, never from slots or text.
"""

from __future__ import annotations

import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from anyio import to_thread
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import Action, Tracker
from sqlalchemy.orm import Session

from rapport.conversations import rules
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation
from rapport.customers import verification
from rapport.kit import clock, database, languages
from rapport.shop.facts import get_facts

Event = dict[str, Any]
Button = tuple[str, str]  # title and payload

MAX_KEY_LENGTH = 80
VERIFICATION = "verification_form"
TRACKING = "action_track_order"


@dataclass
class Turn:
    """All an action needs to know. `customer_id` is set only while the conversation is verified."""

    session: Session
    conversation: Conversation
    message_key: str
    language: str
    customer_id: int | None
    tracker: Tracker
    dispatcher: CollectingDispatcher

    def say(self, response: str, /, buttons: list[Button] | None = None, **variables: Any) -> None:
        """Answer with a response by name; `variables` fill its placeholders, `buttons` follow its own."""
        offered = [{"title": title, "payload": payload} for title, payload in buttons or ()]
        self.dispatcher.utter_message(response=response, buttons=offered, **variables)

    @property
    def intent(self) -> str:
        """What the message was understood as; empty when nothing was said, as after a form."""
        return str(((self.tracker.latest_message or {}).get("intent") or {}).get("name") or "")

    @property
    def text(self) -> str:
        """What the customer just wrote, or the payload of the button they pressed."""
        return str((self.tracker.latest_message or {}).get("text") or "")

    def named(self, entity: str) -> str | None:
        """The first value of an entity in the latest message, whatever the message was understood as."""
        return next(self.tracker.get_latest_entity_values(entity), None)

    def card(self, card: dict[str, Any]) -> None:
        """Show a card (`type` says which) below what was said."""
        self.dispatcher.utter_message(json_message=card)

    def slot(self, name: str) -> str | None:
        """A slot's text; None when it is unset or blank (the domain empties slots with "")."""
        value = self.tracker.slots.get(name)
        if isinstance(value, list):  # Rasa hands over a list when a message names several
            value = value[0] if value else None
        return value.strip() or None if isinstance(value, str) else None


class CrmAction(Action, ABC):
    """An action on the CRM. Only one that says `writes` can change anything."""

    action_name: ClassVar[str]
    writes: ClassVar[bool] = False

    def name(self) -> str:
        return self.action_name

    async def run(
        self,
        dispatcher: CollectingDispatcher,
        tracker: Tracker,
        domain: Any,
    ) -> list[Event]:
        return await to_thread.run_sync(self._run, dispatcher, tracker)

    def _run(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        scope = database.session_scope if self.writes else database.read_scope
        with scope() as session:
            return self.perform(_begin(session, dispatcher, tracker))

    def perform(self, turn: Turn) -> list[Event]:
        """`answer`, with whatever a subclass of this base puts before it."""
        return self.answer(turn)

    @abstractmethod
    def answer(self, turn: Turn) -> list[Event]:
        """Say something and return the events for Rasa's tracker."""


class PrivateAction(CrmAction, ABC):
    """An action that tells or changes something of one customer, so it first makes sure who that is."""

    def perform(self, turn: Turn) -> list[Event]:
        if turn.customer_id is not None:
            return self.answer_customer(turn, turn.customer_id)
        if _only_waits(turn, self.action_name):
            turn.say("utter_still_waiting", hours=get_facts().opening_hours(turn.language, clock.now()))
            return []
        return start_verification(turn, self.action_name)

    def answer(self, turn: Turn) -> list[Event]:
        raise AssertionError("a private action answers through answer_customer")

    @abstractmethod
    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        """Like `answer`, for a verified customer."""


def private_actions() -> set[str]:
    """The names of all private actions, however they are derived."""
    return {action.action_name for action in _derived(PrivateAction) if not inspect.isabstract(action)}


def _derived(base: type[Any]) -> Iterator[type[Any]]:
    for derived in base.__subclasses__():
        yield derived
        yield from _derived(derived)


# Looks at a slot's new value and returns the slots to set: itself, or None to ask again.
Check = Callable[[Turn], dict[str, Any]]


class FormValidation(CrmAction, ABC):
    """Checks what a form just extracted.

    rasa-sdk's own FormValidationAction reads the form's slots from the domain, which is not sent to us, and
    runs outside our session.
    """

    writes = True

    @abstractmethod
    def checks(self) -> dict[str, Check]:
        """What checks which slot of the form, in this order."""

    def answer(self, turn: Turn) -> list[Event]:
        extracted = turn.tracker.slots_to_validate()
        checked: dict[str, Any] = {}
        for slot, check in self.checks().items():
            # A check may already have settled a slot that comes after it.
            if extracted.get(slot) is not None and slot not in checked:
                checked.update(check(turn))
        return [SlotSet(slot, value) for slot, value in checked.items()]


def start_verification(turn: Turn, pending: str) -> list[Event]:
    """Ask who this is and go on with `pending` afterwards."""
    waiting = turn.slot("pending_action")
    follow = FollowupAction(VERIFICATION)
    if turn.tracker.active_loop_name != VERIFICATION:
        # What is left from an earlier attempt would be taken for an answer.
        return [SlotSet("pending_action", pending), SlotSet("email", None), SlotSet("code", None), follow]
    if waiting and rules.lacks_something(turn.text):
        # "I have no account" answers the question for an address; understood as a wish, it isn't one.
        turn.say("utter_form_unclear")
        return [follow]
    if waiting in {None, pending} or turn.text.startswith("/"):
        return [SlotSet("pending_action", pending), follow]
    # What was asked first stays first; this is taken up after it (bot/second_wish.py).
    return [SlotSet("also_asked", {"text": turn.text, "entities": _found_by_app(turn)}), follow]


def _found_by_app(turn: Turn) -> list[dict[str, Any]]:
    """What the app found in the latest message."""
    metadata = (turn.tracker.latest_message or {}).get("metadata") or {}
    return list(metadata.get("entities") or [])


def _only_waits(turn: Turn, action: str) -> bool:
    """Whether "still waiting …" is understood as `action` while a person was asked for and has not come yet.

    Whoever gives an address or a number, or presses a button, or is just being verified, means it.
    """
    return (
        turn.conversation.status == "waiting"
        and turn.tracker.active_loop_name != VERIFICATION
        and not turn.text.startswith("/")
        and not any(turn.named(entity) for entity in ("order_number", "email"))
        and (rules.only_waits(turn.text) or (action == TRACKING and not rules.names_order(turn.text)))
    )


def _begin(session: Session, dispatcher: CollectingDispatcher, tracker: Tracker) -> Turn:
    conversation = conversations.get(session, tracker.sender_id)
    # The slot, not the conversation: Rasa picks the response's language by it, and what we put in must match.
    language = languages.normalise(tracker.slots.get("language")) or conversation.language
    return Turn(
        session=session,
        conversation=conversation,
        message_key=message_key(tracker),
        language=language,
        customer_id=verification.current_customer_id(conversation),
        tracker=tracker,
        dispatcher=dispatcher,
    )


def message_key(tracker: Tracker) -> str:
    """The idempotency key of everything this turn writes; the same when Rasa repeats the turn.

    Raises ValueError when the message carries no id.
    """
    message = tracker.latest_message or {}
    message_id = (message.get("metadata") or {}).get("message_id") or message.get("message_id")
    if not message_id:
        raise ValueError("the message carries no id")
    key = f"{tracker.sender_id}:{message_id}"
    if len(key) <= MAX_KEY_LENGTH:
        return key
    digest = hashlib.sha256(str(message_id).encode()).hexdigest()
    return f"{tracker.sender_id}:{digest}"[:MAX_KEY_LENGTH]
