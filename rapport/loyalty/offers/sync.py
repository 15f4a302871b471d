"""Bringing the offer table in line with offers.yml. Codes already issued keep the terms they have."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.edits import effective
from rapport.kit.database import session_scope
from rapport.kit.errors import ConfigurationError
from rapport.loyalty.offers import repository
from rapport.loyalty.offers.models import Offer
from rapport.loyalty.offers.rulebook import OfferRule, Rulebook, get_rulebook

_lock = threading.Lock()
# Which state of the file each database got last from this process.
_synced: weakref.WeakKeyDictionary[Engine, Rulebook] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Changes:
    """The keys of what a sync did; `warnings` are sentences about what the shop should look at."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = (("new", self.added), ("changed", self.changed), ("ended", self.ended))
        return "; ".join(f"{what}: {', '.join(keys)}" for what, keys in told if keys) or "nothing has changed"


def sync(session: Session, book: Rulebook) -> Changes:
    """Make the offers in the database those of the file; an offer's key says which is which.

    What is no longer in the file is made no more. A cap or a budget below what has been given out already
    means: no more. Raises ConfigurationError when codes are good that a new budget could not answer for.
    """
    rows = repository.offer_rows(session)
    added, changed, ended = [], [], []
    for rule in book.offers:
        row = rows.pop(rule.key, None)
        if row is None:
            session.add(Offer(key=rule.key, used=0, spent_minor=0, **_columns(rule)))
            added.append(rule.key)
        elif _apply(session, row, rule):
            changed.append(rule.key)
    for row in rows.values():
        if row.active:
            row.active = False
            ended.append(row.key)
    session.flush()
    return Changes(tuple(added), tuple(changed), tuple(ended), tuple(warnings(session, book)))


def take_over(session: Session) -> Changes:
    """The same with the file and what the console made of it, as this database says at this moment.

    Not what this process knows of it: what it did not know would be ended. Whoever saves another offer waits,
    so that neither ends the other's.
    """
    repository.offer_rows(session)
    return sync(session, effective.offers(session)[0])


def warnings(session: Session, book: Rulebook) -> list[str]:
    """What is no mistake in the file, but makes an offer of no effect now."""
    return [
        f"offer {rule.key}: there is no product {rule.gift}, so nobody is given one"
        for rule in book.offers
        if rule.active and rule.gift and repository.product(session, rule.gift) is None
    ]


def follow_file(engine: Engine) -> Changes | None:
    """Take over the file if it changed since this process last did, or never was; None when it did not."""
    book = get_rulebook()
    with _lock:
        if _synced.get(engine) is book:
            return None
        with session_scope(engine) as session:
            changes = take_over(session)
        _synced[engine] = book
    return changes


def _apply(session: Session, row: Offer, rule: OfferRule) -> bool:
    columns = _columns(rule)
    if rule.cap is not None:
        columns["cap"] = max(rule.cap, row.used)
    if rule.budget_minor is not None:
        columns["budget_minor"] = max(rule.budget_minor, row.spent_minor)
        if row.budget_minor is None and (open_ended := repository.without_limit(session, row.id)):
            raise ConfigurationError(
                f"offer {rule.key}: {open_ended} codes are good that may cost any sum, so no budget can be"
                " kept. Give the offer with a budget a new key."
            )
    different = {name: value for name, value in columns.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)


def _columns(rule: OfferRule) -> dict[str, object]:
    audience = rule.audience.audience()
    return {
        "name": rule.name,
        "occasion": rule.occasion,
        "kind": rule.kind,
        "percent": rule.percent or 0,
        "amount_minor": rule.amount_minor or 0,
        "gift_sku": rule.gift,
        "minimum_minor": rule.minimum_minor,
        "max_discount_minor": rule.max_discount_minor,
        "min_orders": audience.min_orders,
        "max_orders": audience.max_orders,
        "audience": audience.lists(),
        "starts_at": rule.starts,
        "ends_at": rule.ends,
        "valid_days": rule.valid_days,
        "cap": rule.cap,
        "per_customer": rule.uses_per_customer or 0,
        "budget_minor": rule.budget_minor,
        "chance": rule.chance,
        "after_days": rule.after_days,
        "stacking": rule.stacking,
        "keep_margin": rule.keep_margin,
        "active": rule.active,
    }
