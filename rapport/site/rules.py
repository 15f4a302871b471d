"""What may be sent from a page, what is kept of it, and for how long. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

VIEW, CART, CHECKOUT, SIGN_UP = "view", "cart", "checkout", "signup"
KINDS = (VIEW, CART, CHECKOUT, SIGN_UP)

# Nobody writes to somebody they do not know; and what a customer looked at half a year ago says little.
KEPT_ANONYMOUS = timedelta(days=30)
KEPT_KNOWN = timedelta(days=180)
# Nobody waits longer than that for a product; and what was told is told.
WISH_KEPT = timedelta(days=365)
FULFILLED_KEPT = timedelta(days=30)
# The link in the mail that asks for a yes is good for a week; who presses at the last minute is in time.
CONFIRMED_WITHIN = timedelta(days=7, hours=1)

# What waited in a browser that was offline is told late; no later than this.
LATEST = timedelta(days=1)
LONGEST_URL = 500
MOST_ITEMS = 100

# Another one whenever the words that a page is to show beside its button change: docs/contact.md.
WORDING = "site-1"

# Printable, without blanks; what a mail or a page makes of it is a link to that place and nothing else.
_URL = re.compile(r"[\x21-\x7e]+")


def is_sold_out(stock: int | None) -> bool:
    """Whether nothing is left of it. Who counts nothing (None) never runs out."""
    return stock is not None and stock <= 0


def happened_at(seconds_ago: int, now: datetime) -> datetime:
    """When something happened that a page tells of so many seconds later."""
    return now - min(timedelta(seconds=max(seconds_ago, 0)), LATEST)


def cart_of(
    items: Iterable[tuple[str, int]], known: Collection[str], url: str | None, origin: str | None
) -> dict[str, Any] | None:
    """What is kept of a cart: products of ours, each once, and where it is; None when there are none."""
    counted: dict[str, int] = {}
    for sku, quantity in items:
        if sku in known:
            counted[sku] = counted.get(sku, 0) + quantity
    if not counted:
        return None
    cart: dict[str, Any] = {"items": [{"sku": sku, "quantity": number} for sku, number in counted.items()]}
    if url is not None and is_own_address(url, origin):
        cart["url"] = url
    return cart


def is_own_address(url: str, origin: str | None) -> bool:
    """Whether an address is one of the site that sends it: it will stand in a mail of the shop's."""
    if len(url) > LONGEST_URL or not _URL.fullmatch(url) or "\\" in url:
        return False
    try:
        parts, own = urlsplit(url), urlsplit(origin or "")
        same = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
    except ValueError:
        return False
    return same and parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
