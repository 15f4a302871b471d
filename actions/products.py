"""What a product is and costs, and which one to take."""

from __future__ import annotations

import re

from rasa_sdk.events import SlotSet

from actions.base import CrmAction, Event, Turn
from actions.knowledge import answer_topic
from actions.showcase import category_buttons, lines, named, product_buttons, show
from actions.unknown_things import asks_for_another_thing
from actions.words import intent_button
from rapport.conversations import service as conversations
from rapport.customers import service as customers
from rapport.shop import products, recommendations
from rapport.shop.phrases import words
from rapport.shop.recommendations import Recommendation


class ShowProduct(CrmAction):
    """Products named in the message, what there is of a category, or the product the talk is about."""

    action_name = "action_show_product"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        skus, categories = named(turn, "product"), named(turn, "category")
        if turn.customer_id is not None and (skus or categories):
            customers.note(turn.session, turn.customer_id, "asked_about_product")
        # "How long is the warranty on the tent?" asks for no list of tents.
        if answer_topic(turn) and not skus:
            return []
        skus = skus or _meant_by_number(turn, categories)
        events = show(turn, skus, categories)
        if events is None and asks_for_another_thing(turn.text):
            turn.say("utter_product_not_sold", buttons=category_buttons(turn, "ask_product"))
            return []
        if events is None:
            events = show(turn, _slot(turn, "product"), _slot(turn, "category"))
        if events is None:
            turn.say("utter_product_which", buttons=category_buttons(turn, "ask_product"))
        return events or []


def _meant_by_number(turn: Turn, categories: list[str]) -> list[str]:
    """The product of the talk's kind that has a number of the message in its name, of the same family if
    there are several: "and the 45 litre one?" after the Gaupe 65.
    """
    category = next(iter(categories or _slot(turn, "category")), None)
    numbers = set(re.findall(r"\d+", turn.text)) if category and not turn.text.startswith("/") else set()
    if not category or not numbers or turn.named("amount"):
        return []
    fit = {
        sku: name
        for sku, name in products.names(turn.session, category, turn.language)
        if numbers & set(words(name))
    }
    if len(fit) > 1 and (current := turn.slot("product")):
        names = dict(products.names(turn.session, category, turn.language))
        family = set(words(names.get(current, "")))
        closest = max(len(family & set(words(name))) for name in fit.values())
        fit = {sku: name for sku, name in fit.items() if len(family & set(words(name))) == closest}
    return list(fit) if len(fit) == 1 else []


class Recommend(CrmAction):
    """Up to three products with a reason; never while a complaint is open."""

    action_name = "action_recommend"

    def answer(self, turn: Turn) -> list[Event]:
        skus, categories = named(turn, "product"), named(turn, "category")
        # "Which size of boots do I take?" asks for no boots.
        if not skus and answer_topic(turn):
            return []
        if complaint := conversations.open_complaint(turn.session, turn.conversation):
            buttons = [intent_button("contact_human_agent", turn.language)]
            turn.say("utter_recommend_complaint", buttons=buttons, case=complaint.id)
            return []
        if len(skus) > 1:
            return _compare(turn, skus)
        advice = _advice(turn, skus, categories)
        if advice is None:
            turn.say("utter_recommend_which", buttons=category_buttons(turn, "ask_recommendation"))
            return []
        return _say_advice(turn, advice, skus)


def _slot(turn: Turn, name: str) -> list[str]:
    value = turn.slot(name)
    return [value] if value else []


def _compare(turn: Turn, skus: list[str]) -> list[Event]:
    """Shows what someone cannot choose between, and which of it others take."""
    events = show(turn, skus, [])
    if favourite := recommendations.favourite(turn.session, skus, turn.language):
        turn.say("utter_recommend_between", product=favourite.name)
    return events or []


def _advice(turn: Turn, skus: list[str], categories: list[str]) -> Recommendation | None:
    """ "Boots to go with the Vidda 2" asks for boots; "is the Vidda 2 a good tent" for what goes with it."""
    own = {product.category for product in products.find(turn.session, skus, turn.language)}
    others = [category for category in categories if category not in own]
    sku = skus[0] if skus and not others else None
    unwanted: tuple[set[str], set[str]] = (set(), set())
    if turn.customer_id is not None:
        unwanted = conversations.complained_of(turn.session, turn.customer_id)
    return recommendations.recommend(
        turn.session,
        turn.language,
        customer_id=turn.customer_id,
        interests=customers.interests(turn.session, turn.conversation),
        sku=sku,
        category=others[0] if others else turn.slot("category"),
        unwanted=sorted(unwanted[0]),
        returning=sorted(unwanted[1]),
    )


def _say_advice(turn: Turn, advice: Recommendation, skus: list[str]) -> list[Event]:
    if not advice.products:
        buttons = category_buttons(turn, "ask_recommendation")
        turn.say("utter_recommend_nothing", buttons=buttons, about=advice.about)
        return []
    turn.say(
        f"utter_recommend_{advice.reason}",
        buttons=product_buttons(advice.products),
        about=advice.about,
        products=lines(turn, advice.products),
    )
    # "How much is it?" can mean only a single one: the one asked about, or else the only one recommended.
    single = skus or [product.sku for product in advice.products]
    return [SlotSet("product", single[0] if len(single) == 1 else None)]
