"""What anyone may ask about the shop; the answers are the shop's settings."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable

from actions.base import CrmAction, Event, Turn
from actions.knowledge import answer_topic
from actions.words import intent_button
from rapport.kit import clock
from rapport.kit.format import counted, day
from rapport.shop import service as shop
from rapport.shop.facts import get_facts


class ShopAnswer(CrmAction, ABC):
    """An answer out of the shop's settings, unless the message names a topic of `knowledge/`: "do you deliver
    wrapped as a present?" is told about presents.

    To whoever gets the same answer the third time in a row it was none.
    """

    def perform(self, turn: Turn) -> list[Event]:
        if answer_topic(turn):
            return []
        events = self.answer(turn)
        if turn.tracker.active_loop_name is None and _said_twice_before(turn):
            turn.say("utter_anything_else")
        return events


class DeliveryOptions(ShopAnswer):
    """The ways to get an order, with prices."""

    action_name = "action_delivery_options"

    def answer(self, turn: Turn) -> list[Event]:
        turn.say("utter_delivery_options", options=_bullets(get_facts().delivery_options(turn.language)))
        return []


class DeliveryPeriod(ShopAnswer):
    """How long an order takes; to someone verified also when the one under way is expected."""

    action_name = "action_delivery_period"

    def answer(self, turn: Turn) -> list[Event]:
        facts = get_facts()
        order = shop.next_delivery(turn.session, turn.customer_id) if turn.customer_id else None
        if order is None or order.expected_at is None:
            track = intent_button("track_order", turn.language)
            turn.say("utter_delivery_period", buttons=[track], days=facts.delivery_days())
        else:
            expected = day(order.expected_at, turn.language, facts.timezone)
            turn.say("utter_delivery_period", days=facts.delivery_days())
            turn.say("utter_delivery_expected", number=order.number, expected=expected)
        return []


class PaymentMethods(ShopAnswer):
    """The ways to pay."""

    action_name = "action_payment_methods"

    def answer(self, turn: Turn) -> list[Event]:
        turn.say("utter_payment_methods", methods=_bullets(get_facts().payment_names(turn.language)))
        return []


class RefundPolicy(ShopAnswer):
    """How long and how to send something back."""

    action_name = "action_refund_policy"

    def answer(self, turn: Turn) -> list[Event]:
        refunds = get_facts().refunds
        turn.say(
            "utter_refund_policy",
            days=counted(refunds.days, turn.language),
            how=refunds.how.of(turn.language),
        )
        return []


class ContactDetails(ShopAnswer):
    """How to reach the shop's people."""

    action_name = "action_contact_details"

    def answer(self, turn: Turn) -> list[Event]:
        facts = get_facts()
        contact = facts.contact
        turn.say(
            "utter_contact_details",
            email=contact.email,
            phone=contact.phone,
            hours=facts.opening_hours(turn.language, clock.now()),
        )
        return []


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"• {line}" for line in lines)


def _said_twice_before(turn: Turn) -> bool:
    """Whether the two messages before this one got the same answer as it."""
    answers: list[list[str]] = []
    for event in turn.tracker.events:
        if event["event"] == "user":
            answers.append([])
        elif event["event"] == "bot" and answers:
            answers[-1].append((event.get("metadata") or {}).get("utter_action") or "")
    answer = turn.dispatcher.messages[0]["response"]
    before = answers[-3:-1]
    return len(before) == 2 and all(answer in said for said in before)
