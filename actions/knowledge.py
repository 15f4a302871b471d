"""What the shop's own files answer (`knowledge/`), and its tips on use and care."""

from __future__ import annotations

from collections.abc import Sequence

from actions.base import CrmAction, Event, Turn
from actions.showcase import category_buttons, named, show
from actions.words import intent_button
from rapport.conversations import rules
from rapport.shop import products
from rapport.shop import service as shop
from rapport.shop.facts import get_facts
from rapport.shop.knowledge import get_knowledge
from rapport.shop.products import ProductView

# More would be a guess about a text that is long.
MOST_TOPICS = 2
MOST_TIPS = 3


class Answer(CrmAction):
    """The entry of the message's intent, or else of a topic the message names."""

    action_name = "action_answer"

    def answer(self, turn: Turn) -> list[Event]:
        # "Do I need an account to order?", "where do I buy gift cards?"
        if (turn.intent == "place_order" or misses_confirmation(turn)) and answer_topic(turn):
            return []
        if turn.intent in get_knowledge().entries:
            # Whoever wants to buy something we have should see it before hearing how to order.
            ordering = turn.intent == "place_order"
            events = show(turn, named(turn, "product"), named(turn, "category")) if ordering else None
            say_entry(turn, turn.intent)
            return events or []
        if not answer_topic(turn):
            # Every intent with a rule for this action has an entry: the files are not read without.
            raise LookupError(f"no entry of the knowledge answers {turn.intent}")
        return []


class ProductTips(CrmAction):
    """How to use and look after what the message names, what the talk is about, or what was bought last."""

    action_name = "action_product_tips"

    def answer(self, turn: Turn) -> list[Event]:
        skus, categories = named(turn, "product"), named(turn, "category")
        if answer_topic(turn) and not skus:
            return []
        if not skus and not categories:
            skus, categories = _talked_about(turn)
        found = products.find(turn.session, skus, turn.language)
        tips = _tips(turn, found, categories)
        for about, text in list(tips.items())[:MOST_TIPS]:
            turn.say("utter_product_tips", about=about, tips=text)
        if not tips and found:
            buttons = [intent_button("contact_human_agent", turn.language)]
            turn.say("utter_tips_none", buttons=buttons, about=found[0].name)
        elif not tips:
            turn.say("utter_tips_which", buttons=category_buttons(turn, "ask_product_tips"))
        return []


def answer_topic(turn: Turn) -> bool:
    """Answers what topics the message names by the words for it in `knowledge/`; False when it names none."""
    # A file may have changed since the message was looked at.
    known = [topic for topic in named(turn, "topic") if topic in get_knowledge().entries]
    for topic in known[:MOST_TOPICS]:
        say_entry(turn, topic)
    return bool(known)


def leads_to(turn: Turn, intent: str) -> bool:
    """Whether the message names a topic that offers `intent` as the first thing to do next."""
    entries = get_knowledge().entries
    return any(entries[topic].next[:1] == (intent,) for topic in named(turn, "topic") if topic in entries)


def misses_confirmation(turn: Turn) -> bool:
    """Whether it is about an order that was not confirmed. So may an account not be."""
    about_an_account = turn.intent == "registration_problems" and not rules.names_order(turn.text)
    return leads_to(turn, "ask_order_history") and not about_an_account


def say_entry(turn: Turn, key: str) -> None:
    """Says an entry of the knowledge, with its buttons."""
    entry = get_knowledge().entries[key]
    buttons = [intent_button(intent, turn.language) for intent in entry.next]
    turn.say("utter_knowledge", buttons=buttons, answer=entry.answer.of(turn.language))


def _talked_about(turn: Turn) -> tuple[list[str], list[str]]:
    """(SKUs, categories) of the talk so far, or else of the last order of someone verified."""
    if sku := turn.slot("product"):
        return [sku], []
    if category := turn.slot("category"):
        return [], [category]
    if turn.customer_id is None:
        return [], []
    order = shop.newest_order(turn.session, turn.customer_id)
    return [line.sku for line in order.items] if order else [], []


def _tips(turn: Turn, found: Sequence[ProductView], categories: Sequence[str]) -> dict[str, str]:
    """Tips by the name of what they are about: a product that has some of its own, or else its category."""
    care = get_knowledge().care
    names = {product.sku: product.name for product in found}
    # "My tent, the Vidda 2" needs no tips on tents beside those on the Vidda 2.
    own = {product.category for product in found}
    keys = [product.sku if product.sku in care else product.category for product in found]
    keys += [category for category in categories if category not in own]
    tips: dict[str, str] = {}
    for key in filter(None, keys):
        name = names.get(key) or get_facts().category_name(key, turn.language)
        if name and key in care:
            tips[name] = care[key].of(turn.language)
    return tips
