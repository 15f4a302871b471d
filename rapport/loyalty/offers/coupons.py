"""The life of a code after it was issued: checked, held for an order, used, given back, ended.

Each step happens once per `key`: the same key with the same order gives the same result again, with another
order a conflict. A hold, a use and their undoing may share one key. Everything done and everything refused is
in coupon_event.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.loyalty.offers import repository, rules
from rapport.loyalty.offers.models import GOOD, Coupon, CouponEvent
from rapport.loyalty.offers.refusals import note, refuse
from rapport.loyalty.offers.rules import Basket, CouponState, Refusal, Terms
from rapport.loyalty.points import service as ledger

log = logging.getLogger(__name__)

HOLD = timedelta(minutes=30)
MAX_KEY = 160
LONGEST_CODE = 40
# How the occasion of a code bought with points begins (service.redeem_points).
BOUGHT = "points:"

Items = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Quote:
    """What a code gives on an order. `discount_minor` is 0 for a present, which is added to the order.

    `repeated`: the same key asked for the same before. `refusal`: why it should not have been used, when it
    was by `force`. Amounts are minor units of `currency`.
    """

    code: str
    state: str
    kind: str
    percent: int
    amount_minor: int
    gift_sku: str | None
    discount_minor: int
    currency: str
    minimum_minor: int
    expires_at: datetime
    held_until: datetime | None
    repeated: bool = False
    refusal: Refusal | None = None


def check(
    session: Session,
    code: str,
    *,
    order_minor: int,
    currency: str,
    customer_id: int | None = None,
    with_codes: Sequence[str] = (),
    items: Items = (),
    holder: str | None = None,
    at: datetime | None = None,
) -> Quote:
    """What the code would take off this order; nothing is changed. Raises CouponError.

    `order_minor` is what is to be paid for the goods, after the codes in `with_codes`. `items`, (sku,
    quantity), tell what the order costs the shop, for offers that keep the margin.
    """
    now = at or clock.now()
    use = _Use("check", None, order_minor, currency, customer_id, tuple(with_codes), tuple(items), holder)
    coupon = repository.coupon_by_code(session, written(code))
    discount, basket = _decide(session, coupon, use, now)
    assert coupon is not None
    note(session, {"coupon_id": coupon.id, "kind": "checked", **_sums(basket, discount), "at": now})
    return _quote(coupon, coupon.state, discount, currency, coupon.held_until)


def hold(
    session: Session,
    code: str,
    *,
    key: str,
    order_minor: int,
    currency: str,
    customer_id: int | None = None,
    with_codes: Sequence[str] = (),
    items: Items = (),
    holder: str | None = None,
    until: datetime | None = None,
    at: datetime | None = None,
) -> Quote:
    """Put the code aside for an order, for half an hour if `until` does not say otherwise.

    `holder` names the order or basket it is put aside for, `key` if it is not given: nobody else can use it
    meanwhile. Its own holder can hold it on.
    """
    now = at or clock.now()
    use = _Use(
        "hold", key, order_minor, currency, customer_id, tuple(with_codes), tuple(items), holder or key
    )
    coupon = _locked(session, code)
    if (done := _done_before(session, coupon, "held", use, now)) is not None:
        return done
    discount, basket = _decide(session, coupon, use, now)
    assert coupon is not None
    held_until = min(until or now + HOLD, coupon.expires_at)
    if held_until <= now:
        raise InvalidInputError("until: lies in the past.")
    _append(session, coupon, "held", use, now, **_sums(basket, discount), until=held_until)
    coupon.state, coupon.holder, coupon.held_until = "held", use.holder, held_until
    session.flush()
    return _quote(coupon, "held", discount, currency, held_until)


def redeem(
    session: Session,
    code: str,
    *,
    key: str,
    order_minor: int,
    currency: str,
    order_id: int | None = None,
    customer_id: int | None = None,
    with_codes: Sequence[str] = (),
    items: Items = (),
    holder: str | None = None,
    at: datetime | None = None,
    force: bool = False,
) -> Quote:
    """Use the code on an order. A code that is held is used by its `holder` only (`key` if not given).

    With `force` the discount was given already: a code that was still good but did not fit the order is used
    up all the same, else it would be good for ever. What was wrong stands in the log and in `refusal`.
    """
    now = at or clock.now()
    use = _Use(
        *("redeem", key, order_minor, currency, customer_id, tuple(with_codes), tuple(items)),
        *(holder or key, order_id),
    )
    coupon = _locked(session, code)
    if (done := _done_before(session, coupon, "redeemed", use, now)) is not None:
        return done
    discount, basket, refusal = _decide_use(session, coupon, use, now, force)
    assert coupon is not None
    noted = refusal.value if refusal else None
    _append(session, coupon, "redeemed", use, now, **_sums(basket, discount), reason=noted)
    cost = coupon.reserved_minor if coupon.kind == "gift" else discount
    if not repository.spend(session, coupon.offer_id, cost - coupon.reserved_minor):
        # Cannot be: what a code can cost at most is set aside wherever there is a budget.
        raise RuntimeError(f"coupon {coupon.id} costs more than was set aside")
    coupon.state, coupon.holder, coupon.held_until = "redeemed", None, None
    coupon.redeemed_at, coupon.order_id = now, order_id
    coupon.cost_minor, coupon.discount_minor = cost, discount
    session.flush()
    return replace(_quote(coupon, "redeemed", discount, currency, None), refusal=refusal)


def release(
    session: Session, code: str, *, key: str, holder: str | None = None, at: datetime | None = None
) -> Quote:
    """End a hold: the code is good again. `holder` is who held it, `key` if not given."""
    now = at or clock.now()
    use = _Use("release", key, holder=holder or key)
    coupon = _locked(session, code)
    if (done := _done_before(session, coupon, "released", use, now)) is not None:
        return done
    if coupon is None:
        refuse(session, Refusal.UNKNOWN, use.action, {"at": now})
    if coupon.state != "held" or coupon.holder != use.holder:
        refuse(session, Refusal.NOT_HELD, use.action, {"coupon_id": coupon.id, "at": now})
    _append(session, coupon, "released", use, now)
    coupon.state, coupon.holder, coupon.held_until = "issued", None, None
    session.flush()
    return _quote(coupon, "issued", 0, coupon.currency or "", None)


def rollback(
    session: Session,
    code: str,
    *,
    key: str,
    reason: str,
    order_id: int | None = None,
    at: datetime | None = None,
) -> Quote:
    """Undo a use, as when the order was cancelled: the code is good again until its end.

    With `order_id` only the use on that order. What the code can cost is set aside anew; where the budget has
    room for less by now, the code is worth at most what it was used for.
    """
    now = at or clock.now()
    use = _Use("rollback", key, order_id=order_id)
    coupon = _locked(session, code)
    if (done := _done_before(session, coupon, "rolled_back", use, now)) is not None:
        return done
    if coupon is None:
        refuse(session, Refusal.UNKNOWN, use.action, {"at": now})
    if coupon.state != "redeemed" or (order_id is not None and coupon.order_id != order_id):
        refuse(session, Refusal.NOT_USED, use.action, {"coupon_id": coupon.id, "at": now})
    _append(session, coupon, "rolled_back", use, now, reason=reason[:60])
    cost = coupon.cost_minor or 0
    if _open_ended(coupon) and repository.has_budget(session, coupon.offer_id):
        # The budget came when the code was used already: what it cost then is all it answers for.
        coupon.reserved_minor = coupon.max_discount_minor = cost
    if not repository.spend(session, coupon.offer_id, coupon.reserved_minor - cost):
        coupon.reserved_minor = coupon.max_discount_minor = cost
    coupon.state, coupon.redeemed_at, coupon.order_id = "issued", None, None
    coupon.cost_minor = coupon.discount_minor = None
    session.flush()
    return _quote(coupon, "issued", 0, coupon.currency or "", None)


def revoke(
    session: Session,
    code: str,
    *,
    key: str,
    reason: str,
    shops_mistake: bool = False,
    at: datetime | None = None,
) -> Quote:
    """Make a code worthless that was not used yet, as after abuse.

    It counts as one the customer had, so that asking again brings no other; not when it was the shop's
    mistake. Points it was bought with come back, unless its time was over.
    """
    now = at or clock.now()
    use = _Use("revoke", key)
    coupon = _locked(session, code)
    if (done := _done_before(session, coupon, "revoked", use, now)) is not None:
        return done
    if coupon is None:
        refuse(session, Refusal.UNKNOWN, use.action, {"at": now})
    if coupon.state not in GOOD:
        refused = {"redeemed": Refusal.USED, "revoked": Refusal.REVOKED}.get(coupon.state, Refusal.EXPIRED)
        refuse(session, refused, use.action, {"coupon_id": coupon.id, "at": now})
    _append(session, coupon, "revoked", use, now, reason=reason[:60])
    coupon.excused = shops_mistake
    _end(session, coupon, "revoked")
    if coupon.occasion == "points" and coupon.expires_at > now:
        _give_points_back(session, coupon, now)
    return _quote(coupon, "revoked", 0, coupon.currency or "", None)


def _give_points_back(session: Session, coupon: Coupon, now: datetime) -> None:
    paid = f"coupon:{(coupon.grant_key or '').removeprefix(BOUGHT)}"
    try:
        ledger.reverse(session, paid, key=f"coupon-revoked:{coupon.id}", at=now)
    except ConflictError:
        log.info("The points of coupon %s came back before.", coupon.id)


def expire(session: Session, coupon_id: int, ended_before: datetime, now: datetime) -> bool:
    """End a code whose time is over and give back what was set aside; the caller has locked its customer.

    False when it is no longer good anyway.
    """
    coupon = repository.coupon_by_id(session, coupon_id)
    if coupon.state not in GOOD or coupon.expires_at > ended_before:
        return False
    repository.add_event(session, {"coupon_id": coupon.id, "kind": "expired", "reason": "end", "at": now})
    _end(session, coupon, "expired")
    return True


@dataclass(frozen=True)
class _Use:
    """One call: what it does, under which key, and the order it is about."""

    action: str
    key: str | None
    order_minor: int = 0
    currency: str = ""
    customer_id: int | None = None
    with_codes: tuple[str, ...] = ()
    items: tuple[tuple[str, int], ...] = ()
    holder: str | None = None
    order_id: int | None = None

    def __post_init__(self) -> None:
        if self.order_minor < 0:
            raise InvalidInputError("order_minor: cannot be below 0.")
        if self.key is not None and not 0 < len(self.key) <= MAX_KEY:
            raise InvalidInputError(f"key: must have 1 to {MAX_KEY} characters.")
        if self.holder is not None and len(self.holder) > MAX_KEY:
            raise InvalidInputError(f"holder: must have at most {MAX_KEY} characters.")

    def fingerprint(self, code: str) -> str:
        """Of everything the result depends on, so that a repetition is told from another use of its key."""
        parts = [
            code,
            self.order_minor,
            self.currency,
            self.customer_id,
            sorted(written(other) for other in self.with_codes),
            sorted([sku, quantity] for sku, quantity in self.items),
            self.holder,
            self.order_id,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def written(code: str) -> str:
    """A code as it is stored, however it was typed: a group's dash may be missing or another sign."""
    plain = rules.plain_code(code[: 2 * LONGEST_CODE])
    tail = rules.CODE_GROUPS * rules.CODE_GROUP_LENGTH
    if not tail < len(plain) <= LONGEST_CODE:
        return plain[:LONGEST_CODE]
    groups = [plain[i : i + rules.CODE_GROUP_LENGTH] for i in range(len(plain) - tail, len(plain), 4)]
    return "-".join([plain[:-tail], *groups])


