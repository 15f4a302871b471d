"""How, how often and whether a customer hears from us unasked, and what they say to change it.

A wish to hear nothing takes effect at once: what is queued for them unasked is not sent any more. A code
somebody asked for still is. The same `message_key` again changes nothing and gives the same result.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.customers import repository, rules, silence
from rapport.customers.models import ContactPolicy
from rapport.customers.service import note, record_consent
from rapport.kit import clock
from rapport.kit.errors import InvalidInputError
from rapport.outreach.journeys import recall


@dataclass(frozen=True)
class Wishes:
    """What a customer said about hearing from us: `per_month` is a limit, None if they named none."""

    newsletter: bool
    per_month: int | None
    paused_until: datetime | None
    refused: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.newsletter or self.per_month or self.paused_until or self.refused)


def wishes(session: Session, customer_id: int) -> Wishes:
    """All of it, to be read back to them."""
    policy = repository.policy_of(session, customer_id)
    return Wishes(
        newsletter=is_subscribed(session, customer_id),
        per_month=policy.max_per_month if policy else None,
        paused_until=paused_until(session, customer_id),
        refused=tuple(policy.refused_channels) if policy else (),
    )


def set_channels(
    session: Session,
    customer_id: int,
    preferred: str | None = None,
    refused: Collection[str] = (),
    message_key: str | None = None,
) -> None:
    """Note the channel this customer prefers, so that they refuse it no longer, and those they refuse now.

    Raises InvalidInputError for a channel we do not know, and for one both preferred and refused.
    """
    if preferred is not None and preferred not in rules.REFUSABLE:
        raise InvalidInputError(f"Choose one of {', '.join(rules.REFUSABLE)}.")
    if preferred in refused or not set(refused) <= set(rules.REFUSABLE):
        raise InvalidInputError(f"Refuse some of {', '.join(rules.REFUSABLE)}, not the preferred one.")
    policy = locked_policy(session, customer_id)
    kept = [channel for channel in policy.refused_channels if channel not in (preferred, *refused)]
    policy.refused_channels = [*kept, *refused]
    if preferred is not None:
        policy.preferred_channel = preferred
    elif policy.preferred_channel in refused:
        policy.preferred_channel = None
    changed(policy, message_key)
    if refused:
        silence.cancel_unasked(session, customer_id, refused)


def per_month(session: Session, customer_id: int) -> int:
    """The most unasked messages a month for this customer."""
    policy = repository.policy_of(session, customer_id)
    return rules.DEFAULT_PER_MONTH if policy is None or policy.max_per_month is None else policy.max_per_month


def set_frequency(session: Session, customer_id: int, wish: str, message_key: str | None = None) -> int:
    """Change it to a number, to `less` or to `more`; returns the new limit. Raises InvalidInputError."""
    policy = locked_policy(session, customer_id)
    if message_key is not None and policy.message_key == message_key and policy.max_per_month is not None:
        return policy.max_per_month
    limit = rules.new_limit(wish, policy.max_per_month)
    if limit is None:
        raise InvalidInputError("The frequency must be a number, less or more.")
    policy.max_per_month = limit
    changed(policy, message_key)
    return limit


def paused_until(session: Session, customer_id: int) -> datetime | None:
    """The end of the pause this customer is in; None when they are in none."""
    policy = repository.policy_of(session, customer_id)
    end = policy.paused_until if policy else None
    return end if end is not None and end > clock.now() else None


def pause(session: Session, customer_id: int, until: datetime, message_key: str | None = None) -> None:
    """Send nothing unasked until then. What waits to be sent is decided again after it, if not too late."""
    policy = locked_policy(session, customer_id)
    policy.paused_until = until
    changed(policy, message_key)
    silence.cancel_unasked(session, customer_id, pause=until)


def resume(session: Session, customer_id: int, message_key: str | None = None) -> bool:
    """End the pause; False when there is none."""
    policy = locked_policy(session, customer_id)
    if message_key is not None and policy.message_key == message_key:
        return True
    if policy.paused_until is None or policy.paused_until <= clock.now():
        return False
    policy.paused_until = None
    changed(policy, message_key)
    recall.go_on(session, customer_id)
    return True


def is_subscribed(session: Session, customer_id: int) -> bool:
    """Whether this customer agreed to be sent anything unasked."""
    return bool(repository.granted_consents(session, customer_id))


def subscribe(session: Session, customer_id: int, message_key: str) -> bool:
    """Note that this customer wants the newsletter by e-mail; False when they get it already.

    Who asks for it no longer refuses e-mail.
    """
    policy, source = locked_policy(session, customer_id), _source(message_key)
    if repository.consent_recorded(session, customer_id, True, source):
        return True
    latest = repository.latest_consent(session, customer_id, rules.NEWSLETTER, "email")
    if latest is not None and latest.granted and "email" not in policy.refused_channels:
        return False
    policy.refused_channels = [channel for channel in policy.refused_channels if channel != "email"]
    changed(policy, message_key)
    record_consent(
        session,
        customer_id,
        purpose=rules.NEWSLETTER,
        channel="email",
        granted=True,
        wording_version=rules.NEWSLETTER_WORDING,
        source=source,
    )
    note(session, customer_id, "subscribed")
    return True


def unsubscribe(session: Session, customer_id: int, message_key: str) -> bool:
    """Withdraw every consent to be sent something unasked; False when there was none.

    All of them, whatever their purpose: someone who leaves does not know our names for what we send. From
    then on nothing unasked is sent, also nothing that needs no consent, until they agree to something again.
    """
    policy, source = locked_policy(session, customer_id), _source(message_key)
    silence.cancel_unasked(session, customer_id)
    if repository.consent_recorded(session, customer_id, False, source):
        return True
    policy.left_at = clock.now()
    granted = repository.granted_consents(session, customer_id)
    for purpose, channel in granted:
        record_consent(
            session,
            customer_id,
            purpose=purpose,
            channel=channel,
            granted=False,
            wording_version=rules.NEWSLETTER_WORDING,
            source=source,
        )
    return bool(granted)


def locked_policy(session: Session, customer_id: int) -> ContactPolicy:
    """The customer's own, made when there is none; nobody else changes it until this session ends."""
    repository.lock_customer(session, customer_id)
    policy = repository.policy_of(session, customer_id)
    if policy is None:
        policy = ContactPolicy(customer_id=customer_id, refused_channels=[])
        session.add(policy)
        session.flush()
    else:
        session.refresh(policy)  # it may have been read before the lock
    return policy


def changed(policy: ContactPolicy, message_key: str | None) -> None:
    """Write down that it was changed, and by which message; None when it was none."""
    policy.message_key = message_key
    policy.updated_at = clock.now()


def _source(message_key: str) -> str:
    """Where a consent comes from: the conversation and the message in it."""
    return f"chat:{message_key}"
