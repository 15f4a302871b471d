"""What the contact policy decides of one customer: facts are read, rules asked, the answer written down."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from rapport.channels import registry
from rapport.customers.rules import DEFAULT_PER_MONTH, IMPORTED_WORDING
from rapport.kit.errors import NotFoundError
from rapport.mentions import service as mentions
from rapport.outreach import repository as outbox
from rapport.outreach.policy import quiet, repository, rules, words
from rapport.outreach.policy.models import ContactDecision
from rapport.outreach.policy.rules import Consent, Decision, Facts, Manners, Reach, Touch
from rapport.shop.facts import StayingInTouch, get_facts
from rapport.shop.hours import WEEKDAYS

EMAIL = "email"
# A step that is put off again and again has several decisions, of which one is told.
LOOKED_AT = 40


def decide(
    session: Session, customer_id: int, touch: Touch, now: datetime, also_sent: Sequence[datetime] = ()
) -> Decision:
    """Whether, when and where this customer may get the touch. Raises NotFoundError.

    Whoever decides and sends holds the customer's lock, so that two touches do not share the last place under
    the cap. `also_sent`: when they would have been written to as well, for who only tries.
    """
    facts = facts_of(session, customer_id, now)
    facts = replace(facts, sent=(*facts.sent, *also_sent))
    decided = rules.decide(facts, touch, now)
    return Decision(
        decided.outcome,
        decided.reason,
        decided.channel,
        decided.until,
        facts=rules.basis(facts, touch, decided.channel, now),
    )


def decisions_of(session: Session, customer_id: int, limit: int = 20) -> Sequence[ContactDecision]:
    """The newest decisions about a customer, sent or not."""
    return repository.decisions(session, customer_id, limit)


@dataclass(frozen=True)
class Told:
    """A decision as the customer may hear it."""

    at: datetime
    sent: bool
    text: str


def told(session: Session, customer_id: int, language: str, limit: int = 3) -> list[Told]:
    """The last decisions about a customer in words of theirs, newest first: of each step what came of it."""
    timezone, found = get_facts().timezone, dict[int, ContactDecision]()
    for decision in decisions_of(session, customer_id, LOOKED_AT):
        found.setdefault(decision.step_id or -decision.id, decision)
    return [
        Told(one.at, one.outcome == repository.SENT, words.sentence(one, language, timezone))
        for one in list(found.values())[:limit]
    ]


def last_sent(session: Session, customer_id: int) -> datetime | None:
    """When this customer was last written to unasked; None if never."""
    return repository.last_sent(session, customer_id)


def mailbox_of(session: Session, customer_id: int) -> str | None:
    """The address an unasked mail to this customer goes to; None when there is none that may be used."""
    known = repository.identities(session, [customer_id])[customer_id]
    return _mailbox(known, repository.consents(session, [customer_id])[customer_id])


def barred(
    session: Session, customer_ids: Collection[int], touches: Sequence[Touch], now: datetime
) -> dict[int, str]:
    """Those of the customers whom none of these touches can reach at this moment, and why.

    Five queries, however many they are.
    """
    found = {
        customer_id: rules.barred(facts, touches, now)
        for customer_id, facts in _known(session, customer_ids).items()
    }
    return {customer_id: reason for customer_id, reason in found.items() if reason is not None}


def facts_of(session: Session, customer_id: int, now: datetime) -> Facts:
    """All that a decision rests on. Raises NotFoundError when there is no such customer."""
    known = _known(session, [customer_id]).get(customer_id)
    if known is None:
        raise NotFoundError("There is no such customer.")
    last_word = repository.with_staff_since(session, customer_id, now - rules.STAFF_HAVE)
    unsettled = repository.unsettled(session, customer_id)
    return replace(
        known,
        sent=repository.sent_since(session, customer_id, now - rules.CAP_DAYS),
        open_complaint="complaint" in unsettled,
        bad_mention="mention" in unsettled or mentions.has_bad(session, customer_id, now),
        staff_until=last_word and last_word + rules.STAFF_HAVE,
    )


def _known(session: Session, customer_ids: Collection[int]) -> dict[int, Facts]:
    """What tells how each of them can be reached and what they wish; the rest of the facts is left out."""
    shop = get_facts()
    manner = manners(shop.staying_in_touch)
    said = repository.consents(session, customer_ids)
    known = repository.identities(session, customer_ids)
    points = repository.contact_points(session, customer_ids)
    mailboxes = (_mailbox(known[who], said[who]) for who in customer_ids)
    came_back = outbox.unreachable_among(session, {one for one in mailboxes if one is not None})
    found = {}
    for person in repository.people(session, customer_ids):
        who, per_month = person.id, person.max_per_month
        consents = {(row.purpose, row.channel): Consent(row.id, row.granted, row.at) for row in said[who]}
        found[who] = Facts(
            manners=manner,
            zones=quiet.zones_of(person.timezone, person.country, shop.timezone),
            consents=consents,
            left_at=person.left_at,
            preferred=person.preferred_channel,
            refused=frozenset(person.refused_channels or ()),
            reach=_reach(known[who], points[who], said[who], consents, came_back),
            paused_until=person.paused_until,
            per_month=DEFAULT_PER_MONTH if per_month is None else per_month,
            worth_minor=person.clv_minor,
        )
    return found


def manners(shop: StayingInTouch) -> Manners:
    """The shop's way of staying in touch, as the rules read it."""
    begins, ends = shop.quiet_minutes()
    days = frozenset(WEEKDAYS.index(day) for day in shop.quiet_days)
    return Manners(
        quiet=quiet.Quiet(begins, ends, days),
        gap=timedelta(days=shop.gap_days),
        cost_minor=shop.cost_minor.model_dump(),
        unknown_worth_minor=shop.new_worth_minor,
    )


