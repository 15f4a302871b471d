"""Making sure who is asking, in the middle of a conversation."""

from __future__ import annotations

from typing import Any

from rasa_sdk.events import FollowupAction, SlotSet

from actions.base import Check, CrmAction, Event, FormValidation, Turn, private_actions
from actions.contact import Subscribe, answer_about_contact
from rapport.customers import rules, verification
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.rules import means_coupon
from rapport.preferences import subscribing
from rapport.shop.facts import get_facts

# The slot `code` holds this when the customer asks for a new code, and DONE once the right one was given:
# the code itself stays nowhere.
RESEND = "resend"
DONE = "done"

# Rasa ends a form that finds no slot requested; action_after_verification then tidies up.
END_FORM: dict[str, Any] = {"email": None, "code": None, "requested_slot": None}


class ValidateVerificationForm(FormValidation):
    """Sends a code to the address, then checks the code. Never tells whether an address is known."""

    action_name = "validate_verification_form"

    def checks(self) -> dict[str, Check]:
        return {"email": self._check_email, "code": self._check_code}

    def _check_email(self, turn: Turn) -> dict[str, Any]:
        address = rules.normalise_email(turn.slot("email") or "")
        if address is None:
            turn.say("utter_email_invalid")
            return {"email": None}
        if not self._send_code(turn, address):
            return END_FORM
        # A code given in the same breath belongs to an earlier mail.
        return {"email": address, "code": None}

    def _check_code(self, turn: Turn) -> dict[str, Any]:
        code = turn.slot("code") or ""
        if code == RESEND:
            return self._resend(turn)
        result = verification.check_code(turn.session, turn.conversation, code, turn.message_key)
        match result:
            case "verified":
                return {"code": DONE}
            case "too_many":
                turn.say("utter_code_too_many")
                return END_FORM
            case "expired":
                turn.say("utter_code_expired")
            case "wrong":
                turn.say("utter_code_wrong")
        return {"code": None}

    def _resend(self, turn: Turn) -> dict[str, Any]:
        address = turn.slot("email")
        if address is None:
            return {"code": None}
        # Too many or not, an earlier code may still be good: go on asking for it.
        self._send_code(turn, address)
        return {"code": None}

    def _send_code(self, turn: Turn, address: str) -> bool:
        result = verification.request_code(turn.session, turn.conversation, address, turn.message_key)
        turn.say("utter_code_sent" if result == "sent" else "utter_too_many_requests")
        if result == "sent" and turn.slot("pending_action") == Subscribe.action_name:
            _ask_stranger(turn, address)
        return result == "sent"


def _ask_stranger(turn: Turn, address: str) -> None:
    """Who is new has nothing a code could open, but may want the newsletter: a mail asks if it is they."""
    subscribing.request(
        turn.session,
        address,
        turn.language,
        source="chat",
        client=turn.conversation.client_hash or turn.conversation.id,
        limited=False,  # codes are: no more are sent than of these
        strangers_only=True,
    )
    turn.say("utter_subscribe_by_mail")


class AfterVerification(CrmAction):
    """Goes on with what was asked for before, if we know now who is asking, and tidies up after the form.

    Also what follows when a code is spoken of and nobody has to be verified: then a discount's may be meant,
    or the digits answer another question.
    """

    action_name = "action_after_verification"

    def answer(self, turn: Turn) -> list[Event]:
        pending = turn.slot("pending_action")
        events = [SlotSet(name, None) for name in ("email", "code", "pending_action")]
        if turn.customer_id is None:
            return events
        events.append(SlotSet("verified", True))
        if pending in private_actions():
            return [*events, FollowupAction(pending)]
        if turn.slot("friend_code"):
            return [*events, FollowupAction("action_refer_friend")]
        if _means_discount(turn, turn.customer_id):
            return [*events, FollowupAction("action_offer_discount")]
        if (answered := answer_about_contact(turn)) is not None:
            return [*events, *answered]
        turn.say("utter_verified")
        return events


def _means_discount(turn: Turn, customer_id: int) -> bool:
    """Whether the code in the message is a discount's: it says so, or asks for one again and there is one."""
    text = str((turn.tracker.latest_message or {}).get("text") or "")
    if means_coupon(text, get_facts().coupon_prefix):
        return True
    return turn.intent == "resend_code" and bool(offers.coupons(turn.session, customer_id))
