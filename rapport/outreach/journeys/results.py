"""What came of a journey: how far people got, what was not sent and why, and whether it brought anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Float, String, and_, case, cast, exists, func, select
from sqlalchemy.orm import Session, aliased

from rapport.channels.models import Delivery
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import ConsentEvent
from rapport.customers.rules import NEWSLETTER
from rapport.insight.counting import seconds
from rapport.insight.models import Satisfaction
from rapport.outreach.journeys import rules
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.lift import Group
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.models import OutboxMessage
from rapport.shop.models import Order
from rapport.shop.repository import KEPT

DAY_SECONDS = 86_400
# The channel of mails; all others are messaging apps.
EMAIL = "email"
# By step and channel: how many are queued, sent, delivered, failed, bounced, cancelled or unknown.
Fates = Mapping[str, Mapping[str, Mapping[str, int]]]


@dataclass
class StepResult:
    """What became of one step: `skipped` and `left` by their reasons, `sent` by channel."""

    waiting: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Waiting:
    """A step that comes, whose, and not before when."""

    customer_id: int
    step: str
    due_at: datetime


@dataclass(frozen=True)
class Compared:
    """Who can be compared by now, by variant: those whose `goal_days` are over. Who entered more than once
    counts once.
    """

    groups: Mapping[str, Group]

    @property
    def written_to(self) -> Group:
        """All who are not of the control group."""
        return sum((group for name, group in self.groups.items() if name != rules.CONTROL), Group())

    @property
    def control(self) -> Group:
        return self.groups.get(rules.CONTROL, Group())


@dataclass(frozen=True)
class Results(Compared):
    """Since a day: entries by variant, what became of them, and each step in the journey's order.

    `early`: those who can't be compared yet.
    """

    entered: Mapping[str, int]
    left: Mapping[str, int]
    running: int
    steps: Mapping[str, StepResult]
    early: int


@dataclass(frozen=True)
class Short(Compared):
    """The same in short, for a list of journeys."""

    entered: int
    running: int
    sent: int
    skipped: int


def in_short(
    session: Session, journeys: Mapping[str, Journey], currency: str, since: datetime, now: datetime
) -> dict[str, Short]:
    """Of each of these journeys, as `of` says it."""
    entries: dict[str, Counter[str]] = {key: Counter() for key in journeys}
    rows = session.execute(
        select(JourneyEntry.journey, JourneyEntry.status, func.count())
        .where(JourneyEntry.journey.in_(journeys), JourneyEntry.entered_at >= since)
        .group_by(JourneyEntry.journey, JourneyEntry.status)
    )
    for key, status, count in rows:
        entries[key][status] = count
    steps: dict[str, Counter[str]] = {key: Counter() for key in journeys}
    rows = session.execute(
        select(JourneyEntry.journey, JourneyStep.status, func.count())
        .join(JourneyStep, JourneyStep.entry_id == JourneyEntry.id)
        .where(JourneyEntry.journey.in_(journeys), JourneyEntry.entered_at >= since)
        .group_by(JourneyEntry.journey, JourneyStep.status)
    )
    for key, status, count in rows:
        steps[key][status] = count
    return {
        key: Short(
            _groups(session, key, journey, currency, since, now),
            entries[key].total(),
            entries[key]["running"],
            steps[key]["sent"],
            steps[key]["skipped"],
        )
        for key, journey in journeys.items()
    }


def of(
    session: Session, key: str, journey: Journey, currency: str, since: datetime, now: datetime
) -> Results:
    """The results of those who entered since then. What was spent is in minor units of `currency`."""
    entered: Counter[str] = Counter()
    left: Counter[str] = Counter()
    running = 0
    rows = session.execute(
        select(JourneyEntry.variant, JourneyEntry.status, JourneyEntry.left_why, func.count())
        .where(*_of(key, since))
        .group_by(JourneyEntry.variant, JourneyEntry.status, JourneyEntry.left_why)
    )
    for variant, status, why, count in rows:
        entered[variant] += count
        if status == "left":
            left[why or ""] += count
        running += count * (status == "running")
    old_enough = now - timedelta(days=journey.goal_days)
    groups = _groups(session, key, journey, currency, since, now)
    early = session.scalar(
        select(func.count()).where(*_of(key, since), JourneyEntry.entered_at > old_enough, _first(since))
    )
    return Results(groups, entered, left, running, _steps(session, key, journey, since), early or 0)


def fates(session: Session, key: str, since: datetime) -> Fates:
    """What became of the mails and messages of who entered since then, as far as somebody told us."""
    number, again = cast(JourneyStep.id, String), cast(JourneyStep.repeats, String)
    # What it was handed over by: delivery.key_of.
    its_key = "journey:" + case((JourneyStep.repeats > 0, number + ":" + again), else_=number)
    steps = (
        select(JourneyStep)
        .join(JourneyEntry, JourneyEntry.id == JourneyStep.entry_id)
        .where(*_of(key, since), JourneyStep.status == "sent")
    )
    # Each is looked for only where it is.
    mails = steps.where(JourneyStep.channel == EMAIL).join(OutboxMessage, OutboxMessage.key == its_key)
    messages = (
        steps.where(JourneyStep.channel != EMAIL)
        .join(Message, and_(Message.channel == JourneyStep.channel, Message.provider_id == its_key))
        .join(
            Delivery,
            and_(Delivery.conversation_id == Message.conversation_id, Delivery.sequence == Message.sequence),
        )
    )
    told = case((Delivery.delivered_at.is_not(None), "delivered"), else_=Delivery.status)
    found: defaultdict[str, defaultdict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for query, fate in ((mails, OutboxMessage.status), (messages, told)):
        counted = query.with_only_columns(JourneyStep.step, JourneyStep.channel, fate, func.count())
        counted = counted.group_by(JourneyStep.step, JourneyStep.channel, fate)
        for step, channel, name, count in session.execute(counted):
            # Being handed over is being on its way.
            found[step][channel or ""]["queued" if name == "sending" else name] += count
    return found


def waiting(session: Session, key: str, limit: int) -> list[Waiting]:
    """The steps of this journey that come next, the soonest first."""
    query = select(JourneyStep.customer_id, JourneyStep.step, JourneyStep.due_at).where(
        JourneyStep.journey == key, JourneyStep.status == "waiting"
    )
    rows = session.execute(query.order_by(JourneyStep.due_at, JourneyStep.id).limit(limit))
    return [Waiting(*row) for row in rows]


def _of(key: str, since: datetime) -> tuple[ColumnElement[bool], ...]:
    return JourneyEntry.journey == key, JourneyEntry.entered_at >= since


def _first(since: datetime) -> ColumnElement[bool]:
    """Somebody's first entry of this journey since then."""
    other = aliased(JourneyEntry, name="other")
    return ~exists().where(
        other.customer_id == JourneyEntry.customer_id,
        other.journey == JourneyEntry.journey,
        other.entered_at >= since,
        other.id < JourneyEntry.id,
    )


