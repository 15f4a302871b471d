"""Pure rules of points."""

from __future__ import annotations


def points_for(amount_minor: int, points: int, per_minor: int) -> int:
    """`points` for every full `per_minor` of an amount; what is left over earns nothing (rounded down)."""
    return max(amount_minor, 0) // per_minor * points


def points_to_take_back(earned: int, taken_back: int, due_after_refund: int) -> int:
    """How many points a refund costs, so that what stays is what the rest of the order would have earned."""
    return max(earned - taken_back - due_after_refund, 0)
