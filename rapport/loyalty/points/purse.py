"""A customer's points in memory, and what each movement does to them. No I/O: loaded, changed, then written.

Whoever changes a purse holds the customer's lock (repository.lock_customers): nothing else moves meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rapport.loyalty.points import rules

POINTS, PENDING, HELD, DEBT = OWN = ("points", "pending", "held", "debt")
ISSUED, REDEEMED, EXPIRED = SHOP = ("issued", "redeemed", "expired")


@dataclass(eq=False)
class Lot:
    """Spendable points that end together. `id` is None until it is stored; `lapsed` of them ended unspent."""

    expires_at: datetime | None
    earning_id: int | None = None
    remaining: int = 0
    points: int = 0
    id: int | None = None
    expired_at: datetime | None = None
    lapsed: int = 0

    def ended(self, at: datetime) -> bool:
        """Whether its points can no longer be spent."""
        return self.expired_at is not None or (self.expires_at is not None and self.expires_at <= at)


@dataclass(eq=False)
class Credit:
    """Points earned in one go (the table `earning`)."""

    points: int
    at: datetime
    order_id: int | None = None
    rate_points: int | None = None
    rate_per_minor: int | None = None
    matures_at: datetime | None = None
    matured_at: datetime | None = None
    expires_at: datetime | None = None
    valid_days: int | None = None
    taken_back: int = 0
    id: int | None = None
    transaction_id: int | None = None

    def ends(self, spendable_from: datetime) -> datetime | None:
        """When its points end, if they can be spent from then on."""
        return self.expires_at or rules.end_of(spendable_from, self.valid_days)


@dataclass(eq=False)
class Entry:
    """A transaction in the making. Its postings are by account: the customer's own, or one of the shop's.

    `elsewhere` holds (account id, points) posted to somebody else's accounts.
    """

    key: str
    kind: str
    at: datetime
    points: int
    fingerprint: str = ""
    reason: str | None = None
    order_id: int | None = None
    about_id: int | None = None
    reverses_id: int | None = None
    balance: int = 0
    postings: dict[str, int] = field(default_factory=dict)
    elsewhere: list[tuple[int, int]] = field(default_factory=list)
    movements: list[tuple[Lot, int]] = field(default_factory=list)
    opened: list[Lot] = field(default_factory=list)
    changed: list[Lot] = field(default_factory=list)
    credit: Credit | None = None
    transaction_id: int | None = None

    def post(self, account: str, points: int) -> None:
        """Add to what goes to an account."""
        self.postings[account] = self.postings.get(account, 0) + points


@dataclass(eq=False)
class Purse:
    """What a customer has: the balances of their four accounts and their lots."""

    customer_id: int
    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OWN, 0))
    lots: list[Lot] = field(default_factory=list)
    account_ids: dict[str, int] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """Spendable points."""
        return self.balances[POINTS]

    def due(self, at: datetime) -> list[Lot]:
        """Lots that have ended with points in them."""
        return [lot for lot in self.lots if lot.remaining and lot.ended(at)]

    def earn(self, entry: Entry, credit: Credit) -> None:
        """Credit points: pending, or, when they mature at once, spendable."""
        entry.credit = credit
        entry.post(ISSUED, -credit.points)
        if credit.matured_at is None:
            self._post(entry, PENDING, credit.points)
        else:
            self._open(entry, credit.points, credit.ends(entry.at), credit.id)
            self._repay(entry, credit.points)
        self._close(entry)

    def mature(self, entry: Entry, credit: Credit) -> None:
        """Make what is left of pending points spendable. A debt is repaid first."""
        points = credit.points - credit.taken_back
        self._post(entry, PENDING, -points)
        self._open(entry, points, credit.ends(credit.matures_at or entry.at), credit.id)
        self._repay(entry, points)
        credit.matured_at = entry.at
        self._close(entry)

    def take_back(self, entry: Entry, credit: Credit, points: int, own: Iterable[Lot] = ()) -> None:
        """Take back `points` of those earned: while pending from there, later from the lots.

        Then first from the earning's own lots, then what ended unspent of them counts, then from other lots;
        what is not covered becomes a debt.
        """
        entry.post(ISSUED, points)
        credit.taken_back += points
        if credit.matured_at is None:
            self._post(entry, PENDING, -points)
            if credit.taken_back == credit.points:
                credit.matured_at = entry.at  # nothing left to mature
        else:
            left = points - self._take_from_lots(entry, points, list(own))
            for lot in own:
                lapsed = min(left, lot.lapsed)
                if lapsed:
                    lot.lapsed -= lapsed
                    entry.changed.append(lot)
                    entry.post(EXPIRED, -lapsed)
                    left -= lapsed
            left -= self._take_from_lots(entry, min(left, self.points), self.lots)
            if left:
                self._post(entry, DEBT, -left)
        self._close(entry)

    def spend(self, entry: Entry, to: str) -> None:
        """Take the entry's points out of the lots, nearest end first, and into `redeemed` or `held`."""
        self._take_from_lots(entry, entry.points, self.lots)
        self._to(entry, to, entry.points)
        self._close(entry)

    def capture(self, entry: Entry) -> None:
        """Spend what was held."""
        self._post(entry, HELD, -entry.points)
        entry.post(REDEEMED, entry.points)
        self._close(entry)

    def release(self, entry: Entry, taken: Sequence[tuple[Lot, int]]) -> None:
        """Give held points back to the very lots. Those of lots that ended meanwhile end now.

        So a hold neither shortens nor lengthens the life of a point.
        """
        self._post(entry, HELD, -entry.points)
        back = 0
        for lot, points in taken:
            if lot.ended(entry.at):
                lot.lapsed += points
                entry.changed.append(lot)
                entry.post(EXPIRED, points)
            else:
                self._move(entry, lot, points)
                back += points
        self._repay(entry, back)
        self._close(entry)

    def restore(
        self, entry: Entry, taken: Sequence[tuple[Lot, int]], already: int, grace: timedelta, now: datetime
    ) -> None:
        """Give spent points back to the very lots, when `already` of them came back before.

        They were spent in time, so in place of a lot that ended by `now` a new one is good for `grace` from
        then: we may be told of it long after it was, and nobody can spend what they get back in the past.
        """
        entry.post(REDEEMED, -entry.points)
        for index, points in rules.last_first([points for _, points in taken], already, entry.points):
            lot = taken[index][0]
            if lot.ended(now):
                self._open(entry, points, now + grace, lot.earning_id)
            else:
                self._move(entry, lot, points)
        self._repay(entry, entry.points)
        self._close(entry)

    def expire(self, entry: Entry, lots: Iterable[Lot]) -> None:
        """End the lots: what is left in them is gone."""
        for lot in lots:
            lot.expired_at = entry.at
            lot.lapsed += lot.remaining
            entry.changed.append(lot)
            entry.post(EXPIRED, lot.remaining)
            self._move(entry, lot, -lot.remaining)
        self._close(entry)

    def pour_into(self, other: Purse, entry: Entry) -> None:
        """Move all balances and lots to another purse, whose entry this is. What either owed is repaid."""
        for account, points in self.balances.items():
            if points:
                other._post(entry, account, points)
                entry.elsewhere.append((self.account_ids[account], -points))
                self.balances[account] = 0
        other.lots += self.lots
        self.lots = []
        other._repay(entry, other.points)
        other._close(entry)

    def _open(self, entry: Entry, points: int, expires_at: datetime | None, earning_id: int | None) -> None:
        lot = Lot(expires_at, earning_id, points=points)
        self.lots.append(lot)
        entry.opened.append(lot)
        self._move(entry, lot, points)

    def _repay(self, entry: Entry, incoming: int) -> None:
        points = min(incoming, -self.balances[DEBT])
        if points > 0:
            self._take_from_lots(entry, points, self.lots)
            self._post(entry, DEBT, points)

    def _take_from_lots(self, entry: Entry, points: int, lots: list[Lot]) -> int:
        """Take up to `points` from lots, nearest end first; returns how many were there."""
        left = points
        for lot in nearest_first(lots):
            part = min(left, lot.remaining)
            if part:
                self._move(entry, lot, -part)
                left -= part
        return points - left

    def _move(self, entry: Entry, lot: Lot, points: int) -> None:
        lot.remaining += points
        entry.movements.append((lot, points))
        self._post(entry, POINTS, points)

    def _post(self, entry: Entry, account: str, points: int) -> None:
        self.balances[account] += points
        entry.post(account, points)

    def _to(self, entry: Entry, account: str, points: int) -> None:
        if account in self.balances:
            self._post(entry, account, points)
        else:
            entry.post(account, points)

    def _close(self, entry: Entry) -> None:
        entry.postings = {account: points for account, points in entry.postings.items() if points}
        entry.balance = self.points


def nearest_first(lots: Iterable[Lot]) -> list[Lot]:
    """Lots in the order they are used up: nearest end first, never-ending ones last, older ones first."""
    stored = float("inf")  # a lot not stored yet is the youngest
    return sorted(
        lots,
        key=lambda lot: (
            lot.expires_at is None,
            lot.expires_at.timestamp() if lot.expires_at else 0.0,
            lot.id if lot.id is not None else stored,
        ),
    )
