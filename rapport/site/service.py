"""What people do on the site, as the site's API, triggers and actions use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.customers import choices
from rapport.customers import repository as customers
from rapport.customers import rules as customer_rules
from rapport.kit.errors import ConflictError, TooManyRequestsError
from rapport.outreach.journeys import service as journeys
from rapport.outreach.journeys.rules import LEFT
from rapport.preferences import subscribing
from rapport.preferences.rules import origin_of
from rapport.shop import repository as shop
from rapport.shop.facts import get_facts
from rapport.shop.models import Product
from rapport.site import repository, rules
from rapport.site.models import SiteVisitor
from rapport.site.schemas import CartChanged, CheckoutDone, Event, ProductViewed, SignedUp, WantsBack

ALERTS = ("alerts", "email")
# The triggers that rest on what somebody was seen to do.
SEEN_ON_SITE = ("cart_left", "product_viewed", "signed_up")


@dataclass(frozen=True)
class Page:
    """Where events come from: `origin` as the browser says it, the page's language, and where on the network
    the browser is. `limited`: one place may ask for so many mails in an hour only.
    """

    origin: str | None
    language: str | None
    client: str
    limited: bool = True


def receive(
    session: Session,
    key_hash: str,
    customer_id: int | None,
    events: Sequence[Event],
    page: Page,
    now: datetime,
) -> None:
    """Keep what a visitor did. `customer_id`: who has just shown that it is they.

    What this visitor did before becomes theirs. Of a visitor who is one customer's nothing more is kept
    unless it is they, as somebody else may sit there by now: raises ConflictError. Nor is anything kept of
    one who is to be forgotten.
    """
    visitor = repository.locked_visitor(session, key_hash, now)
    if visitor.forgotten_at is not None:
        return
    _name(session, visitor, customer_id)
    visitor.seen_at = now
    if any(isinstance(event, WantsBack) and event.email for event in events):
        claim(session)  # what they have just confirmed stays confirmed
    skus = {event.sku for event in events if isinstance(event, ProductViewed | WantsBack)}
    skus |= {item.sku for event in events if isinstance(event, CartChanged) for item in event.items}
    products = shop.products_by_sku(session, sorted(skus))
    for event in events:
        _keep(session, visitor, customer_id, event, products, page, now)


def forget(session: Session, key_hash: str, now: datetime) -> None:
    """Drop all that this visitor did. What is still under way from there is not kept either."""
    visitor = repository.locked_visitor(session, key_hash, now)
    repository.delete_events(session, visitor.id)
    if visitor.customer_id is not None:
        journeys.leave(session, visitor.customer_id, LEFT, _begun_by(*SEEN_ON_SITE))
    visitor.customer_id = None
    visitor.seen_at = visitor.forgotten_at = now
    session.flush()


def wish(session: Session, customer_id: int, product: Product, source: str, now: datetime) -> bool:
    """This customer, who has just shown that it is they, wants to be told when a product is back.

    That is their consent to such mails, unless they have no address or refuse e-mail altogether: then nothing
    is noted, as nobody could tell them; False.
    """
    customers.lock_customer(session, customer_id)
    policy = customers.policy_of(session, customer_id)
    refuses = policy is not None and ALERTS[1] in policy.refused_channels
    if refuses or not customers.addresses_of(session, customer_id):
        return False
    choices.agree(session, customer_id, [ALERTS], choices.Said(f"{source}:back_in_stock", rules.WORDING))
    repository.put_wish(session, product, source, now, customer_id=customer_id)
    return True


def _name(session: Session, visitor: SiteVisitor, customer_id: int | None) -> None:
    if visitor.customer_id not in (None, customer_id):
        raise ConflictError("Somebody else may sit there by now. Begin with a new visitor.")
    if customer_id is not None and visitor.customer_id is None:
        visitor.customer_id = customer_id
        session.flush()
        repository.give_events(session, visitor.id, customer_id)


def _keep(
    session: Session,
    visitor: SiteVisitor,
    customer_id: int | None,
    event: Event,
    products: Mapping[str, Product],
    page: Page,
    now: datetime,
) -> None:
    at = rules.happened_at(event.ago, now)
    who = visitor.customer_id
    match event:
        case ProductViewed(sku=sku) if sku in products:
            repository.put_view(session, visitor, products[sku].id, at)
        case CartChanged():
            items = [(item.sku, item.quantity) for item in event.items]
            cart = rules.cart_of(items, products.keys(), event.url, page.origin)
            repository.put_last(session, visitor, rules.CART, at, cart)
            if who is not None and cart is None:
                journeys.leave(session, who, LEFT, _begun_by("cart_left"))
        case CheckoutDone():
            repository.put_last(session, visitor, rules.CHECKOUT, at)
            if who is not None:
                journeys.leave(session, who, LEFT, _begun_by("cart_left"))
        case SignedUp():
            repository.put_last(session, visitor, rules.SIGN_UP, at)
        case WantsBack(sku=sku) if sku in products:
            _wants(session, customer_id, event, products[sku], page, now)
        case _:
            pass  # a product we do not know


def _wants(
    session: Session,
    customer_id: int | None,
    event: WantsBack,
    product: Product,
    page: Page,
    now: datetime,
) -> None:
    if customer_id is not None:
        wish(session, customer_id, product, "site", now)
        return
    address = customer_rules.normalise_email(event.email or "")
    if address is None:
        return
    try:
        subscribing.request(
            session,
            address,
            page.language or get_facts().language,
            source=origin_of(page.origin) or "page",
            client=page.client,
            purposes=ALERTS[:1],
            limited=page.limited,
        )
    except TooManyRequestsError:
        return  # nor does anything come of it: the rest of what the page tells is none the worse for it
    repository.put_wish(session, product, "site", now, email=address)


def _begun_by(*kinds: str) -> list[str]:
    """The journeys that such triggers begin."""
    return [key for key, one in journeys.journeys().items() if one.trigger.on in kinds]


def claim(session: Session) -> int:
    """Wishes by address become those of the customers who confirmed in the meantime that it was they."""
    found = {
        row: customer_id
        for row, customer_id, purposes in repository.confirmed_wishes(session)
        if ALERTS[0] in purposes
    }
    for row, customer_id in found.items():
        if repository.waits(session, customer_id, row.product_id):
            session.delete(row)
        else:
            repository.drop_fulfilled(session, customer_id, row.product_id)
            row.customer_id, row.email = customer_id, None
        session.flush()
    return len(found)
