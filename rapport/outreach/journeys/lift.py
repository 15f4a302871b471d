"""What a journey brought beyond what would have happened without it. Pure.

Compared are those who entered with the control group, who were drawn by the same lot and got nothing. Nobody
enters who cannot be reached. All count who entered, also those whom the contact policy let nothing be sent to
in the end: only so are both groups alike (intention to treat).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

from scipy.special import ndtri, stdtrit  # scipy.stats takes a second to import

# Of a hundred such intervals so many hold the true difference.
LEVEL = 0.95
# With fewer people than this in a group nothing is said of the difference.
FEWEST = 30

Verdict = Literal["too_few", "unclear", "better", "worse"]


@dataclass(frozen=True)
class Group:
    """People, how many of them reached the goal, and what they spent: the sum, and the sum of squares."""

    people: int = 0
    reached: int = 0
    spent_minor: float = 0.0
    squares: float = 0.0

    def __add__(self, other: Group) -> Group:
        return Group(
            self.people + other.people,
            self.reached + other.reached,
            self.spent_minor + other.spent_minor,
            self.squares + other.squares,
        )

    @property
    def share(self) -> float | None:
        """Of 1, how many reached the goal; None without people."""
        return self.reached / self.people if self.people else None

    @property
    def each_minor(self) -> float | None:
        """What one of them spent on average, in minor units."""
        return self.spent_minor / self.people if self.people else None


@dataclass(frozen=True)
class Difference:
    """How much more one group has than the other, and the interval that holds it at `LEVEL`."""

    value: float
    low: float
    high: float


def wilson(reached: int, people: int) -> tuple[float, float]:
    """The interval of a share (Wilson, Journal of the American Statistical Association 22, 1927, 209–212).

    Raises ZeroDivisionError without people.
    """
    z = float(ndtri(0.5 + LEVEL / 2))
    middle, width = reached + z * z / 2, z * sqrt(reached * (people - reached) / people + z * z / 4)
    return (middle - width) / (people + z * z), (middle + width) / (people + z * z)


def of_shares(one: Group, other: Group) -> Difference | None:
    """How much larger the first group's share is; None if either has nobody.

    The interval is Newcombe's (Statistics in Medicine 17, 1998, 873–890, method 10): it holds what it says
    also for small groups and shares near 0, where the textbook's does not.
    """
    p, q = one.share, other.share
    if p is None or q is None:
        return None
    (low, high), (other_low, other_high) = (
        wilson(one.reached, one.people),
        wilson(other.reached, other.people),
    )
    return Difference(
        p - q,
        # A hair beyond what is possible is rounding.
        max(p - q - sqrt((p - low) ** 2 + (other_high - q) ** 2), -1.0),
        min(p - q + sqrt((high - p) ** 2 + (q - other_low) ** 2), 1.0),
    )


def of_spending(one: Group, other: Group) -> Difference | None:
    """How much more one of the first group spends, in minor units; None if a group is smaller than two.

    Welch's interval (Biometrika 34, 1947, 28–35). A single very large order makes it wide, as it should.
    """
    if min(one.people, other.people) < 2:
        return None
    value = (one.each_minor or 0.0) - (other.each_minor or 0.0)
    errors = [_variance(group) / group.people for group in (one, other)]
    total = sum(errors)
    if total == 0:
        return Difference(value, value, value)
    freedom = total**2 / sum(
        error**2 / (group.people - 1) for error, group in zip(errors, (one, other), strict=True)
    )
    width = float(stdtrit(freedom, 0.5 + LEVEL / 2)) * sqrt(total)
    return Difference(value, value - width, value + width)


def _variance(group: Group) -> float:
    spread = group.squares - group.spent_minor**2 / group.people
    return max(spread, 0.0) / (group.people - 1)


def verdict(one: Group, other: Group) -> Verdict:
    """What can be said of the shares: nothing yet, no clear difference, or that one is better or worse."""
    if min(one.people, other.people) < FEWEST:
        return "too_few"
    found = of_shares(one, other)
    if found is None or found.low <= 0 <= found.high:
        return "unclear"
    return "better" if found.low > 0 else "worse"
