"""Complaints, and the way to a person."""

from __future__ import annotations

from typing import Any

from rasa_sdk.events import FollowupAction, SlotSet

from actions.base import Check, CrmAction, Event, FormValidation, Turn
from rapport.conversations import service as conversations
from rapport.shop.facts import get_facts

SHORTEST_COMPLAINT = 2
LONGEST_COMPLAINT = 2000


class ValidateComplaintForm(FormValidation):
    """A complaint must say something and fit into a case."""

    action_name = "validate_complaint_form"

    def checks(self) -> dict[str, Check]:
        return {"complaint_text": self._check_text}

    def _check_text(self, turn: Turn) -> dict[str, Any]:
        text = turn.slot("complaint_text") or ""
        if SHORTEST_COMPLAINT <= len(text) <= LONGEST_COMPLAINT:
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
        case = conversations.open_case(turn.session, turn.conversation, "complaint", text, turn.message_key)
        turn.say("utter_complaint_taken", case=case.id)
        # Kept, it would fill the form of the next complaint.
        return [SlotSet("complaint_text", None)]


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