def _locked(session: Session, code: str) -> Coupon | None:
    """The coupon, its customer's row and then its own locked."""
    stored = written(code)
    owner = repository.owner_of(session, stored)
    if owner is None:
        return None
    repository.lock_customer(session, owner)
    return repository.coupon_by_code(session, stored, lock=True)


def _done_before(
    session: Session, coupon: Coupon | None, kind: str, use: _Use, now: datetime
) -> Quote | None:
    """The result of the same call before; None when it is a new one. Refused when the key was for another."""
    assert use.key is not None
    event = repository.event_by_key(session, kind, use.key)
    if event is None:
        return None
    if coupon is None or event.fingerprint != use.fingerprint(coupon.code):
        refuse(session, Refusal.CONFLICT, use.action, {"coupon_id": coupon and coupon.id, "at": now})
    return _repeated(coupon, event, use)


def _repeated(coupon: Coupon, event: CouponEvent, use: _Use) -> Quote:
    state = {"released": "issued", "rolled_back": "issued"}.get(event.kind, event.kind)
    currency = use.currency or coupon.currency or ""
    found = _quote(coupon, state, event.discount_minor or 0, currency, event.until)
    refusal = Refusal(event.reason) if event.kind == "redeemed" and event.reason else None
    return replace(found, repeated=True, refusal=refusal)


