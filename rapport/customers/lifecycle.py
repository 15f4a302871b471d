"""The stages of a relationship, and what leads from one to another. Pure.

know      they have met the shop, and we have an address of theirs
interest  they have shown interest: asked about a product, named what they like, want the newsletter
trust     they have bought and kept something, or recommend the shop to others

What somebody does leads upwards at once. Downwards leads only what ends the reason they stood so high:
everything they ever bought went back, they said goodbye, or their data was erased. Time alone changes
nothing here (that they have not bought for long is what RFM and segments are for), and neither does a
complaint: who complains still expects something of us.
"""

from __future__ import annotations

from typing import Literal, get_args

Stage = Literal["know", "interest", "trust"]
Event = Literal[
    "registered",  # an account, a profile, an address in a file
    "verified",  # has shown that an address is theirs
    "asked_about_product",
    "interest_stated",
    "subscribed",
    "unsubscribed",
    "ordered",
    "order_kept",  # the return period of an order ended
    "returned_all",  # no order is left that was not cancelled or paid back
    "recommended",  # someone they referred has bought
    "complained",
    "complaint_resolved",
    "said_goodbye",  # wants no relationship any more, e.g. closes the account
    "erased",
]
STAGES: tuple[Stage, ...] = get_args(Stage)
EVENTS: tuple[Event, ...] = get_args(Event)

# What becomes of somebody at (know, interest, trust).
_TABLE: dict[Event, tuple[Stage, Stage, Stage]] = {
    "registered": ("know", "interest", "trust"),
    "verified": ("know", "interest", "trust"),
    "asked_about_product": ("interest", "interest", "trust"),
    "interest_stated": ("interest", "interest", "trust"),
    "subscribed": ("interest", "interest", "trust"),
    "unsubscribed": ("know", "interest", "trust"),
    "ordered": ("trust", "trust", "trust"),
    "order_kept": ("trust", "trust", "trust"),
    "returned_all": ("know", "interest", "interest"),
    "recommended": ("trust", "trust", "trust"),
    "complained": ("know", "interest", "trust"),
    "complaint_resolved": ("know", "interest", "trust"),
    "said_goodbye": ("know", "know", "know"),
    "erased": ("know", "know", "know"),
}
# The only events after which somebody may stand lower than before.
DOWNWARDS: frozenset[Event] = frozenset({"returned_all", "said_goodbye", "erased"})


def advance(stage: Stage, event: Event) -> Stage:
    """The stage after `event`. Raises KeyError for an event, ValueError for a stage that does not exist."""
    return _TABLE[event][STAGES.index(stage)]


def after(event: Event) -> dict[str, str]:
    """What becomes of somebody at each stage."""
    return {stage: advance(stage, event) for stage in STAGES}