def _steps(session: Session, key: str, journey: Journey, since: datetime) -> dict[str, StepResult]:
    """In the journey's order; steps it had once come last."""
    found = {step.key: StepResult() for step in journey.steps}
    rows = session.execute(
        select(JourneyStep.step, JourneyStep.status, JourneyStep.reason, JourneyStep.channel, func.count())
        .join(JourneyEntry, JourneyEntry.id == JourneyStep.entry_id)
        .where(*_of(key, since))
        .group_by(JourneyStep.step, JourneyStep.status, JourneyStep.reason, JourneyStep.channel)
    )
    for step, status, reason, channel, count in rows:
        result = found.setdefault(step, StepResult())
        match status:
            case "waiting":
                result.waiting += count
            case "sent":
                result.sent[channel or ""] += count
            case "skipped":
                result.skipped[reason or ""] += count
            case _:
                result.left[reason or ""] += count
    return found


def _groups(
    session: Session, key: str, journey: Journey, currency: str, since: datetime, now: datetime
) -> dict[str, Group]:
    until = now - timedelta(days=journey.goal_days)
    if journey.goal == "none" or until < since:
        return {}
    dialect = session.get_bind().dialect.name

    def within(column: Any) -> tuple[ColumnElement[bool], ...]:
        """After the entry, and before the time for the goal is over."""
        end = seconds(dialect, JourneyEntry.entered_at) + journey.goal_days * DAY_SECONDS
        return column > JourneyEntry.entered_at, seconds(dialect, column) <= end

    orders = (Order.customer_id == JourneyEntry.customer_id, KEPT, *within(Order.placed_at))
    spent = select(func.sum(Order.total_minor)).where(*orders, Order.currency == currency)
    person = (
        select(
            JourneyEntry.variant,
            _reached(journey.goal, orders, within).label("reached"),
            cast(func.coalesce(spent.correlate(JourneyEntry).scalar_subquery(), 0), Float).label("spent"),
        )
        .where(*_of(key, since), JourneyEntry.entered_at <= until, _first(since))
        .subquery()
    )
    rows = session.execute(
        select(
            person.c.variant,
            func.count(),
            cast(func.sum(case((person.c.reached, 1), else_=0)), BigInteger),
            func.sum(person.c.spent),
            func.sum(person.c.spent * person.c.spent),
        ).group_by(person.c.variant)
    )
    return {variant: Group(*numbers) for variant, *numbers in rows}


def _reached(goal: str, orders: tuple[ColumnElement[bool], ...], within: Any) -> ColumnElement[bool]:
    match goal:
        case "subscribed":
            said_yes = (
                ConsentEvent.customer_id == JourneyEntry.customer_id,
                ConsentEvent.purpose == NEWSLETTER,
                ConsentEvent.granted,
                *within(ConsentEvent.at),
            )
            return exists().where(*said_yes).correlate(JourneyEntry)
        case "rated":
            rated = (
                Conversation.id == Satisfaction.conversation_id,
                Conversation.customer_id == JourneyEntry.customer_id,
                *within(Satisfaction.at),
            )
            return exists().where(*rated).correlate(JourneyEntry)
        case _:
            return exists().where(*orders).correlate(JourneyEntry)