def _decide(session: Session, coupon: Coupon | None, use: _Use, now: datetime) -> tuple[int, Basket]:
    """What the code takes off the order. Raises CouponError."""
    discount, basket, _ = _decide_use(session, coupon, use, now, force=False)
    return discount, basket


def _decide_use(
    session: Session, coupon: Coupon | None, use: _Use, now: datetime, force: bool
) -> tuple[int, Basket, Refusal | None]:
    """The same, and with `force` why the code should not have been used although it was still good."""
    if coupon is None:
        refuse(session, Refusal.UNKNOWN, use.action, {"at": now})
    basket = Basket(
        order_minor=use.order_minor,
        currency=use.currency,
        customer_id=use.customer_id,
        cost_minor=_cost(session, use.items) if coupon.keep_margin else None,
        other_groups=_groups(session, use.with_codes, coupon.code),
        holder=use.holder,
    )
    state = _state(coupon)
    result = rules.quote(state, basket, now)
    if not isinstance(result, Refusal):
        return result, basket, None
    if not force or result not in rules.UNFIT:
        refuse(session, result, use.action, {"coupon_id": coupon.id, **_sums(basket, None), "at": now})
    same_money = coupon.currency in {None, use.currency}
    return rules.discount(state.terms, use.order_minor) if same_money else 0, basket, result


