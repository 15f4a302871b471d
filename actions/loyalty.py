"""The club, points, and discounts. Whatever is promised comes from the offer ledger."""

from __future__ import annotations

from actions.base import CrmAction, Event, PrivateAction, Turn
from actions.knowledge import answer_topic
from rapport.kit.format import counted, day, money, number
from rapport.loyalty.offers import service as offers
from rapport.loyalty.points import service as ledger
from rapport.shop.facts import get_facts


class PointsBalance(PrivateAction):
    """How many points there are and what they are worth."""

    action_name = "action_points_balance"

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        points = ledger.balance(turn.session, customer_id)
        facts = get_facts()
        if points <= 0:
            turn.say("utter_points_none")
            return []
        value = money(points * facts.club.point_value_minor, facts.currency, turn.language)
        turn.say("utter_points_balance", points=counted(points, turn.language), value=value)
        return []


class ExplainClub(CrmAction):
    """How points are earned and what one is worth."""

    action_name = "action_explain_club"

    def answer(self, turn: Turn) -> list[Event]:
        facts = get_facts()
        turn.say(
            "utter_club",
            shop=facts.name,
            points_per=number(facts.club.points, turn.language),
            currency_unit=money(facts.club.per_minor, facts.currency, turn.language),
            point_value=money(facts.club.point_value_minor, facts.currency, turn.language),
        )
        return []


class OfferDiscount(PrivateAction):
    """The code this customer is entitled to; the same one when asked again.

    Whether there is a price for students or companies anyone may know.
    """

    action_name = "action_offer_discount"
    writes = True

    def perform(self, turn: Turn) -> list[Event]:
        return [] if answer_topic(turn) else super().perform(turn)

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        discount = offers.offer_discount(turn.session, customer_id, turn.message_key)
        if discount is None:
            turn.say("utter_no_discount")
            return []
        facts = get_facts()
        turn.say(
            "utter_discount_again" if discount.again else "utter_discount",
            percent=discount.percent,
            code=discount.code,
            expires=day(discount.expires_at, turn.language, facts.timezone),
            minimum=money(discount.minimum_minor, facts.currency, turn.language),
        )
        turn.card(
            {
                "type": "coupon",
                "code": discount.code,
                "percent": discount.percent,
                "expires": discount.expires_at.isoformat(),
            }
        )
        return []


class ExplainOffer(PrivateAction):
    """The rule behind the customer's code, or that there is none now and when there may be."""

    action_name = "action_explain_offer"

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        reason = offers.reason(turn.session, customer_id)
        if reason is None:
            turn.say("utter_why_no_offer")
            return []
        facts = get_facts()
        if reason.min_orders == 0:
            turn.say("utter_why_offer_all", percent=reason.percent)
        elif reason.min_orders == 1:
            turn.say("utter_why_offer_first", percent=reason.percent)
        else:
            orders = counted(reason.min_orders, turn.language)
            turn.say("utter_why_offer_loyal", percent=reason.percent, orders=orders)
        turn.say(
            "utter_why_offer_terms",
            code=reason.code,
            minimum=money(reason.minimum_minor, facts.currency, turn.language),
            expires=day(reason.expires_at, turn.language, facts.timezone),
        )
        return []
