"""What two records of one person want together: a no of either is a no. Pure.

Whoever said no was told that nothing would come any more. So a yes of the other record, older or newer, does
not count against it; they can still say yes once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

Consent = tuple[str, str]  # purpose, channel


@dataclass(frozen=True)
class Consents:
    """What one record agreed to (True) or withdrew (False), and whether they said STOP somewhere."""

    said: Mapping[Consent, bool]
    stopped: bool = False

    def refuses(self, consent: Consent) -> bool:
        """Whether they said no to it: in so many words, or to everything but what they agreed to since."""
        return not self.said.get(consent, not self.stopped)


@dataclass(frozen=True)
class Policy:
    """How somebody wants to be contacted, as `ContactPolicy` stores it."""

    preferred_channel: str | None = None
    refused_channels: tuple[str, ...] = ()
    max_per_month: int | None = None
    paused_until: datetime | None = None
    left_at: datetime | None = None


def consents_to_end(one: Consents, other: Consents) -> list[Consent]:
    """What one of the two agreed to and the other refuses."""
    return sorted(
        consent
        for agreed, asked in ((one, other), (other, one))
        for consent, granted in agreed.said.items()
        if granted and asked.refuses(consent)
    )


def policy_of_both(own: Policy, theirs: Policy) -> Policy:
    """All that either refuses, the longer pause, the smaller limit and the later leave; else one's own wishes
    come first.
    """
    refused = tuple(dict.fromkeys((*own.refused_channels, *theirs.refused_channels)))
    preferred = [
        channel
        for channel in (own.preferred_channel, theirs.preferred_channel)
        if channel is not None and channel not in refused
    ]
    limits = [limit for limit in (own.max_per_month, theirs.max_per_month) if limit is not None]
    pauses = [end for end in (own.paused_until, theirs.paused_until) if end is not None]
    left = [at for at in (own.left_at, theirs.left_at) if at is not None]
    return Policy(
        preferred_channel=preferred[0] if preferred else None,
        refused_channels=refused,
        max_per_month=min(limits, default=None),
        paused_until=max(pauses, default=None),
        left_at=max(left, default=None),
    )
