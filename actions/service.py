"""Complaints, and the way to a person."""

from __future__ import annotations

from typing import Any

from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.interfaces import Tracker

from actions.base import Check, CrmAction, Event, FormValidation, Turn
from rapport.conversations import rules
from rapport.conversations import service as conversations
from rapport.shop.facts import get_facts

SHORTEST_COMPLAINT = 2


class ValidateComplaintForm(FormValidation):
    """A complaint must say something; the channel limits how much."""

    action_name = "validate_complaint_form"

    def checks(self) -> dict[str, Check]:
        return {"complaint_text": self._check_text}

    def _check_text(self, turn: Turn) -> dict[str, Any]:
        text = turn.slot("complaint_text") or ""
        if len(text) >= SHORTEST_COMPLAINT:
            return {"complaint_text": text}
        turn.say("utter_complaint_too_short")
        return {"complaint_text": None}


class TakeComplaint(CrmAction):
    """Opens a case for the shop's people."""

    action_name = "action_take_complaint"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        text = turn.slot("complaint_text")
        if text is None:
            return [FollowupAction("complaint_form")]
        story = rules.complaint_story(opening_message(turn.tracker, "complaint_form"), text)
        case = conversations.open_case(turn.session, turn.conversation, "complaint", story, turn.message_key)
        turn.say("utter_complaint_taken", case=case.id)
        # Kept, it would fill the form of the next complaint.
        return [SlotSet("complaint_text", None)]


def opening_message(tracker: Tracker, form: str) -> str | None:
    """What the customer said when the form began, the last time it did."""
    opening = said = None
    for event in tracker.events:
        if event["event"] == "user":
            said = (event.get("text") or "").strip()
        elif event["event"] == "active_loop" and event.get("name") == form:
            opening = said
    return opening


class HandOver(CrmAction):
    """Marks the conversation as waiting for a person."""

    action_name = "action_hand_over"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        if conversations.hand_over(turn.session, turn.conversation, "asked for a person", turn.message_key):
            turn.say("utter_handed_over", hours=get_facts().contact.hours.of(turn.language))
        else:
            turn.say("utter_already_handed_over")
        return []
