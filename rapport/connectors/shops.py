"""The kinds of shops whose webhooks we understand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rapport.connectors.events import OrderEvent
from rapport.connectors.shopify import orders as shopify
from rapport.connectors.woocommerce import orders as woocommerce


@dataclass(frozen=True)
class Shop:
    """A kind of shop: in which headers it says what, and how its orders are read."""

    source: str
    signature: str
    topic: str
    delivery: str
    sender: str
    events: Callable[[str, dict[str, Any], datetime], list[OrderEvent]]


WOOCOMMERCE = Shop(
    woocommerce.SOURCE,
    "X-WC-Webhook-Signature",
    "X-WC-Webhook-Topic",
    "X-WC-Webhook-Delivery-ID",
    "X-WC-Webhook-Source",
    woocommerce.events,
)
SHOPIFY = Shop(
    shopify.SOURCE,
    "X-Shopify-Hmac-Sha256",
    "X-Shopify-Topic",
    "X-Shopify-Webhook-Id",
    "X-Shopify-Shop-Domain",
    shopify.events,
)
SHOPS = {shop.source: shop for shop in (WOOCOMMERCE, SHOPIFY)}
