"""The offer gate: the bot can say only what the ledger holds, however it is asked.

`unlicensed` compares what a text promises with a licence: the codes, percentages and sums the ledger gave
this very customer, what the shop's offers promise everybody, and what the shop itself wrote in its own texts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from babel.numbers import get_currency_precision
from sqlalchemy.orm import Session

from rapport.kit.errors import RapportError
from rapport.loyalty.offers import repository, rules
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.offers.promises import Licence, own_sentences, promises, unlicensed
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.points import service as ledger
from rapport.loyalty.referrals import repository as referrals
from rapport.shop import repository as shop
from rapport.shop.facts import ShopFacts, get_facts
from rapport.shop.knowledge import Knowledge, get_knowledge

__all__ = ["Licence", "licence", "promises", "unlicensed"]


def licence(session: Session, customer_id: int | None) -> Licence:
    """What may be promised to a customer, or to somebody we don't know."""
    facts = get_facts()
    codes, percents, sums = _for_everybody(session, facts)
    if customer_id is not None:
        for coupon in repository.coupons_of(session, customer_id):
            codes.add(coupon.code)
            percents.add(coupon.percent)
            sums |= _sums_of(coupon)
        # An order's number may look like a code.
        codes.update(number for _, number in shop.order_numbers(session, customer_id))
        codes.add(referrals.code_of(session, customer_id) or "")
        sums |= _worth_of_points(session, customer_id, facts)
    scale = 100 / 10 ** get_currency_precision(facts.currency)
    return Licence(
        prefix=facts.coupon_prefix,
        codes=frozenset(rules.plain_code(code) for code in codes),
        percents=frozenset(percents),
        sums=frozenset(round(minor * scale) for minor in sums),
        sentences=_texts.sentences(session, facts),
    )


def _for_everybody(session: Session, facts: ShopFacts) -> tuple[set[str], set[int], set[int]]:
    """What anybody may be told: what a friend gets, and what the fewest points give."""
    offers = [offer.terms for offer in repository.offers(session, "referral")]
    rule = get_rulebook().points
    points = (rule.minimum, rule.step) if rule else ()
    sums = {terms.amount_minor for terms in offers}
    sums |= {rules.points_value(some, facts.club.point_value_minor) for some in (1, *points)}
    return set(), {terms.percent for terms in offers}, sums


def _sums_of(coupon: Coupon) -> set[int]:
    sums = (coupon.amount_minor, coupon.max_discount_minor, coupon.discount_minor)
    return {minor for minor in sums if minor}


def _worth_of_points(session: Session, customer_id: int, facts: ShopFacts) -> set[int]:
    """All the points a customer has, and the most the shop takes of them."""
    rule = get_rulebook().points
    balance = ledger.balance(session, customer_id)
    most = rules.whole_steps(balance, rule.minimum, rule.step) if rule else 0
    return {rules.points_value(points, facts.club.point_value_minor) for points in (balance, most)}


class _ShopTexts:
    """The shop's own sentences with promises in them, looked for again when its texts change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: object = None
        self._knowledge: Knowledge | None = None
        self._sentences: tuple[str, ...] = ()

    def sentences(self, session: Session, facts: ShopFacts) -> tuple[str, ...]:
        with self._lock:
            state = (session.get_bind().engine.url, shop.products_state(session))
            knowledge = _knowledge()
            if state != self._state or knowledge is not self._knowledge:
                texts = [
                    *_strings(facts.model_dump()),
                    *_strings(knowledge.model_dump() if knowledge else None),
                    *repository.product_texts_with_promises(session),
                ]
                self._sentences = own_sentences(texts, facts.coupon_prefix)
                self._state, self._knowledge = state, knowledge
            return self._sentences


def _knowledge() -> Knowledge | None:
    """None when its files never made sense: then none of its sentences is known either."""
    try:
        return get_knowledge()
    except RapportError:
        return None


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for part in value.values():
                yield from _strings(part)
        case list() | tuple():
            for part in value:
                yield from _strings(part)


_texts = _ShopTexts()