def _cost(session: Session, items: Items) -> int | None:
    """What the goods cost the shop; None unless it is known of all of them."""
    known = repository.costs(session, [sku for sku, _ in items])
    if not items or any(sku not in known for sku, _ in items):
        return None
    return sum(known[sku] * quantity for sku, quantity in items)


def _groups(session: Session, with_codes: Sequence[str], code: str) -> tuple[str, ...]:
    """The stacking of the other codes. One we did not issue is taken for exclusive: we know nothing of it."""
    others = sorted({written(other) for other in with_codes} - {code})
    if not others:
        return ()
    found = repository.stackings(session, others)
    return tuple(found.get(other, rules.EXCLUSIVE) for other in others)


def _state(coupon: Coupon) -> CouponState:
    return CouponState(
        customer_id=coupon.customer_id,
        state=coupon.state,
        terms=Terms(
            coupon.kind,
            coupon.percent,
            coupon.amount_minor,
            coupon.gift_sku,
            coupon.minimum_minor,
            coupon.max_discount_minor,
            coupon.stacking,
            coupon.keep_margin,
        ),
        currency=coupon.currency,
        starts_at=coupon.starts_at or coupon.issued_at,
        expires_at=coupon.expires_at,
        holder=coupon.holder,
        held_until=coupon.held_until,
    )


def _open_ended(coupon: Coupon) -> bool:
    """Whether nothing says what the code can cost at most."""
    return coupon.kind == "percent" and coupon.max_discount_minor is None


def _end(session: Session, coupon: Coupon, state: str) -> None:
    repository.spend(session, coupon.offer_id, -coupon.reserved_minor)
    coupon.state, coupon.holder, coupon.held_until = state, None, None
    session.flush()


def _sums(basket: Basket, discount: int | None) -> dict[str, Any]:
    return {"order_minor": basket.order_minor, "discount_minor": discount}


def _append(session: Session, coupon: Coupon, kind: str, use: _Use, now: datetime, **more: Any) -> None:
    event = {
        "coupon_id": coupon.id,
        "kind": kind,
        "key": use.key,
        "fingerprint": use.fingerprint(coupon.code),
        "order_id": use.order_id,
        "at": now,
        **more,
    }
    if not repository.add_event(session, event):
        # Another code was given the same key at this very moment.
        refuse(session, Refusal.CONFLICT, use.action, {"coupon_id": coupon.id, "at": now})


def _quote(coupon: Coupon, state: str, discount: int, currency: str, held_until: datetime | None) -> Quote:
    return Quote(
        code=coupon.code,
        state=state,
        kind=coupon.kind,
        percent=coupon.percent,
        amount_minor=coupon.amount_minor,
        gift_sku=coupon.gift_sku,
        discount_minor=discount,
        currency=currency,
        minimum_minor=coupon.minimum_minor,
        expires_at=coupon.expires_at,
        held_until=held_until,
    )
