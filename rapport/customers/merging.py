"""Two records of one person become one, when that person has shown it. Written down, and can be undone.

Only who is no more than a prospect is merged into a customer: two customers are never made one by a claim.
A no of either is a no afterwards (refusals.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.customers import belongings, lifecycle, refusals, repository, rules, silence
from rapport.customers.models import ConsentEvent, ContactPolicy, CustomerMerge
from rapport.customers.refusals import Consents, Policy
from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError


def is_prospect(session: Session, customer_id: int) -> bool:
    """Whether they are known by nothing but messaging apps: no mail address, no account, no order."""
    return not belongings.has_standing(session, customer_id)


def merge(session: Session, from_id: int, into_id: int, why: str) -> CustomerMerge:
    """Give all that a prospect has to a customer; the prospect's record stays, empty.

    Raises InvalidInputError when `from_id` is no mere prospect, or both are the same, ConflictError when one
    of them was merged into somebody already, and NotFoundError.
    """
    if from_id == into_id:
        raise InvalidInputError("These are the same customer.")
    session.flush()
    points, talks = (belongings.ids_of(session, name, from_id) for name in ("contact_point", "conversation"))
    belongings.lock(session, (from_id, into_id), points, talks)
    if repository.get_customer(session, from_id) is None or repository.get_customer(session, into_id) is None:
        raise NotFoundError("There is no such customer.")
    if repository.merged_into(session, from_id) or repository.merged_into(session, into_id):
        raise ConflictError("One of the two was merged into a customer already.")
    if not is_prospect(session, from_id):
        raise InvalidInputError("Only a prospect can be merged into a customer.")
    theirs, own = _consents(session, from_id), _consents(session, into_id)
    stage = repository.stage_of(session, from_id)
    moved: dict[str, Any] = {**belongings.give(session, from_id, into_id)}
    ended = _end_consents(session, into_id, refusals.consents_to_end(own, theirs), f"merge:{why}")
    if ended:
        moved["consent_event"] = [*moved.get("consent_event", ()), *ended]
    if policy := _join_policies(session, from_id, into_id):
        moved["contact_policy"] = policy
    _keep_silent(session, into_id, all_at_once=theirs.stopped or bool(ended))
    if stage != "know" or "interest" in moved:
        repository.set_stage(session, into_id, lifecycle.after("interest_stated"))
    done = CustomerMerge(from_id=from_id, into_id=into_id, why=why, moved=moved, at=clock.now())
    session.add(done)
    session.flush()
    return done


def undo(session: Session, merge_id: int) -> CustomerMerge:
    """Give back what a merge moved, as far as it is still there; what was done since stays where it was done.

    Raises NotFoundError or ConflictError.
    """
    done = session.get(CustomerMerge, merge_id)
    if done is None:
        raise NotFoundError("There is no such merge.")
    session.flush()
    ids = {name: given for name, given in done.moved.items() if name != "contact_policy"}
    belongings.lock(
        session, (done.from_id, done.into_id), ids.get("contact_point", []), ids.get("conversation", [])
    )
    session.refresh(done)
    if done.undone_at is not None:
        raise ConflictError("This merge was undone already.")
    belongings.give_back(session, done.into_id, done.from_id, ids)
    if "contact_policy" in done.moved:
        _part_policies(session, done.from_id, done.into_id, done.moved["contact_policy"])
    done.undone_at = clock.now()
    session.flush()
    return done


def _consents(session: Session, customer_id: int) -> Consents:
    said = repository.consents_of(session, customer_id)
    return Consents(said, belongings.has_stopped(session, customer_id))


def _end_consents(
    session: Session, customer_id: int, consents: list[refusals.Consent], source: str
) -> list[int]:
    """Withdraw these; returns the ids of the events. A merge that is undone takes them along."""
    events = [
        ConsentEvent(
            customer_id=customer_id,
            purpose=purpose,
            channel=channel,
            granted=False,
            wording_version=rules.NEWSLETTER_WORDING,
            source=source,
        )
        for purpose, channel in consents
    ]
    session.add_all(events)
    session.flush()
    return [event.id for event in events]


def _keep_silent(session: Session, customer_id: int, all_at_once: bool) -> None:
    """What they refuse now, and was queued for either before, is not sent any more."""
    policy = repository.policy_of(session, customer_id)
    paused = policy is not None and policy.paused_until is not None and policy.paused_until > clock.now()
    if all_at_once:
        silence.cancel_unasked(session, customer_id)
    elif policy is not None and paused:
        silence.cancel_unasked(session, customer_id, pause=policy.paused_until)
    elif policy is not None and policy.refused_channels:
        silence.cancel_unasked(session, customer_id, policy.refused_channels)


# --- how they want to be contacted -------------------------------------------------------------------------


def _join_policies(session: Session, from_id: int, into_id: int) -> dict[str, Any] | None:
    """Make one of both; returns what there was and what became of it, None when the prospect had none."""
    theirs, own = (repository.policy_of(session, customer_id) for customer_id in (from_id, into_id))
    if theirs is None:
        return None
    there = _values(theirs)
    before = None if own is None else _values(own)
    after = refusals.policy_of_both(before or Policy(), there)
    if after != before:
        _write(session, into_id, after)
    session.delete(theirs)
    session.flush()
    return {"theirs": _stored(there), "before": before and _stored(before), "after": _stored(after)}


def _part_policies(session: Session, from_id: int, into_id: int, record: Mapping[str, Any]) -> None:
    """Give the prospect theirs again, and the customer what they had, unless they changed it since."""
    if repository.policy_of(session, from_id) is None:
        _write(session, from_id, _restored(record["theirs"]))
    own = repository.policy_of(session, into_id)
    if own is None or _values(own) != _restored(record["after"]):
        return
    if record["before"] is None:
        session.delete(own)
    else:
        _write(session, into_id, _restored(record["before"]))
    session.flush()


def _values(policy: ContactPolicy) -> Policy:
    return Policy(
        policy.preferred_channel,
        tuple(policy.refused_channels),
        policy.max_per_month,
        policy.paused_until,
        policy.left_at,
    )


def _write(session: Session, customer_id: int, wanted: Policy) -> None:
    policy = repository.policy_of(session, customer_id)
    if policy is None:
        policy = ContactPolicy(customer_id=customer_id)
        session.add(policy)
    policy.preferred_channel = wanted.preferred_channel
    policy.refused_channels = list(wanted.refused_channels)
    policy.max_per_month = wanted.max_per_month
    policy.paused_until = wanted.paused_until
    policy.left_at = wanted.left_at
    policy.updated_at = clock.now()
    session.flush()


def _stored(policy: Policy) -> dict[str, Any]:
    """As JSON."""
    return {
        "preferred_channel": policy.preferred_channel,
        "refused_channels": list(policy.refused_channels),
        "max_per_month": policy.max_per_month,
        "paused_until": policy.paused_until and policy.paused_until.isoformat(),
        "left_at": policy.left_at and policy.left_at.isoformat(),
    }


def _restored(stored: Mapping[str, Any]) -> Policy:
    end, left = stored["paused_until"], stored.get("left_at")
    return Policy(
        stored["preferred_channel"],
        tuple(stored["refused_channels"]),
        stored["max_per_month"],
        datetime.fromisoformat(end) if end else None,
        datetime.fromisoformat(left) if left else None,
    )
