"""Complaints, and the way to a person."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from rasa_sdk.events import ActionExecutionRejected, ActiveLoop, FollowupAction, SlotSet
from rasa_sdk.interfaces import Tracker

from actions import cases
from actions.base import Check, CrmAction, Event, FormValidation, Turn
from actions.knowledge import answer_topic
from rapport.cases import asking
from rapport.cases import service as work
from rapport.cases.models import Case
from rapport.conversations import answers, rules
from rapport.conversations import service as conversations
from rapport.handoff.texts import moment
from rapport.kit import clock
from rapport.shop.facts import get_facts
from rapport.shop.hours import is_open, opens_next

FORM = "complaint_form"


class AskComplaintText(CrmAction):
    """What happened; or, if that was said already, whether to pass it on as it is."""

    action_name = "action_ask_complaint_text"

    def answer(self, turn: Turn) -> list[Event]:
        if cases.asks_after(turn) and turn.slot("requested_slot") in (None, "complaint_text"):
            # "What happened to my complaint?" is none. The form ends before anything was asked for.
            return [ActiveLoop(None), SlotSet("requested_slot", None), FollowupAction(cases.STATUS)]
        told = rules.is_told(opening_message(turn.tracker, FORM))
        turn.say("utter_complaint_as_it_is" if told else "utter_ask_complaint_text")
        return []


class ValidateTold(FormValidation, ABC):
    """What was asked for in their own words must be that. A yes means what was said at the start."""

    asked_for: ClassVar[str]  # the form's slot
    asked: ClassVar[answers.Asked]
    too_short: ClassVar[str]  # a response

    @property
    @abstractmethod
    def form(self) -> str:
        """The form that asks for it."""

    def checks(self) -> dict[str, Check]:
        return {self.asked_for: self._check_text}

    def answer(self, turn: Turn) -> list[Event]:
        if self._understood(turn) != "question":
            return super().answer(turn)
        forget = SlotSet(self.asked_for, None)
        # Otherwise Rasa lets the rules answer, as it does when nothing was extracted.
        return [forget] if answer_topic(turn) else [forget, ActionExecutionRejected(self.form)]

    def _check_text(self, turn: Turn) -> dict[str, Any]:
        opening = opening_message(turn.tracker, self.form)
        if turn.intent == "affirm" and rules.is_told(opening):
            return {self.asked_for: opening}
        match self._understood(turn):
            case "story":
                return {self.asked_for: turn.slot(self.asked_for)}
            case "insult":
                turn.say("utter_calm")
            case "short":
                turn.say(self.too_short)
            case _:
                turn.say("utter_form_continue")
        return {self.asked_for: None}

    def _understood(self, turn: Turn) -> answers.Answer | None:
        """What the message is as an answer; None when it is none, or only a yes."""
        text = turn.slot(self.asked_for)
        extracted = turn.tracker.slots_to_validate().get(self.asked_for) is not None
        if not extracted or turn.intent == "affirm":
            return None
        insulted = any(turn.tracker.get_latest_entity_values("insult"))
        topic = turn.named("topic") is not None
        return answers.understood(self.asked, text or "", turn.intent, insulted, topic)


class ValidateComplaintForm(ValidateTold):
    """A complaint must say what happened; the channel limits how much."""

    action_name = "validate_complaint_form"
    form = FORM
    asked_for = "complaint_text"
    asked = answers.COMPLAINT
    too_short = "utter_complaint_too_short"


class TakeComplaint(CrmAction):
    """Opens a case for the shop's people."""

    action_name = "action_take_complaint"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        text = turn.slot("complaint_text")
        if text is None:
            return [] if cases.asks_after(turn) else [FollowupAction(FORM)]
        story = rules.complaint_story(opening_message(turn.tracker, FORM), text)
        taken_up = _take_up_again(turn, story)
        if taken_up is None:
            case = conversations.open_case(
                turn.session, turn.conversation, "complaint", story, turn.message_key
            )
            turn.say("utter_complaint_taken", case=case.id)
        else:
            turn.say("utter_complaint_reopened", case=taken_up.id)
        # Kept, it would fill the form of the next complaint.
        return [SlotSet("complaint_text", None)]


def _take_up_again(turn: Turn, story: str) -> Case | None:
    """The complaint that was resolved lately and is not over, by the customer's words or because they had
    just been told of it; it is open again.
    """
    customer_id = turn.customer_id
    again = asking.says_again(story) or said_before_form(turn.tracker, FORM) in cases.TOLD_AS_OVER
    if not again:
        return None
    return work.take_up_again(
        turn.session, turn.conversation, customer_id, ("complaint",), story, turn.message_key
    )


def opening_message(tracker: Tracker, form: str) -> str | None:
    """What the customer said when the form began, the last time it did."""
    opening = said = None
    for event in tracker.events:
        if event["event"] == "user":
            said = (event.get("text") or "").strip()
        elif event["event"] == "active_loop" and event.get("name") == form:
            opening = said
    return opening


def said_before_form(tracker: Tracker, form: str) -> str | None:
    """The last response before the message by which a form began, the last time it did."""
    said: str | None = None
    before: str | None = None
    opening: str | None = None
    for event in tracker.events:
        if event["event"] == "bot":
            said = (event.get("metadata") or {}).get("utter_action")
        elif event["event"] == "user":
            before = said
        elif event["event"] == "active_loop" and event.get("name") == form:
            opening = before
    return opening


def said_before(tracker: Tracker) -> str | None:
    """The last response before the latest message."""
    said: str | None = None
    before: str | None = None
    for event in tracker.events:
        if event["event"] == "bot":
            said = (event.get("metadata") or {}).get("utter_action")
        elif event["event"] == "user":
            before = said
    return before


def say_handed_over(turn: Turn) -> None:
    """A person was told; honestly, whether one is there now."""
    facts, now = get_facts(), clock.now()
    hours = facts.opening_hours(turn.language, now)
    opens = opens_next(facts, now)
    if is_open(facts, now) or opens is None:
        turn.say("utter_handed_over", hours=hours)
    else:
        turn.say("utter_handed_over_closed", opens=moment(opens, turn.language, facts.timezone))


class HandOver(CrmAction):
    """Marks the conversation as waiting for a person."""

    action_name = "action_hand_over"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        if conversations.hand_over(turn.session, turn.conversation, "asked for a person", turn.message_key):
            say_handed_over(turn)
        else:
            turn.say("utter_already_handed_over")
        return []
