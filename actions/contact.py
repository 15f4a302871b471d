"""Staying in touch: how often, not for a while, joining the newsletter and leaving it."""

from __future__ import annotations

from datetime import datetime

from rasa_sdk.events import FollowupAction, SlotSet

from actions.base import Event, PrivateAction, Turn
from actions.preferences import offer_page
from actions.service import said_before
from rapport.customers import contact, rules
from rapport.kit import clock
from rapport.kit.format import counted, day, number
from rapport.shop.facts import get_facts

LESS_THAN_MONTHLY = "0"
PAUSE_OVER = "P0D"


class SetFrequency(PrivateAction):
    """Notes how many unasked messages a month there may be at most."""

    action_name = "action_set_frequency"
    writes = True

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        wish = turn.slot("frequency") or ""
        if rules.new_limit(wish, None) is None:
            now = contact.per_month(turn.session, customer_id)
            turn.say("utter_frequency_which", count=number(now, turn.language))
        else:
            limit = contact.set_frequency(turn.session, customer_id, wish, turn.message_key)
            _say_limit(turn, wish, limit)
            if not contact.is_subscribed(turn.session, customer_id):
                turn.say("utter_not_subscribed")
        return [SlotSet("frequency", None)]


class PauseContact(PrivateAction):
    """Nothing unasked for a while, or the end of that."""

    action_name = "action_pause_contact"
    writes = True

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        period = turn.slot("period") or ""
        now, timezone = clock.now(), get_facts().timezone
        end = rules.pause_end(period, now, timezone)
        if period == PAUSE_OVER:
            ended = contact.resume(turn.session, customer_id, turn.message_key)
            turn.say("utter_pause_ended" if ended else "utter_pause_none")
        elif end is None:
            _ask_how_long(turn, customer_id)
        else:
            contact.pause(turn.session, customer_id, end, turn.message_key)
            longest = end == rules.longest_pause(now, timezone)
            turn.say("utter_paused_longest" if longest else "utter_paused", date=_day(end, turn))
        return [SlotSet("period", None)]


def answer_about_contact(turn: Turn) -> list[Event] | None:
    """Goes on with "for how long?" or "how often?" if that was asked just before; None if it was not.

    "Three months" or "twice" by itself is easily understood as something else.
    """
    match said_before(turn.tracker):
        case "utter_pause_how_long" | "utter_pause_change":
            return [SlotSet("period", turn.named("period")), FollowupAction(PauseContact.action_name)]
        case "utter_frequency_which":
            often = turn.named("frequency") or turn.named("rating")
            return [SlotSet("frequency", often), FollowupAction(SetFrequency.action_name)]
    return None


class Subscribe(PrivateAction):
    """Joins the newsletter. The code that was mailed to the address proves that it is theirs."""

    action_name = "action_subscribe"
    writes = True

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        new = contact.subscribe(turn.session, customer_id, turn.message_key)
        limit = contact.per_month(turn.session, customer_id)
        turn.say(
            "utter_subscribed" if new else "utter_already_subscribed", count=number(limit, turn.language)
        )
        if until := contact.paused_until(turn.session, customer_id):
            turn.say("utter_pause_still", date=_day(until, turn))
        offer_page(turn, customer_id)
        return []


class Unsubscribe(PrivateAction):
    """Leaves everything that is sent unasked, at once and without a question."""

    action_name = "action_unsubscribe"
    writes = True

    def perform(self, turn: Turn) -> list[Event]:
        if turn.customer_id is None:
            # Nobody needs to be verified to leave: that is what the link in each mail is for.
            turn.say("utter_unsubscribe_by_link")
        return super().perform(turn)

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        left = contact.unsubscribe(turn.session, customer_id, turn.message_key)
        turn.say("utter_unsubscribed" if left else "utter_already_unsubscribed")
        offer_page(turn, customer_id)
        return []


def _say_limit(turn: Turn, wish: str, limit: int) -> None:
    if limit > 1:
        turn.say("utter_frequency_set", count=counted(limit, turn.language))
    elif wish in (LESS_THAN_MONTHLY, "less"):
        turn.say("utter_frequency_lowest")
    else:
        turn.say("utter_frequency_once")


def _ask_how_long(turn: Turn, customer_id: int) -> None:
    until = contact.paused_until(turn.session, customer_id)
    if until is None:
        turn.say("utter_pause_how_long")
    else:
        turn.say("utter_pause_change", date=_day(until, turn))


def _day(at: datetime, turn: Turn) -> str:
    return day(at, turn.language, get_facts().timezone)
