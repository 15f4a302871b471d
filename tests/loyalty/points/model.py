"""What points should do, in memory and as plainly as possible: no accounts, no postings, no purses.

Written from docs/loyalty.md, not from the code; test_machine.py compares the two step by step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

DAY = timedelta(days=1)
GRACE, VALID, RETURNS, WINDOW = 30 * DAY, 730 * DAY, 30 * DAY, 365 * DAY
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)

_order = count()


@dataclass(eq=False)
class Earned:
    """Points from one source."""

    points: int
    at: datetime
    matures: datetime | None
    ends: datetime | None = None
    valid: timedelta | None = None
    order: Bought | None = None
    mature: bool = False
    taken: int = 0

    @property
    def left(self) -> int:
        return self.points - self.taken


@dataclass(eq=False)
class Heap:
    """Points that end together."""

    points: int
    ends: datetime | None
    source: Earned | None
    lapsed: int = 0
    ended: bool = False
    number: int = field(default_factory=lambda: next(_order))


@dataclass(eq=False)
class Spent:
    """Points taken out of heaps, held or gone."""

    points: int
    taken: list[tuple[Heap, int]]
    status: str
    until: datetime | None = None
    order: Bought | None = None
    back: int = 0


@dataclass(eq=False)
class Bought:
    """An order."""

    owner: int
    total: int
    placed: datetime
    delivered: datetime | None = None
    refunded: int = 0
    credited: bool = False


@dataclass(eq=False)
class Person:
    """A customer's points."""

    debt: int = 0
    heaps: list[Heap] = field(default_factory=list)
    earned: list[Earned] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)

    def points(self, now: datetime) -> int:
        return sum(heap.points for heap in self.heaps if heap.ends is None or heap.ends > now)

    def pending(self) -> int:
        return sum(one.left for one in self.earned if not one.mature)

    def held(self) -> int:
        return sum(one.points for one in self.spent if one.status == "held")

    def window(self, now: datetime) -> int:
        return sum(one.left for one in self.earned if now - WINDOW < one.at <= now)

    def next_end(self, now: datetime) -> tuple[int, datetime] | None:
        ends = [heap.ends for heap in self.heaps if heap.points and heap.ends and heap.ends > now]
        if not ends:
            return None
        return sum(heap.points for heap in self.heaps if heap.ends == min(ends)), min(ends)

    # --- what happens to points ---

    def expire(self, now: datetime) -> None:
        for heap in self.heaps:
            if heap.ends is not None and heap.ends <= now and heap.points:
                heap.lapsed += heap.points
                heap.points, heap.ended = 0, True

    def take(self, points: int, heaps: list[Heap] | None = None) -> list[tuple[Heap, int]]:
        """Take up to so many, nearest end first."""
        taken = []
        for heap in sorted(heaps or self.heaps, key=lambda one: (one.ends or FOREVER, one.number)):
            part = min(points, heap.points)
            if part:
                heap.points -= part
                points -= part
                taken.append((heap, part))
        return taken

    def settle(self, incoming: int) -> None:
        part = min(incoming, self.debt)
        self.debt -= part
        self.take(part)

    def open(self, one: Earned, start: datetime) -> None:
        ends = one.ends or (start + one.valid if one.valid else None)
        self.heaps.append(Heap(one.left, ends, one))
        one.mature = True
        self.settle(one.left)

    def take_back(self, one: Earned, points: int) -> None:
        one.taken += points
        if not one.mature:
            one.mature = one.left == 0
            return
        own = [heap for heap in self.heaps if heap.source is one]
        if own:
            points -= sum(part for _, part in self.take(points, own))
        for heap in own:
            part = min(points, heap.lapsed)
            heap.lapsed -= part
            points -= part
        points -= sum(part for _, part in self.take(points))
        self.debt += points

    def give_back(self, one: Spent, points: int, now: datetime) -> None:
        """The last taken first; `one.back` came back before."""
        skip = one.back
        one.back += points
        total = points
        for heap, part in reversed(one.taken):
            skipped = min(skip, part)
            skip -= skipped
            now_back = min(points, part - skipped)
            points -= now_back
            if not now_back:
                continue
            if heap.ended or (heap.ends is not None and heap.ends <= now):
                self.heaps.append(Heap(now_back, now + GRACE, heap.source))
            else:
                heap.points += now_back
        self.settle(total)

    def release(self, one: Spent, now: datetime) -> None:
        one.status = "released"
        back = 0
        for heap, part in one.taken:
            if heap.ended or (heap.ends is not None and heap.ends <= now):
                heap.lapsed += part
            else:
                heap.points += part
                back += part
        self.settle(back)
