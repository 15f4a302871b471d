"""What to recommend to someone, and why: by what they ask for, like or have bought, and what others buy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.format import listed
from rapport.shop import products, repository, service
from rapport.shop.facts import get_facts
from rapport.shop.products import ProductView

PERIOD = timedelta(days=365)
MOST = 3
# Enough to tell what is liked; so a question takes as long in the largest shop as in a small one.
NEWEST_ORDERS = 10_000
NEWEST_BUYERS = 300
# What a single other person bought stays between them and the shop.
FEWEST_OTHERS = 2
# Further back, people change.
LATEST_INTERESTS = 3
LATEST_PURCHASES = 5

# bought_most: most often bought of a category; in_category: there is no telling, but it is what there is.
Reason = Literal["bought_most", "in_category", "liked", "others_bought"]


@dataclass(frozen=True)
class Recommendation:
    """Up to three products, best first; none when nothing is to be had.

    `about` is what the reason speaks of, by name: a category, what the person likes, or a product.
    """

    reason: Reason
    about: str
    products: tuple[ProductView, ...]


def recommend(
    session: Session,
    language: str,
    *,
    customer_id: int | None,
    interests: Sequence[str],
    sku: str | None = None,
    category: str | None = None,
    unwanted: Sequence[str] = (),
    returning: Sequence[str] = (),
) -> Recommendation | None:
    """What goes with a product or is best of a category, if one is given; else by what this person likes
    (`interests`: categories and SKUs, newest first) or bought. None when nothing tells what to recommend.

    `customer_id` only of someone verified: what they own or gave back is left out, as are `unwanted` SKUs and
    what is in the orders `returning` (their numbers); none of that is a reason for something else either.
    """
    adviser = _Adviser(session, language, customer_id, unwanted, returning)
    if sku is not None:
        return adviser.beside(sku)
    if category is not None:
        return adviser.of_category(category)
    return adviser.by_interests(interests) or adviser.by_purchases()


def favourite(session: Session, skus: Sequence[str], language: str) -> ProductView | None:
    """Which of these was bought most often in the last year; None when none is ahead."""
    times = repository.times_bought(session, skus, clock.now() - PERIOD, NEWEST_ORDERS)
    ranked = sorted(skus, key=lambda sku: times.get(sku, 0), reverse=True)
    if len(ranked) < 2 or times.get(ranked[0], 0) == times.get(ranked[1], 0):
        return None
    return next(iter(products.find(session, ranked[:1], language)), None)


class _Adviser:
    """Recommends to one person, in one language."""

    def __init__(
        self,
        session: Session,
        language: str,
        customer_id: int | None,
        unwanted: Sequence[str] = (),
        returning: Sequence[str] = (),
    ) -> None:
        self._session = session
        self._language = language
        self._customer_id = customer_id
        self._since = clock.now() - PERIOD
        disliked = set(unwanted)
        if customer_id:
            disliked |= repository.skus_returned(session, customer_id, returning)
        owned = repository.skus_kept(session, customer_id) if customer_id else set()
        self._liked = owned - disliked
        self._without = sorted(owned | disliked)

    def of_category(self, category: str, besides: str | None = None) -> Recommendation | None:
        about = service.topic_name(self._session, category, self._language)
        if about is None:
            return None
        without = [*self._without, besides] if besides else self._without
        if often := self._most([category], without):
            return self._recommend("bought_most", about, often)
        return self._recommend("in_category", about, self._any_of([category], without))

    def beside(self, sku: str) -> Recommendation | None:
        product = next(iter(products.find(self._session, [sku], self._language)), None)
        if product is None:
            return None
        if along := self._along(sku):
            return self._recommend("others_bought", product.name, along)
        return self.of_category(product.category, besides=sku) if product.category else None

    def by_interests(self, topics: Sequence[str]) -> Recommendation | None:
        liked: dict[str, str] = {}  # name by category
        for topic in topics[:LATEST_INTERESTS]:
            category = self._category_of(topic)
            name = service.topic_name(self._session, topic, self._language)
            if category and name:
                liked.setdefault(category, name)
        wanted = list(liked)
        chosen = [*self._most(wanted, self._without), *self._any_of(wanted, self._without)]
        found = products.find(self._session, list(dict.fromkeys(chosen))[:MOST], self._language)
        if not found:
            return None
        # Only what led to something is named as the reason.
        shown = {product.category for product in found}
        about = listed([name for category, name in liked.items() if category in shown], self._language)
        return Recommendation("liked", about, tuple(found))

    def by_purchases(self) -> Recommendation | None:
        if self._customer_id is None:
            return None
        orders = service.recent_orders(self._session, self._customer_id, language=self._language)
        bought = {line.sku: line.description for order in orders for line in order.items}
        kept = [(sku, name) for sku, name in bought.items() if sku in self._liked]
        for sku, name in kept[:LATEST_PURCHASES]:
            if along := self._along(sku):
                return self._recommend("others_bought", name, along)
        return None

    def _most(self, categories: Sequence[str], without: Sequence[str]) -> list[str]:
        return repository.bought_most(self._session, categories, self._since, NEWEST_ORDERS, MOST, without)

    def _any_of(self, categories: Sequence[str], without: Sequence[str]) -> list[str]:
        return repository.skus_to_be_had(self._session, categories, MOST, without)

    def _along(self, sku: str) -> list[str]:
        return repository.bought_along(
            self._session,
            sku,
            self._since,
            buyers=NEWEST_BUYERS,
            at_least=FEWEST_OTHERS,
            limit=MOST,
            without=self._without,
            customer_id=self._customer_id,
        )

    def _category_of(self, topic: str) -> str | None:
        if topic in get_facts().categories:
            return topic
        product = service.product(self._session, topic)
        return product.category if product else None

    def _recommend(self, reason: Reason, about: str, skus: Iterable[str]) -> Recommendation:
        return Recommendation(reason, about, tuple(products.find(self._session, skus, self._language)))
