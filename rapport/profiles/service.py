"""Everything known of a customer, as staff see it beside a conversation and on the customer's own page.

What somebody must not see is hidden here: pages get no more than they may show.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from rapport.channels.models import ContactPoint
from rapport.conversations.models import Conversation
from rapport.customers import rules as customer_rules
from rapport.customers import service as customers
from rapport.customers.models import ConsentEvent, ContactPolicy, Customer, CustomerMerge, Identity, Interest
from rapport.kit import clock
from rapport.kit.errors import NotFoundError
from rapport.loyalty.offers import explanations
from rapport.loyalty.offers.explanations import Explanation
from rapport.loyalty.offers.models import GOOD, Coupon
from rapport.loyalty.points import service as points
from rapport.loyalty.points.service import Statement
from rapport.outreach.journeys import definition
from rapport.outreach.policy import service as contact_policy
from rapport.outreach.policy.models import ContactDecision
from rapport.privacy.sight import Sight, telling_words
from rapport.profiles import repository, rules
from rapport.shop import repository as shop_repository
from rapport.shop import service as shop
from rapport.shop.facts import get_facts
from rapport.shop.service import OrderView
from rapport.value import service as value
from rapport.value.segments import get_segments
from rapport.value.service import Standing


@dataclass(frozen=True)
class Person:
    """Who is on the other side of a conversation, as far as is known; `point`: where they are in an app."""

    customer: Customer | None
    identities: Sequence[Identity]
    point: ContactPoint | None

    def sight(self, full: bool) -> Sight:
        """What somebody sees of them."""
        name = self.customer.name if self.customer else None
        mails = [identity.value for identity in self.identities if identity.kind == "email"]
        return Sight(full, telling_words(name, mails))


@dataclass(frozen=True)
class Size:
    """How many of each kind are shown."""

    orders: int
    coupons: int
    conversations: int
    consents: int
    cases: int
    merges: int
    decisions: int


BESIDE = Size(orders=5, coupons=5, conversations=5, consents=40, cases=10, merges=5, decisions=3)
WHOLE = Size(orders=50, coupons=50, conversations=50, consents=200, cases=50, merges=20, decisions=20)


@dataclass(frozen=True)
class Address:
    """One way somebody is known by."""

    kind: str
    value: str
    verified_at: datetime | None


@dataclass(frozen=True)
class Reached:
    """A messaging app they write from."""

    channel: str
    address: str
    last_inbound_at: datetime
    linked_at: datetime | None
    stopped_at: datetime | None
    unreachable_since: datetime | None
    reason: str | None


@dataclass(frozen=True)
class Code:
    """A code somebody has or had; `state` says expired also before the task has said so."""

    code: str
    state: str
    redeemed_at: datetime | None
    why: Explanation


@dataclass(frozen=True)
class CaseView:
    """A complaint, request, mention or call-back."""

    id: int
    kind: str
    status: str
    topic: str | None
    order_number: str | None
    rating: int | None
    text: str
    opened_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True)
class Profile:
    """A customer. Amounts are minor units; `consents` are what holds now, `history` all that was said.

    `decisions`: what was sent unasked, or not, and why, with the name of each one's journey.
    """

    id: int
    full: bool
    name: str | None
    language: str | None
    country: str | None
    birthday: date | None
    stage: str
    created_at: datetime
    addresses: list[Address]
    reached: list[Reached]
    references: list[tuple[str, str]]
    standing: Standing
    segment: str | None
    statement: Statement
    tier: str
    next_tier: str | None
    policy: ContactPolicy | None
    paused_until: datetime | None
    per_month: int
    consents: list[ConsentEvent]
    history: Sequence[ConsentEvent]
    interests: list[tuple[str, Interest]]
    orders: list[OrderView]
    codes: list[Code]
    conversations: Sequence[Conversation]
    cases: list[CaseView]
    complaint: CaseView | None
    merges: Sequence[CustomerMerge]
    decisions: list[tuple[str, ContactDecision]]


def person_of(session: Session, conversation: Conversation) -> Person:
    """Who a conversation is with: whom it was verified for, else whoever writes from that app."""
    return people_of(session, [conversation])[conversation.id]


def people_of(session: Session, conversations: Collection[Conversation]) -> dict[str, Person]:
    """Who each of these conversations is with, by its id."""
    points = repository.contact_points_in(session, [conversation.id for conversation in conversations])
    whose = {
        conversation.id: conversation.customer_id
        or (points[conversation.id].customer_id if conversation.id in points else None)
        for conversation in conversations
    }
    ids = {customer_id for customer_id in whose.values() if customer_id is not None}
    customers, identities = repository.customers(session, ids), repository.identities_of(session, ids)
    return {
        conversation_id: Person(
            customers[customer_id] if customer_id is not None else None,
            identities.get(customer_id, ()) if customer_id is not None else (),
            points.get(conversation_id),
        )
        for conversation_id, customer_id in whose.items()
    }


def person(session: Session, customer_id: int) -> Person:
    """A customer. Raises NotFoundError."""
    customer = session.get(Customer, customer_id)
    if customer is None:
        raise NotFoundError("There is no such customer.")
    return Person(customer, repository.identities(session, customer_id), None)


def profile(
    session: Session,
    someone: Person,
    sight: Sight,
    language: str,
    conversation_id: str | None = None,
    size: Size = BESIDE,
) -> Profile:
    """All about a known person, in words of `language`; with what their conversation tells."""
    customer = someone.customer
    assert customer is not None
    standing = value.standing(session, customer.id)
    assert standing is not None
    policy = repository.policy(session, customer.id)
    history = repository.consents(session, customer.id, size.consents)
    statement = points.statement(session, customer.id)
    cases = cases_of(session, customer.id, conversation_id, sight, size.cases)
    now = clock.now()
    paused = policy.paused_until if policy else None
    limit = policy.max_per_month if policy else None
    return Profile(
        id=customer.id,
        full=sight.full,
        name=sight.name(customer.name) if customer.name else None,
        language=customer.language,
        country=customer.country,
        birthday=customer.birthday if sight.full else None,
        stage=customer.stage,
        created_at=customer.created_at,
        addresses=[
            Address(one.kind, sight.address(one.kind, one.value), one.verified_at)
            for one in someone.identities
        ],
        reached=[
            _reached(point, sight)
            for point in repository.contact_points(session, customer.id, conversation_id)
        ],
        references=[
            (reference.system, sight.secret(reference.value))
            for reference in repository.references(session, customer.id)
        ],
        standing=standing,
        segment=get_segments().name(standing.segment, language) if standing.segment else None,
        statement=statement,
        tier=_tier_name(statement.tier.key, language),
        next_tier=_tier_name(statement.tier.next_key, language) if statement.tier.next_key else None,
        policy=policy,
        paused_until=paused if paused and paused > now else None,
        per_month=customer_rules.DEFAULT_PER_MONTH if limit is None else limit,
        consents=rules.in_force(history),
        history=history,
        interests=_named(session, repository.interests(session, customer.id, None), language),
        orders=[
            rules.order(order, sight)
            for order in shop.recent_orders(session, customer.id, size.orders, language)
        ],
        codes=[
            _code(session, coupon, sight, now)
            for coupon in repository.coupons(session, customer.id, size.coupons)
        ],
        conversations=repository.conversations(session, customer.id, size.conversations + 1),
        cases=cases,
        complaint=open_complaint(cases),
        merges=repository.merges(session, customer.id, size.merges),
        decisions=[
            (_journey_name(one.journey), one)
            for one in contact_policy.decisions_of(session, customer.id, size.decisions)
        ],
    )


def cases_of(
    session: Session, customer_id: int | None, conversation_id: str | None, sight: Sight, limit: int
) -> list[CaseView]:
    """Cases of a customer and of a conversation, open ones first."""
    return [
        CaseView(
            id=case.id,
            kind=case.kind,
            status=case.status,
            topic=case.topic,
            order_number=case.order_number,
            rating=case.rating,
            text=sight.text(case.text),
            opened_at=case.opened_at,
            resolved_at=case.resolved_at,
        )
        for case in repository.cases(session, customer_id, conversation_id, limit)
    ]


def open_complaint(cases: Sequence[CaseView]) -> CaseView | None:
    """The newest complaint that is not settled."""
    return next((case for case in cases if case.kind == "complaint" and case.resolved_at is None), None)


def held_interests(session: Session, conversation_id: str, language: str) -> list[tuple[str, Interest]]:
    """What somebody said they like while nobody knows who they are."""
    return _named(session, repository.interests(session, None, conversation_id), language)


def find(session: Session, wanted: str, by_name: bool) -> list[int] | None:
    """The customers who have exactly this address or an order of this number; None when it can only be a
    name, which is looked for elsewhere. Without `by_name` nothing but an exact match is found.
    """
    wanted = wanted.strip()
    if "@" in wanted:
        return sorted(customers.known_by_address(session, "email", wanted))
    if any(letter.isdigit() for letter in wanted):
        owners = repository.owners_of_order(session, rules.order_spellings(wanted))
        if owners or not by_name:
            return sorted(owners)
    return None if by_name else []


def _reached(point: ContactPoint, sight: Sight) -> Reached:
    return Reached(
        channel=point.channel,
        address=sight.address("email" if "@" in point.address else point.channel, point.address),
        last_inbound_at=point.last_inbound_at,
        linked_at=point.linked_at,
        stopped_at=point.stopped_at,
        unreachable_since=point.unreachable_since,
        reason=sight.text(point.unreachable_reason) if point.unreachable_reason else None,
    )


def _code(session: Session, coupon: Coupon, sight: Sight, now: datetime) -> Code:
    ended = coupon.state in GOOD and coupon.expires_at <= now
    return Code(
        code=sight.secret(coupon.code),
        state="expired" if ended else coupon.state,
        redeemed_at=coupon.redeemed_at,
        why=explanations.explained(session, coupon),
    )


def _named(session: Session, interests: Sequence[Interest], language: str) -> list[tuple[str, Interest]]:
    """Interests with what their topics are called: categories by the shop's file, products asked at once."""
    facts = get_facts()
    names = {one.topic: facts.category_name(one.topic, language) for one in interests}
    products = [topic for topic, name in names.items() if name is None]
    for spoken in (facts.language, language) if products else ():
        names |= shop_repository.product_names(session, spoken, products)
    return [(names[one.topic] or one.topic, one) for one in interests]


def _tier_name(key: str, language: str) -> str:
    return next((tier.name.of(language) for tier in get_facts().club.tiers if tier.key == key), key)


def _journey_name(key: str) -> str:
    journey = definition.load_all().get(key)
    return journey.name if journey is not None else key.replace("_", " ")
