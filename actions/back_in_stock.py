"""Being told when a product that is sold out can be had again."""

from __future__ import annotations

from actions.base import Event, PrivateAction, Turn
from rapport.kit import clock
from rapport.shop import repository as products
from rapport.shop import service as shop
from rapport.site import rules, service

# What the button names beside the product (actions/words.py).
BACK = "back"


class TellWhenBack(PrivateAction):
    """Notes that a customer waits for the product the talk is about; their word for it is their consent."""

    action_name = "action_tell_when_back"
    writes = True

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        sku = turn.slot("product") or ""
        product = products.product_by_sku(turn.session, sku)
        name = shop.topic_name(turn.session, sku, turn.language)
        if product is None or name is None:
            turn.say("utter_product_which")
        elif not rules.is_sold_out(product.stock):
            turn.say("utter_back_already", product=name)
        elif service.wish(turn.session, customer_id, product, "chat", clock.now()):
            turn.say("utter_back_noted", product=name)
        else:
            turn.say("utter_back_no_mail", product=name)
        return []