def _reach(
    known: Sequence[Any],
    points: Sequence[Any],
    said: Sequence[Any],
    consents: Mapping[tuple[str, str], Consent],
    came_back: Collection[str],
) -> dict[str, Reach]:
    """Where a customer can be reached: mail that was shown to be theirs, a number, messaging apps."""
    reach: dict[str, Reach] = {}
    for point in points:
        window = registry.window(point.channel)
        closes = None if window is None else point.last_inbound_at + window
        usable = point.unreachable_since is None and not _stopped(point, consents)
        if point.channel not in reach or (usable and not reach[point.channel].usable):
            reach[point.channel] = Reach(usable, closes)
    # A talk by mail does not show whose the address is. That it bounced, or who said STOP there, counts.
    talk, mailbox = reach.pop(EMAIL, Reach()), _mailbox(known, said)
    if mailbox is not None:
        reach[EMAIL] = Reach(usable=False) if mailbox in came_back else talk
    if any(row.kind == rules.PHONE for row in known):
        reach[rules.PHONE] = Reach()
    return reach


def _stopped(point: Any, consents: Mapping[tuple[str, str], Consent]) -> bool:
    """Whether they said STOP there, and agreed to nothing on that channel since."""
    agreed = [one.at for (_, channel), one in consents.items() if channel == point.channel and one.granted]
    return point.stopped_at is not None and max(agreed, default=point.stopped_at) <= point.stopped_at


def _mailbox(known: Sequence[Any], said: Sequence[Any]) -> str | None:
    """Mail goes to an address that was shown to be theirs, or that an agreement in a file came with: that the
    shop vouches for.
    """
    addresses = [row for row in known if row.kind == EMAIL]
    latest = {row.purpose: row for row in said if row.channel == EMAIL}
    vouched = any(row.granted and row.wording_version == IMPORTED_WORDING for row in latest.values())
    return next((row.value for row in addresses if row.verified_at is not None or vouched), None)
