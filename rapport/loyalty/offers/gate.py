"""The offer gate: the bot can say only what the ledger holds, however it is asked.

`unlicensed` compares what a text promises with a licence: the codes, percentages and sums the ledger gave
this very customer, what the shop's offers promise everybody, and what the shop itself wrote in its own texts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from babel.numbers import get_currency_precision
from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.errors import RapportError
from rapport.loyalty.offers import code_looks, gate_lookups, lookups, repository, rules
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.offers.promises import Licence, Promise, own_sentences, promises, unlicensed
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.points import service as ledger
from rapport.loyalty.referrals import repository as referrals
from rapport.shop import repository as shop
from rapport.shop.facts import ShopFacts, get_facts
from rapport.shop.knowledge import Knowledge, get_knowledge

# Of more points than anybody has the gate knows the first so many codes.
MOST_PARTS = 5_000

__all__ = ["Licence", "licence", "promises", "unlicensed"]


def licence(session: Session, customer_id: int | None, about: Iterable[Promise] = ()) -> Licence:
    """What may be promised to a customer, or to somebody we don't know.

    `about`: the promises in question. Whether a doubtful code is one is only looked up for these.
    """
    facts = get_facts()
    percents, sums = _for_everybody(session, facts)
    own = _texts.of(session, facts)
    codes, sentences = set(own.codes), own.sentences
    if customer_id is not None:
        for coupon in repository.coupons_to_speak_of(session, customer_id, clock.now()):
            codes.add(rules.plain_code(coupon.code))
            percents.add(coupon.percent)
            sums |= _sums_of(coupon)
        codes.add(rules.plain_code(referrals.code_of(session, customer_id) or ""))
        marks = gate_lookups.order_marks(session, customer_id, facts.coupon_prefix)
        codes |= {rules.plain_code(mark) for mark in marks}
        sums |= _worth_of_points(session, customer_id, facts)
        lines = gate_lookups.lines_with_promises(session, customer_id)
        sentences = own_sentences(lines, facts.coupon_prefix) + sentences
    scale = 100 / 10 ** get_currency_precision(facts.currency)
    return Licence(
        prefix=facts.coupon_prefix,
        codes=frozenset(codes),
        percents=frozenset(percents),
        sums=frozenset(round(minor * scale) for minor in sums),
        sentences=sentences,
        issued=_issued(session, about, facts.coupon_prefix),
    )


def _issued(session: Session, about: Iterable[Promise], prefix: str) -> frozenset[str]:
    """Which of the doubtful codes somebody was given."""
    plain = {str(promise.value) for promise in about if promise.kind == "maybe"}
    stored = {code_looks.stored(code, prefix): code for code in plain}
    return frozenset(stored[code] for code in gate_lookups.issued_among(session, sorted(stored)))


def _for_everybody(session: Session, facts: ShopFacts) -> tuple[set[int], set[int]]:
    """What anybody may be told: what a friend gets, and what the fewest points give."""
    offers = [offer.terms for offer in lookups.offers(session, "referral")]
    rule = get_rulebook().points
    points = (rule.minimum, rule.step) if rule else ()
    sums = {terms.amount_minor for terms in offers}
    sums |= {rules.points_value(some, facts.club.point_value_minor) for some in (1, *points)}
    return {terms.percent for terms in offers}, sums


def _sums_of(coupon: Coupon) -> set[int]:
    sums = (coupon.amount_minor, coupon.max_discount_minor, coupon.discount_minor)
    return {minor for minor in sums if minor}


def _worth_of_points(session: Session, customer_id: int, facts: ShopFacts) -> set[int]:
    """All the points a customer has, and every part of them that could become a code."""
    rule = get_rulebook().points
    balance = ledger.balance(session, customer_id)
    parts = range(rule.minimum, balance + 1, rule.step)[:MOST_PARTS] if rule else ()
    return {rules.points_value(points, facts.club.point_value_minor) for points in (balance, *parts)}


class _Own(NamedTuple):
    """What the shop itself wrote: SKUs that begin as codes do, in plain letters, and promising sentences."""

    codes: frozenset[str]
    sentences: tuple[str, ...]


class _ShopTexts:
    """The shop's own words, looked through again when its texts change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: object = None
        self._knowledge: Knowledge | None = None
        self._facts: ShopFacts | None = None
        self._own = _Own(frozenset(), ())

    def of(self, session: Session, facts: ShopFacts) -> _Own:
        with self._lock:
            state = (session.get_bind().engine.url, facts.coupon_prefix, shop.products_state(session))
            knowledge = _knowledge()
            if state != self._state or knowledge is not self._knowledge or facts is not self._facts:
                texts = [
                    *_strings(facts.model_dump()),
                    *_strings(knowledge.model_dump() if knowledge else None),
                    *gate_lookups.product_texts_with_promises(session),
                ]
                skus = gate_lookups.skus_like_codes(session, facts.coupon_prefix)
                self._own = _Own(
                    frozenset(rules.plain_code(sku) for sku in skus),
                    own_sentences(texts, facts.coupon_prefix),
                )
                self._state, self._knowledge, self._facts = state, knowledge, facts
            return self._own


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
