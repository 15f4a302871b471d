"""The club, points, discounts and why somebody has one. Whatever is promised comes from the ledgers."""

from __future__ import annotations

from datetime import datetime, timedelta

from actions import words
from actions.base import CrmAction, Event, PrivateAction, Turn
from actions.coupons import amount, coupon_code, tell_discount
from actions.knowledge import answer_topic
from actions.preferences import offer_page
from actions.terms import terms
from actions.words import channel_name, line, segment_name, standing
from rapport.conversations import service as conversations
from rapport.kit.format import day, listed, money, number
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.service import Explanation
from rapport.loyalty.points import service as ledger
from rapport.loyalty.points.service import Statement
from rapport.outreach.policy import service as policy
from rapport.shop import service as shop
from rapport.shop.facts import get_facts

# The occasions with a sentence of their own for why a code was given; a standing offer has its audience.
OCCASIONS = {"birthday", "anniversary", "surprise", "recovery", "points", "referral"}
# A message so soon after a code was made brought that code.
CAME_TOGETHER = timedelta(hours=1)


class PointsBalance(PrivateAction):
    """How many points there are and what they are worth, what becomes of them when, and the level."""

    action_name = "action_points_balance"

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        found = ledger.statement(turn.session, customer_id)
        more = "\n".join([*_coming_and_going(turn, found), _level(turn, found)])
        if found.available:
            value = amount(turn, offers.points_worth(found.available))
            points = words.points(found.available, turn.language)
            turn.say("utter_points_balance", points=points, value=value, more=more)
        elif found.pending or found.held or found.debt:
            turn.say("utter_points_later", more=more)
        else:
            turn.say("utter_points_none")
        return []


def _coming_and_going(turn: Turn, found: Statement) -> list[str]:
    """A line for each thing there is to say about points that end, come, wait or are owed."""
    told: list[str] = []
    if found.next_expiry is not None:
        points, at = found.next_expiry
        told.append(_line(turn, "points_expire", points, date=_day(turn, at)))
    if found.next_pending is not None and found.pending:
        first, at = found.next_pending
        name = "points_pending" if first < found.pending else "points_pending_all"
        told.append(_line(turn, name, found.pending, date=_day(turn, at)))
    if found.held:
        told.append(_line(turn, "points_held", found.held))
    if found.debt:
        told.append(_line(turn, "points_debt", found.debt))
    return told


def _level(turn: Turn, found: Statement) -> str:
    names = {tier.key: tier.name.of(turn.language) for tier in get_facts().club.tiers}
    tier = found.tier
    if tier.next_key is None or tier.missing is None:
        return line("tier_top", turn.language, tier=names[tier.key])
    return _line(turn, "tier_next", tier.missing, tier=names[tier.key], next=names[tier.next_key])


def _line(turn: Turn, name: str, points: int, **variables: str) -> str:
    return line(name, turn.language, points=words.points(points, turn.language), **variables)


def _day(turn: Turn, at: datetime) -> str:
    return day(at, turn.language, get_facts().timezone)


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
        complaint = conversations.open_complaint(turn.session, turn.conversation)
        if discount is not None:
            return tell_discount(turn, discount)
        if complaint is not None:
            turn.say("utter_no_discount_complaint", case=complaint.id)
        else:
            turn.say("utter_no_discount")
        return []


class ExplainOffer(PrivateAction):
    """Why the customer has the code they name, were just told, or else the best of theirs: the rule, what it
    went by, and what it rests on; or that there is none now and when there may be. If what they heard from us
    last is no code, why we wrote.
    """

    action_name = "action_explain_offer"

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        named = coupon_code(turn.text, get_facts().coupon_prefix) or turn.slot("told_code")
        why = offers.explain_code(turn.session, customer_id, named) if named else None
        why = why or offers.explain(turn.session, customer_id)
        if named is None and _say_why_written(turn, customer_id, why):
            return []
        if why is None:
            turn.say("utter_why_no_offer")
            return []
        _say_rule(turn, why)
        # Points and friends bring a code whoever has them.
        if why.scores is not None and why.occasion not in {"points", "referral"}:
            r, f, m = why.scores
            turn.say(
                "utter_why_scores",
                recency=standing("recency", r, turn.language),
                frequency=standing("frequency", f, turn.language),
                monetary=standing("monetary", m, turn.language),
                r=r,
                f=f,
                m=m,
            )
        _say_basis(turn, why)
        return []


def _say_why_written(turn: Turn, customer_id: int, why: Explanation | None) -> bool:
    """Why we wrote, and what we decided before; False when we did not, or a code came with it or after it."""
    written = policy.last_sent(turn.session, customer_id)
    if written is None or (why is not None and written - why.issued_at < CAME_TOGETHER):
        return False
    decisions = policy.told(turn.session, customer_id, turn.language)
    turn.say("utter_why_written", decisions="\n".join(one.text for one in decisions))
    offer_page(turn, customer_id)
    return True


def _say_rule(turn: Turn, why: Explanation) -> None:
    """What the offer asks for and was found in them: the narrowest condition first."""
    group = segment_name(why.segment or "", turn.language)
    tiers = {tier.key: tier.name.of(turn.language) for tier in get_facts().club.tiers}
    if why.occasion in OCCASIONS:
        points = words.points(why.points, turn.language) if why.points else ""
        turn.say(f"utter_why_offer_{why.occasion}", points=points)
    elif why.rule_segments and group is not None:
        turn.say("utter_why_offer_segment", group=group)
    elif why.rule_segments:
        turn.say("utter_why_offer_group")
    elif why.rule_tiers:
        turn.say("utter_why_offer_tier", tier=tiers.get(why.tier or "", why.tier))
    elif why.rule_interests and why.interests:
        named = [shop.topic_name(turn.session, topic, turn.language) or topic for topic in why.interests]
        turn.say("utter_why_offer_interest", interests=listed(named, turn.language))
    elif why.min_orders > 1:
        turn.say("utter_why_offer_loyal", orders=words.counted("orders", why.min_orders, turn.language))
    elif why.min_orders == 1:
        turn.say("utter_why_offer_first")
    elif why.max_orders == 0:
        turn.say("utter_why_offer_new")
    else:
        turn.say("utter_why_offer_all")


def _say_basis(turn: Turn, why: Explanation) -> None:
    """The customer's own request or consent, and the code with its terms."""
    issued, said = _day(turn, why.issued_at), terms(why, turn.language)
    if why.asked:
        turn.say("utter_why_asked", issued=issued, code=why.code, terms=said)
    elif why.consent is None:
        turn.say("utter_why_terms", issued=issued, code=why.code, terms=said)
    else:
        turn.say(
            "utter_why_consent",
            issued=issued,
            date=_day(turn, why.consent.at),
            channel=channel_name(why.consent.channel, turn.language),
            version=why.consent.wording_version,
            code=why.code,
            terms=said,
        )
