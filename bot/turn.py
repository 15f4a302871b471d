"""One turn: a customer's message in, the bot's replies out, decided exactly once.

What Rasa's `MessageProcessor.handle_message` does is done here step by step, because the channel needs
three things it has no place for: a message that was answered already is answered from the tracker, a long
session is restarted, and a turn whose actions cannot be reached is abandoned unsaved. Replies are always
read out of the tracker's events, so a first and a repeated answer cannot differ.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rasa.core.agent import Agent
from rasa.core.channels.channel import OutputChannel, UserMessage
from rasa.core.processor import MessageProcessor
from rasa.exceptions import ActionLimitReached
from rasa.shared.core.constants import ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME, REQUESTED_SLOT
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    BotUttered,
    Event,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader
from rasa.shared.nlu.constants import ENTITIES, INTENT, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot import second_wish
from bot.messages import InvalidTurn, Told, Turn
from bot.nlg import SAID, times_said
from bot.nlu.metadata import entities_from_metadata
from bot.trackers import RapportTrackerStore

logger = logging.getLogger(__name__)
CHANNEL = "rapport"
RANKING_LENGTH = 3
# Each event of a session is read, replayed and copied several times a turn: about 0.2 ms for each message
# before. A new session keeps the slots and forgets the events: message 200 takes 1.0 to 1.3 times as long as
# message 5.
MESSAGES_PER_SESSION = 15
# In the metadata of what a person said in the bot's place, or a journey unasked; and what a yes to it means.
SAID_BY, NEXT = "said_by", "next"
NOT_SHOWN = (ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME)


class SilentOutput(OutputChannel):
    """Rasa wants somewhere to send replies; ours are read from the tracker instead."""

    @classmethod
    def name(cls) -> str:
        return CHANNEL

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        return None


class Turns:
    """Takes turns for one loaded agent. One process serves a conversation, so locks live in memory."""

    def __init__(self, agent: Agent, store: RapportTrackerStore) -> None:
        assert agent.processor is not None
        self._processor: MessageProcessor = agent.processor
        # Rasa wraps the store into one that quietly goes on in memory when the database fails. We want the
        # error.
        self._processor.tracker_store = store
        self._store = store
        self._locks: dict[str, asyncio.Lock] = {}
        self._output = SilentOutput()

    @property
    def model(self) -> str:
        return self._processor.model_filename

    async def take(self, turn: Turn) -> dict[str, Any]:
        """The answer of `POST /turn`.

        Raises `InvalidTurn` for a payload Rasa does not understand and `ActionsUnreachable`; nothing is
        saved then.
        """
        async with self._lock(turn.conversation_id):
            done = self._store.find_turn(turn.conversation_id, turn.message_id)
            if done is None:
                return describe(await self._run(turn), repeated=False)
            return describe(done, repeated=True)

    async def tell(self, conversation_id: str, messages: list[Told]) -> int:
        """Notes what was said without the bot; how many of these it did not know yet.

        What a person steps into is theirs: a form in progress ends, or the customer's next words would be
        taken for the answer to a question asked before.
        """
        async with self._lock(conversation_id):
            known = self._store.known(conversation_id, [message.message_id for message in messages])
            new = [message for message in messages if message.message_id not in known]
            tracker = await self._processor.fetch_tracker_and_update_session(conversation_id, self._output)
            # Saved here if it is new: what comes now is noted by its place among what is saved.
            await self._processor.save_tracker(tracker)
            # Also for what is known: the bot may have answered it by a form's question that nobody saw.
            over = end_of_form(tracker) if any(message.steps_in for message in messages) else []
            if not new and not over:
                return 0
            tracker.update_with_events([*over, *map(as_event, new)], self._processor.domain)
            self._store.save_told(tracker, [message.message_id for message in new])
            return len(new)

    async def forget(self, conversation_id: str) -> None:
        """Deletes the conversation's tracker; unknown ids are fine."""
        async with self._lock(conversation_id):
            self._store.delete(conversation_id)

    async def _run(self, turn: Turn) -> list[Event]:
        processor = self._processor
        message = self._message(turn)
        tracker = await processor.fetch_tracker_and_update_session(turn.conversation_id, self._output)
        if is_long(tracker):
            tracker = await self._restart_session(tracker)
        if message.parse_data is None:
            parsed = await processor.parse_message(message, tracker)
            known = bool((message.metadata or {}).get("verified"))
            message.parse_data = second_wish.first_in_order(parsed, known)
        await processor._handle_message_with_tracker(message, tracker)
        tracker = await processor.run_action_extract_slots(self._output, tracker)
        second = second_wish.note(tracker)
        if second is not None:
            tracker.update(second, processor.domain)
        await self._act(tracker)
        tracker = await self._second_wish(tracker, message, second is not None)
        await processor.run_anonymization_pipeline(tracker)
        await processor.save_tracker(tracker)
        return events_of(tracker, turn.message_id)

    async def _act(self, tracker: DialogueStateTracker) -> None:
        """Rasa's prediction loop. Its own has no end when actions are rejected again and again."""
        processor = self._processor
        for _ in range(2 * processor.max_number_of_predictions):
            if not processor._should_handle_message(tracker):
                return
            try:
                action, prediction = processor.predict_next_with_tracker_if_should(tracker)
            except ActionLimitReached:
                break
            if not await processor._run_action(action, tracker, self._output, processor.nlg, prediction):
                return
        logger.warning("A turn was cut off: too many actions, or rejected ones, in a row")
        # Rules begin with listening: without this the next message would match none of them.
        tracker.update(ActionExecuted(ACTION_LISTEN_NAME), processor.domain)

    async def _second_wish(
        self, tracker: DialogueStateTracker, first: UserMessage, new: bool
    ) -> DialogueStateTracker:
        """Takes up the second wish of this message, or of an earlier one, if it is its turn."""
        processor = self._processor
        wish = second_wish.waiting(tracker)
        if wish is None:
            if new and (said := await second_wish.announce(processor.nlg, tracker, self._output)):
                tracker.update(said, processor.domain)
            return tracker
        tracker.update(SlotSet(second_wish.SLOT, None), processor.domain)
        if not new and second_wish.dropped(events_of(tracker, first.message_id)):
            return tracker
        await processor._handle_message_with_tracker(second_wish.as_message(wish, first, tracker), tracker)
        tracker = await processor.run_action_extract_slots(self._output, tracker)
        await self._act(tracker)
        return tracker

    def _message(self, turn: Turn) -> UserMessage:
        metadata = {"message_id": turn.message_id, **turn.metadata.as_dict()}
        message = UserMessage(
            turn.text if turn.payload is None else turn.payload,
            self._output,
            turn.conversation_id,
            input_channel=CHANNEL,
            message_id=turn.message_id,
            metadata=metadata,
        )
        if turn.payload is not None:
            message.parse_data = self._parse_payload(turn.payload, metadata)
        return message

    def _parse_payload(self, payload: str, metadata: dict[str, Any]) -> dict[str, Any]:
        """A payload says itself what it means, so the NLU is not asked; the metadata counts for it as for
        typed text.
        """
        parsed = YAMLStoryReader.unpack_regex_message(
            Message({TEXT: payload}), self._processor.domain, CHANNEL
        )
        if parsed.get(INTENT) is None:
            raise InvalidTurn("payload names no intent of this bot")
        own = parsed.get(ENTITIES) or []
        named = {entity["entity"] for entity in own}
        extra = [e for e in entities_from_metadata(metadata, "") if e["entity"] not in named]
        return {
            TEXT: payload,
            INTENT: parsed.get(INTENT),
            INTENT_RANKING_KEY: parsed.get(INTENT_RANKING_KEY),
            ENTITIES: own + extra,
        }

    async def _restart_session(self, tracker: DialogueStateTracker) -> DialogueStateTracker:
        """Begins a new session with the same slots; saved at once, so this turn runs without old events."""
        tracker.update_with_events(session_start(tracker), self._processor.domain)
        await self._processor.save_tracker(tracker)
        return await self._processor.get_tracker(tracker.sender_id)

    @asynccontextmanager
    async def _lock(self, conversation_id: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(conversation_id, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked() and not lock._waiters:
                self._locks.pop(conversation_id, None)


def as_event(message: Told) -> Event:
    """What was said without the bot, as Rasa keeps it. No intent: nothing is to be done about it."""
    if message.author == "customer":
        return UserUttered(message.text, message_id=message.message_id, input_channel=CHANNEL)
    means = {NEXT: message.next} if message.next else {}
    return BotUttered(message.text, {}, {SAID_BY: message.author, **means})


def end_of_form(tracker: DialogueStateTracker) -> list[Event]:
    """The events that end what the bot was asking for, and what was to come after it."""
    over: list[Event] = []
    if tracker.active_loop_name is not None:
        over += [ActiveLoop(None), SlotSet(REQUESTED_SLOT, None)]
    if second_wish.SLOT in tracker.slots and tracker.get_slot(second_wish.SLOT) is not None:
        over.append(SlotSet(second_wish.SLOT, None))
    return over


def is_long(tracker: DialogueStateTracker) -> bool:
    """Whether the session should be restarted; never inside a form, which a restart would end."""
    if tracker.active_loop_name is not None:
        return False
    messages = 0
    for event in reversed(tracker.events):
        if isinstance(event, SessionStarted):
            break
        messages += isinstance(event, UserUttered)
    return messages >= MESSAGES_PER_SESSION


def session_start(tracker: DialogueStateTracker) -> list[Event]:
    """As Rasa's action_session_start, but with one event for each slot, not for each change it ever had.

    What was said before is kept, so that the next answer is not the last one again.
    """
    return [
        ActionExecuted(ACTION_SESSION_START_NAME),
        SessionStarted(metadata={SAID: dict(times_said(tracker))}),
        *(
            SlotSet(slot.name, slot.value)
            for slot in tracker.slots.values()
            if slot.value != slot.initial_value
        ),
        ActionExecuted(ACTION_LISTEN_NAME),
    ]


def events_of(tracker: DialogueStateTracker, message_id: str) -> list[Event]:
    """The events from the first user message with this id up to the next one with another."""
    turn: list[Event] = []
    for event in tracker.events:
        if isinstance(event, UserUttered) and event.message_id != message_id:
            if turn:
                break
        elif turn or isinstance(event, UserUttered):
            turn.append(event)
    return turn


def describe(events: list[Event], repeated: bool) -> dict[str, Any]:
    """A turn's events (its user message first) as the channel's answer."""
    user = events[0]
    assert isinstance(user, UserUttered)
    return {
        "replies": [reply(event) for event in events if isinstance(event, BotUttered)],
        "understood": understood(user),
        "actions": [
            event.action_name
            for event in events
            if isinstance(event, ActionExecuted) and event.action_name and event.action_name not in NOT_SHOWN
        ],
        "repeated": repeated,
    }


def reply(event: BotUttered) -> dict[str, Any]:
    data = event.data or {}
    buttons = [{"title": b.get("title"), "payload": b.get("payload")} for b in data.get("buttons") or []]
    return {
        "text": event.text or None,
        "buttons": buttons,
        "image": data.get("image") or None,
        "custom": data.get("custom") or None,
        "response": event.metadata.get("utter_action"),
    }


def understood(event: UserUttered) -> dict[str, Any]:
    ranking = event.parse_data.get(INTENT_RANKING_KEY) or []
    return {
        "intent": event.intent_name,
        "confidence": _confidence(event.intent),
        "entities": [
            {key: entity[key] for key in ("entity", "value", "start", "end") if entity.get(key) is not None}
            for entity in event.entities
        ],
        "ranking": [{"name": r.get("name"), "confidence": _confidence(r)} for r in ranking[:RANKING_LENGTH]],
    }


def _confidence(intent: dict[str, Any] | None) -> float:
    return float((intent or {}).get("confidence") or 0.0)
