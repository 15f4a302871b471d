"""Products as they are shown to a customer: text, card and buttons, the same in every action."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from rasa_sdk.events import SlotSet

from actions.base import Button, Event, Turn
from actions.words import intent_button, stock_words, tell_when_back_button
from rapport.kit.format import money
from rapport.shop import products
from rapport.shop.facts import get_facts
from rapport.shop.knowledge import get_knowledge
from rapport.shop.products import ProductView
from rapport.shop.rules import clipped

MOST_PRODUCTS = 3
MOST_CATEGORIES = 2
MOST_BUTTONS = 6
LONGEST_TITLE = 24


def named(turn: Turn, kind: str) -> list[str]:
    """The values of an entity (product, category, topic) in the latest message, each once."""
    return list(dict.fromkeys(turn.tracker.get_latest_entity_values(kind)))


def show(turn: Turn, skus: Sequence[str], categories: Sequence[str]) -> list[Event] | None:
    """Shows the products, or else what there is of the categories; None when neither exists.

    The events keep in mind what the talk is about: "and how much is it?"
    """
    found = products.find(turn.session, skus[:MOST_PRODUCTS], turn.language)
    if found:
        only = found[0].sku if len(found) == 1 else None
        _show_products(turn, found)
        return [SlotSet("product", only), SlotSet("category", found[0].category)]
    known = [key for key in categories if get_facts().category_name(key, turn.language)]
    for category in known[:MOST_CATEGORIES]:
        _show_category(turn, category)
    return [SlotSet("product", None), SlotSet("category", known[0])] if known else None


def lines(turn: Turn, listed: Iterable[ProductView]) -> str:
    """Name and price of each, on a line of its own; what is sold out says so."""
    return "\n".join(f"• {_line(turn, product)}" for product in listed)


def product_buttons(listed: Sequence[ProductView]) -> list[Button]:
    """Buttons that show the first of these products."""
    return _told_apart(
        (product.label, "ask_product", "product", product.sku) for product in listed[:MOST_PRODUCTS]
    )


def category_buttons(turn: Turn, intent: str) -> list[Button]:
    """Buttons for the shop's categories, asking `intent` about each."""
    names = (
        (get_facts().category_name(key, turn.language), key) for key in products.categories(turn.session)
    )
    return _told_apart((name, intent, "category", key) for name, key in names if name)[:MOST_BUTTONS]


def _about(turn: Turn, product: ProductView) -> list[Button]:
    """What else there is to ask about a product, or instead of it."""
    buttons: list[Button] = []
    name = get_facts().category_name(product.category, turn.language) if product.category else None
    if product.stock == "out_of_stock":
        buttons.append(tell_when_back_button(product.sku, turn.language))
    if name and product.stock == "out_of_stock":
        buttons.append(intent_button("ask_recommendation", turn.language, {"category": product.category}))
    if {product.sku, product.category} & get_knowledge().care.keys():
        buttons.append(intent_button("ask_product_tips", turn.language, {"product": product.sku}))
    if name:
        buttons += _told_apart([(name, "ask_product", "category", str(product.category))])
    return [*buttons, intent_button("contact_human_agent", turn.language)]


def _show_products(turn: Turn, found: Sequence[ProductView]) -> None:
    """One product, or several side by side: in words, and each as a card."""
    first = found[0]
    if len(found) == 1:
        turn.say(
            "utter_product",
            buttons=_about(turn, first),
            product=first.name,
            details=_details(turn, first),
        )
    else:
        blocks = [f"{product.name}\n{_details(turn, product)}" for product in found]
        turn.say("utter_products", buttons=product_buttons(found), products="\n\n".join(blocks))
    for product in found:
        price = _price(turn, product)
        card = {"type": "product", "name": product.name, "price": price}
        turn.card({**card, "image": product.image, "url": product.url})


def _details(turn: Turn, product: ProductView) -> str:
    stock = stock_words(product.stock, turn.language) if product.stock else None
    price = " · ".join(filter(None, [_price(turn, product), stock]))
    return "\n".join(filter(None, [price, product.description, product.link]))


def _price(turn: Turn, product: ProductView) -> str:
    return money(product.price_minor, product.currency, turn.language)


def _show_category(turn: Turn, category: str) -> None:
    name = get_facts().category_name(category, turn.language)
    listed = products.of_category(turn.session, category, turn.language)
    if listed:
        buttons = product_buttons(listed)
        turn.say("utter_category", buttons=buttons, category=name, products=lines(turn, listed))
    else:
        turn.say("utter_category_empty", buttons=category_buttons(turn, "ask_product"), category=name)


def _line(turn: Turn, product: ProductView) -> str:
    line = f"{product.name} – {_price(turn, product)}"
    if product.stock == "out_of_stock":
        line += f" ({stock_words(product.stock, turn.language)})"
    return line


def _told_apart(wanted: Iterable[tuple[str, str, str, str]]) -> list[Button]:
    """Buttons from (title, intent, entity, value); of those that would look alike, the first."""
    found: dict[str, str] = {}
    for title, intent, entity, value in wanted:
        payload = json.dumps({entity: value}, separators=(",", ":"))
        found.setdefault(clipped(title, LONGEST_TITLE), f"/{intent}{payload}")
    return list(found.items())
