"""What somebody chooses on a page of theirs: any purpose on any channel, not only the newsletter by e-mail.

What they say in the chat is in contact.py. Here as there a no takes effect at once, and what changes nothing
writes nothing: consents are only ever appended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from rapport.customers import contact, repository, rules, silence
from rapport.customers.models import Interest
from rapport.customers.service import note, record_consent
from rapport.kit import clock
from rapport.kit.errors import InvalidInputError
from rapport.kit.upsert import add_once

Consent = tuple[str, str]  # purpose, channel


@dataclass(frozen=True)
class Said:
    """Where and in which words something was agreed to or withdrawn, and how they showed that it was they."""

    source: str
    wording: str
    proof: Mapping[str, Any] | None = None


def agree(session: Session, customer_id: int, consents: Collection[Consent], said: Said) -> list[Consent]:
    """Note that they want this; returns what they did not want before. They refuse its channels no longer.

    Raises InvalidInputError for a purpose or a channel that there is not.
    """
    if not all(purpose in rules.PURPOSES and channel in rules.CHANNELS for purpose, channel in consents):
        raise InvalidInputError("There is no such purpose or channel.")
    policy = contact.locked_policy(session, customer_id)
    channels = {channel for _purpose, channel in consents}
    refused = channels & set(policy.refused_channels)
    known = repository.consents_of(session, customer_id)
    # Who refused the channel since does not have it any more, whatever they agreed to before.
    new = [c for c in consents if not known.get(c, False) or c[1] in refused]
    if refused:
        allow_channels(session, customer_id, refused)
    _record(session, customer_id, new, True, said)
    if new:
        note(session, customer_id, "subscribed")
    return new


def withdraw(session: Session, customer_id: int, consents: Collection[Consent], said: Said) -> list[Consent]:
    """Note that they do not want this any more; returns what they had agreed to.

    Whatever waits for them unasked on its channels is not sent: what of it was for another purpose comes
    again with the next occasion, which is better than one mail too many.
    """
    repository.lock_customer(session, customer_id)
    granted = set(repository.granted_consents(session, customer_id))
    ended = [consent for consent in consents if consent in granted]
    if channels := {channel for _purpose, channel in consents}:
        silence.cancel_unasked(session, customer_id, channels)
    _record(session, customer_id, ended, False, said)
    return ended


def leave(session: Session, customer_id: int, said: Said) -> bool:
    """Withdraw every consent to be sent something unasked, on all channels; False when there was none.

    All of them, whatever their purpose: someone who leaves does not know our names for what we send.
    """
    policy = contact.locked_policy(session, customer_id)
    policy.left_at = clock.now()
    contact.changed(policy, None)
    silence.cancel_unasked(session, customer_id)
    granted = repository.granted_consents(session, customer_id)
    _record(session, customer_id, granted, False, said)
    return bool(granted)


def say_goodbye(session: Session, customer_id: int, said: Said) -> None:
    """End all that comes from us: every consent, every channel, the pause, and where they stood with us."""
    leave(session, customer_id, said)
    policy = contact.locked_policy(session, customer_id)
    policy.refused_channels = [*rules.REFUSABLE]
    policy.preferred_channel = policy.paused_until = None
    contact.changed(policy, None)
    note(session, customer_id, "said_goodbye")


def allow_channels(session: Session, customer_id: int, channels: Collection[str]) -> None:
    """They refuse these channels no longer."""
    policy = contact.locked_policy(session, customer_id)
    policy.refused_channels = [channel for channel in policy.refused_channels if channel not in channels]
    contact.changed(policy, None)


def prefer(session: Session, customer_id: int, channel: str | None) -> None:
    """They like this channel best, and refuse it no longer; None: no channel more than another.

    Raises InvalidInputError for a channel there is not.
    """
    if channel is not None:
        contact.set_channels(session, customer_id, channel)
        return
    policy = contact.locked_policy(session, customer_id)
    policy.preferred_channel = None
    contact.changed(policy, None)


def like(session: Session, customer_id: int, topics: Collection[str], source: str) -> list[str]:
    """Note that they like these topics; returns what is new."""
    added = [
        topic
        for topic in topics
        if add_once(session, Interest(topic=topic, source=source, customer_id=customer_id))
    ]
    if added:
        note(session, customer_id, "interest_stated")
    return added


def like_no_more(session: Session, customer_id: int, topics: Collection[str]) -> list[str]:
    """They do not care for these topics; returns what we believed they did."""
    known = set(repository.interests_of(session, customer_id))
    gone = [topic for topic in topics if topic in known]
    repository.drop_interests(session, customer_id, gone)
    return gone


def _record(
    session: Session, customer_id: int, consents: Collection[Consent], granted: bool, said: Said
) -> None:
    for purpose, channel in consents:
        record_consent(
            session,
            customer_id,
            purpose=purpose,
            channel=channel,
            granted=granted,
            wording_version=said.wording,
            source=said.source,
            proof=said.proof,
        )
