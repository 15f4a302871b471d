"""Two records become one, and two again; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from rapport import migrations
from rapport.cases.models import Case
from rapport.channels.models import ChannelLink, ContactPoint
from rapport.conversations.models import Conversation
from rapport.customers import belongings, contact, merging, service
from rapport.customers.models import (
    ConsentEvent,
    ContactPolicy,
    Customer,
    CustomerMerge,
    Identity,
    Interest,
    Verification,
)
from rapport.kit import clock
from rapport.kit.database import Base, session_scope
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.kit.settings import Settings
from rapport.loyalty.points import service as points
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.policy import service as policy
from rapport.outreach.policy.models import ContactDecision
from rapport.preferences.models import Subscription
from rapport.shop.models import Order, Product
from rapport.site.models import SiteEvent, SiteVisitor, StockWish
from tests.channels import people
from tests.channels.people import TELEGRAM, WHATSAPP
from tests.customers.asking import agrees_to_mail
from tests.loyalty.threads import at_once
from tests.outreach.journeys.walk import begin, journey

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON, LATER = NOW + timedelta(days=9), NOW + timedelta(days=90)
ANN = "ann@example.com"


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def ann(session: Session) -> int:
    return people.customer(session, ANN, name="Ann")


def a_prospect(session: Session, address: str = "77") -> int:
    """Who wrote from Telegram and is known by nothing else."""
    people.write(session, TELEGRAM, address)
    return people.point_of(session, TELEGRAM, address).customer_id


def consent(session: Session, customer_id: int, granted: bool, purpose: str = "newsletter") -> None:
    service.record_consent(
        session,
        customer_id,
        purpose=purpose,
        channel="email",
        granted=granted,
        wording_version="1",
        source="test",
    )


def owners(session: Session, table: type[Base]) -> list[Any]:
    session.flush()
    session.expire_all()
    column = table.__table__.c.customer_id
    return list(session.scalars(select(column).order_by(next(iter(table.__table__.primary_key)))))


def everything(session: Session, customer_id: int) -> None:
    """Give a prospect something in each table a prospect can be in."""
    conversation = people.talk_of(session, TELEGRAM, "77")
    consent(session, customer_id, granted=False)
    session.add(Interest(customer_id=customer_id, topic="tents", source="conversation"))
    session.add(Interest(conversation_id=conversation.id, topic="boots", source="conversation"))
    session.add(ChannelLink(token_hash="h", channel="whatsapp", customer_id=customer_id, expires_at=SOON))
    for number, owner in enumerate((None, customer_id)):
        session.add(
            Case(
                kind="complaint",
                conversation_id=conversation.id,
                customer_id=owner,
                message_key=f"case-{number}",
                text="It broke.",
                language="en",
            )
        )
    session.add(
        Verification(
            conversation_id=conversation.id,
            message_key="v",
            address_hash="a",
            customer_id=customer_id,
            code_hash="c",
            expires_at=SOON,
        )
    )
    session.add(
        ContactPolicy(
            customer_id=customer_id, refused_channels=["sms"], paused_until=SOON, preferred_channel="telegram"
        )
    )
    session.add(Conversation(channel="web", language="en", customer_id=customer_id))
    session.flush()


# --- merging -----------------------------------------------------------------------------------------------


def test_everything_changes_hands_and_is_written_down(session: Session, ann: int) -> None:
    prospect = a_prospect(session)
    everything(session, prospect)
    done = merging.merge(session, prospect, ann, "link")
    assert (done.from_id, done.into_id, done.why, done.at, done.undone_at) == (
        prospect,
        ann,
        "link",
        NOW,
        None,
    )
    for table in (Identity, ConsentEvent, Interest, ContactPoint, ChannelLink, Case, Verification):
        assert set(owners(session, table)) == {ann}, table
    assert owners(session, Conversation) == [None, ann] or owners(session, Conversation) == [ann, None]
    assert session.get(ContactPolicy, prospect) is None
    wishes = session.get_one(ContactPolicy, ann)
    assert (wishes.refused_channels, wishes.paused_until, wishes.preferred_channel) == (
        ["sms"],
        SOON,
        "telegram",
    )
    session.refresh(done)
    counted = {name: len(ids) for name, ids in done.moved.items() if name != "contact_policy"}
    assert counted == {
        "identity": 1,
        "consent_event": 1,
        "interest": 2,
        "conversation": 1,
        "contact_point": 1,
        "channel_link": 1,
        "case": 2,
        "verification": 1,
    }
    assert session.get_one(Customer, ann).stage == "interest"
    assert session.get(Customer, prospect) is not None


def test_who_was_written_to_in_an_app_can_be_merged_and_that_counts(session: Session, ann: int) -> None:
    prospect = a_prospect(session)
    entry = JourneyEntry(
        customer_id=prospect, journey="complaint_solved", trigger_key="k", variant="a", anchor_at=NOW
    )
    sent = ContactDecision(
        customer_id=prospect, journey="complaint_solved", step="ask", outcome="send", reason="allowed"
    )
    session.add_all([entry, sent])
    session.flush()
    done = merging.merge(session, prospect, ann, "link")
    assert policy.facts_of(session, ann, NOW).sent == [NOW]
    merging.undo(session, done.id)
    assert (policy.facts_of(session, ann, NOW).sent, entry.customer_id) == ([], prospect)


def test_every_table_that_names_a_customer_is_thought_of(session: Session, ann: int) -> None:
    assert migrations.newest()  # its models are all there are
    known = {
        (table.name, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if "customer" in {key.column.table.name for key in column.foreign_keys}
    }
    handed = (*belongings.MOVED, *belongings.ONCE, belongings.POLICY, belongings.JOURNEY, belongings.STEP)
    thought_of = [*((name, "customer_id") for name in handed), *belongings.STANDING, belongings.PAST]
    # A new one: does it change hands, or is who has it more than a prospect?
    assert sorted(known) == sorted(thought_of)
    assert not belongings.has_standing(session, a_prospect(session))
    assert belongings.has_standing(session, ann)


def test_what_they_did_on_the_site_and_wait_for_goes_along(session: Session, ann: int) -> None:
    """Of what both wait for the customer keeps theirs, and waits once more for what they were told of."""
    prospect = a_prospect(session)
    both, told, only = (
        Product(sku=sku, price_minor=1, currency="NOK", stock=0) for sku in ("both", "told", "only")
    )
    subscription = Subscription(
        customer_id=prospect,
        mailbox_hash="m",
        client_hash="c",
        purposes=["alerts"],
        language="en",
        wording_version="1",
        source="page",
    )
    visitor = SiteVisitor(key_hash="v", customer_id=prospect)
    session.add_all([both, told, only, subscription, visitor])
    session.flush()
    session.add(
        SiteEvent(
            visitor_id=visitor.id,
            customer_id=prospect,
            kind="view",
            product_id=both.id,
            day=NOW.date(),
            at=NOW,
        )
    )
    session.add(StockWish(product_id=told.id, customer_id=ann, source="chat", fulfilled_at=NOW))
    session.add(StockWish(product_id=both.id, customer_id=ann, source="chat"))
    for product in (both, told, only):
        session.add(StockWish(product_id=product.id, customer_id=prospect, source="chat"))
        session.flush()
    assert merging.is_prospect(session, prospect)
    done = merging.merge(session, prospect, ann, "link")
    for table in (SiteVisitor, SiteEvent, Subscription):
        assert owners(session, table) == [ann], table
    waiting = select(StockWish.product_id).where(
        StockWish.customer_id == ann, StockWish.fulfilled_at.is_(None)
    )
    assert set(session.scalars(waiting)) == {both.id, told.id, only.id}
    merging.undo(session, done.id)
    for table in (SiteVisitor, SiteEvent, Subscription):
        assert owners(session, table) == [prospect], table
    assert session.scalars(waiting).all() == [both.id]


def order_of(session: Session, customer_id: int) -> None:
    session.add(
        Order(
            source="shop",
            number="1",
            customer_id=customer_id,
            status="paid",
            currency="NOK",
            total_minor=1,
            placed_at=NOW,
        )
    )
    session.flush()


@pytest.mark.parametrize(
    "gets",
    [
        order_of,
        lambda session, one: points.earn(session, one, 5, key="k", reason="gift", at=NOW),
        lambda session, one: session.add(Identity(customer_id=one, kind="email", value="bob@example.com")),
        lambda session, one: session.add(Identity(customer_id=one, kind="phone", value="+4791234567")),
        lambda session, one: merging.merge(session, a_prospect(session, "88"), one, "link"),
    ],
)
def test_whoever_has_more_than_a_prospect_is_never_merged(
    session: Session, ann: int, gets: Callable[[Session, int], object]
) -> None:
    somebody = a_prospect(session)
    assert merging.is_prospect(session, somebody)
    gets(session, somebody)
    session.flush()
    assert not merging.is_prospect(session, somebody)
    with pytest.raises(InvalidInputError):
        merging.merge(session, somebody, ann, "link")
    assert people.point_of(session, TELEGRAM, "77").customer_id == somebody


def test_two_customers_and_oneself_are_no_merge(session: Session, ann: int) -> None:
    bob = people.customer(session, "bob@example.com")
    prospect = a_prospect(session)
    for from_id, into_id in ((bob, ann), (ann, bob), (ann, prospect), (prospect, prospect)):
        with pytest.raises(InvalidInputError):
            merging.merge(session, from_id, into_id, "link")
    with pytest.raises(NotFoundError):
        merging.merge(session, prospect, 4711, "link")
    assert session.scalars(select(CustomerMerge)).all() == []


def test_who_was_merged_is_merged_no_more(session: Session, ann: int) -> None:
    bob = people.customer(session, "bob@example.com")
    prospect, other = a_prospect(session), a_prospect(session, "88")
    merging.merge(session, prospect, ann, "link")
    with pytest.raises(ConflictError):
        merging.merge(session, prospect, bob, "link")
    with pytest.raises(ConflictError):
        merging.merge(session, other, prospect, "link")


def test_of_what_both_like_each_keeps_their_own(session: Session, ann: int) -> None:
    prospect = a_prospect(session)
    for customer_id, topic in ((ann, "tents"), (prospect, "tents"), (prospect, "boots")):
        session.add(Interest(customer_id=customer_id, topic=topic, source="conversation"))
    session.flush()
    done = merging.merge(session, prospect, ann, "link")
    assert len(done.moved["interest"]) == 1
    assert set(service.preferences(session, ann).interests) == {"tents", "boots"}
    merging.undo(session, done.id)
    assert service.preferences(session, ann).interests == ("tents",)
    assert set(service.preferences(session, prospect).interests) == {"tents", "boots"}


def test_journeys_go_on_with_the_customer_but_for_what_both_are_on(session: Session, ann: int) -> None:
    prospect = a_prospect(session)
    welcome = journey()
    ours = [begin(session, welcome, prospect, key, NOW) for key in ("subscribed", "viewed:1")]
    begin(session, welcome, ann, "subscribed", NOW)
    session.add(
        ContactDecision(customer_id=prospect, journey="j", step="s", outcome="never", reason="paused")
    )
    session.flush()
    assert merging.is_prospect(session, prospect)
    done = merging.merge(session, prospect, ann, "link")
    assert owners(session, JourneyEntry) == [prospect, ann, ann]
    assert owners(session, JourneyStep) == [prospect] * 2 + [ann] * 4
    assert owners(session, ContactDecision) == [ann]
    assert done.moved["journey_entry"] == [ours[1].id if ours[1] else None]
    merging.undo(session, done.id)
    assert owners(session, JourneyStep) == [prospect] * 4 + [ann] * 2


def test_who_knows_nothing_of_each_other_wants_nothing_new(session: Session, ann: int) -> None:
    contact.subscribe(session, ann, "c:1")
    mail = people.queue_mail(session, ANN)
    done = merging.merge(session, a_prospect(session), ann, "code")
    assert contact.is_subscribed(session, ann)
    assert session.get_one(Customer, ann).stage == "interest"  # of the newsletter
    assert "contact_policy" not in done.moved
    assert mail in people.waiting(session)


# --- a no of either is a no --------------------------------------------------------------------------------


def test_a_stop_before_anybody_knew_who_it_is_counts(session: Session, ann: int) -> None:
    contact.subscribe(session, ann, "c:1")
    consent(session, ann, granted=True, purpose="win_back")
    mail, code = people.queue_mail(session, ANN), people.queue_mail(session, ANN, "verification_code")
    prospect = a_prospect(session)
    people.write(session, TELEGRAM, "77", "STOP")
    assert contact.is_subscribed(session, ann)
    merging.merge(session, prospect, ann, "link")
    assert not contact.is_subscribed(session, ann)
    assert not agrees_to_mail(session, ann, "win_back")
    assert mail not in people.waiting(session)
    assert code in people.waiting(session)


@pytest.mark.parametrize("first", ["yes", "no"])
def test_a_withdrawn_consent_counts_whoever_said_it_first(session: Session, ann: int, first: str) -> None:
    prospect = a_prospect(session)
    said = [(ann, True), (prospect, False)] if first == "yes" else [(prospect, False), (ann, True)]
    for hours, (customer_id, granted) in enumerate(said):
        with clock.freeze(NOW - timedelta(hours=9 - hours)):
            consent(session, customer_id, granted)
    mail = people.queue_mail(session, ANN)
    done = merging.merge(session, prospect, ann, "link")
    assert not agrees_to_mail(session, ann)
    assert mail not in people.waiting(session)
    merging.undo(session, done.id)
    assert agrees_to_mail(session, ann)
    assert not contact.is_subscribed(session, prospect)


def test_what_the_customer_withdrew_stays_withdrawn(session: Session, ann: int) -> None:
    with clock.freeze(NOW - timedelta(days=9)):
        consent(session, ann, granted=True)
        consent(session, ann, granted=False)
    prospect = a_prospect(session)
    consent(session, prospect, granted=True)
    merging.merge(session, prospect, ann, "link")
    assert not contact.is_subscribed(session, ann)
    assert contact.subscribe(session, ann, "c:9"), "they can still say yes once more"
    assert contact.is_subscribed(session, ann)


def test_channels_refused_and_pauses_add_up(session: Session, ann: int) -> None:
    contact.set_channels(session, ann, "whatsapp", ["phone"])
    contact.set_frequency(session, ann, "8", "m")
    contact.pause(session, ann, SOON, "m")
    prospect = a_prospect(session)
    contact.set_channels(session, prospect, "telegram", ["whatsapp", "email"])
    contact.set_frequency(session, prospect, "2", "m")
    contact.pause(session, prospect, LATER, "m")
    mail = people.queue_mail(session, ANN)
    done = merging.merge(session, prospect, ann, "link")
    policy = session.get_one(ContactPolicy, ann)
    assert policy.refused_channels == ["phone", "whatsapp", "email"]
    assert policy.preferred_channel == "telegram"
    assert (policy.max_per_month, policy.paused_until) == (2, LATER)
    assert mail not in people.waiting(session)
    merging.undo(session, done.id)
    own, theirs = session.get_one(ContactPolicy, ann), session.get_one(ContactPolicy, prospect)
    assert (own.preferred_channel, own.refused_channels, own.max_per_month, own.paused_until) == (
        "whatsapp",
        ["phone"],
        8,
        SOON,
    )
    assert (theirs.preferred_channel, theirs.refused_channels, theirs.max_per_month, theirs.paused_until) == (
        "telegram",
        ["whatsapp", "email"],
        2,
        LATER,
    )


def test_a_refused_channel_stops_only_what_waits_there(session: Session, ann: int) -> None:
    people.write(session, WHATSAPP, "wa")
    people.verify(session, WHATSAPP, "wa", ANN)
    there, mail = people.queue_delivery(session, WHATSAPP, "wa"), people.queue_mail(session, ANN)
    prospect = a_prospect(session)
    contact.set_channels(session, prospect, refused=["whatsapp"])
    here = people.queue_delivery(session, TELEGRAM, "77")
    merging.merge(session, prospect, ann, "link")
    assert {there, mail, here} & people.waiting(session) == {mail, here}


# --- undoing -----------------------------------------------------------------------------------------------


def test_what_is_still_there_goes_back(session: Session, ann: int) -> None:
    prospect = a_prospect(session)
    everything(session, prospect)
    done = merging.merge(session, prospect, ann, "link")
    assert merging.undo(session, done.id).undone_at == NOW
    for table in (ConsentEvent, Interest, ContactPoint, ChannelLink, Case, Verification):
        assert set(owners(session, table)) == {prospect}, table
    assert sorted(owners(session, Identity)) == sorted([ann, prospect])
    assert session.get(ContactPolicy, ann) is None
    assert session.get_one(ContactPolicy, prospect).paused_until == SOON
    with pytest.raises(ConflictError):
        merging.undo(session, done.id)
    with pytest.raises(NotFoundError):
        merging.undo(session, done.id + 1)
    assert merging.is_prospect(session, prospect)
    again = merging.merge(session, prospect, ann, "link")
    assert set(owners(session, Interest)) == {ann}
    assert again.id != done.id


def test_what_was_done_since_stays_where_it_was_done(session: Session, ann: int) -> None:
    a_prospect(session)
    people.verify(session, TELEGRAM, "77", ANN)
    conversation = people.talk_of(session, TELEGRAM, "77")
    service.record_interest(session, conversation, "skis")
    contact.subscribe(session, ann, "c:1")
    contact.set_channels(session, ann, refused=["phone"])
    [done] = session.scalars(select(CustomerMerge))
    merging.undo(session, done.id)
    assert service.preferences(session, ann).interests == ("skis",)
    assert contact.is_subscribed(session, ann)
    assert session.get_one(ContactPolicy, ann).refused_channels == ["phone"]


def test_wishes_that_were_changed_since_stay_with_all_refusals(session: Session, ann: int) -> None:
    prospect = a_prospect(session)
    contact.set_channels(session, prospect, refused=["sms"])
    done = merging.merge(session, prospect, ann, "link")
    contact.set_channels(session, ann, refused=["phone"])
    merging.undo(session, done.id)
    assert session.get_one(ContactPolicy, ann).refused_channels == ["sms", "phone"]
    assert session.get_one(ContactPolicy, prospect).refused_channels == ["sms"]


def test_after_it_the_app_shows_nobody_any_more(session: Session, ann: int) -> None:
    prospect = a_prospect(session)
    assert people.verify(session, TELEGRAM, "77", ANN) == "verified"
    assert people.talk_of(session, TELEGRAM, "77").customer_id == ann
    [done] = session.scalars(select(CustomerMerge))
    merging.undo(session, done.id)
    point, conversation = people.point_of(session, TELEGRAM, "77"), people.talk_of(session, TELEGRAM, "77")
    assert (point.customer_id, point.linked_at) == (prospect, None)
    assert (conversation.customer_id, conversation.verified_until) == (None, None)
    people.write(session, TELEGRAM, "77")
    assert people.talk_of(session, TELEGRAM, "77").verified_until is None
    assert people.verify(session, TELEGRAM, "77", ANN) == "verified", "they can show it again"
    assert people.point_of(session, TELEGRAM, "77").customer_id == ann


def test_an_app_that_shows_somebody_else_meanwhile_keeps_doing_so(session: Session, ann: int) -> None:
    prospect = a_prospect(session)
    bob = people.customer(session, "bob@example.com")
    people.verify(session, TELEGRAM, "77", ANN)
    people.verify(session, TELEGRAM, "77", "bob@example.com")
    [done] = session.scalars(select(CustomerMerge))
    merging.undo(session, done.id)
    assert people.point_of(session, TELEGRAM, "77").customer_id == prospect
    assert people.talk_of(session, TELEGRAM, "77").customer_id == bob


# --- many at once ------------------------------------------------------------------------------------------


def outcome(engine: Engine, work: Callable[[Session], object]) -> str:
    try:
        with session_scope(engine) as session:
            work(session)
    except (ConflictError, InvalidInputError) as error:
        return type(error).__name__
    except OperationalError as error:  # a deadlock would be one
        return str(error.orig)
    return "done"


def test_one_of_many_merges_wins(engine: Engine) -> None:
    with session_scope(engine) as session:
        into = [people.customer(session, f"c{number}@example.com") for number in range(4)]
        prospect = a_prospect(session)
        everything(session, prospect)
    targets = iter(into * 2)
    results = at_once(
        8,
        lambda: outcome(engine, lambda session: merging.merge(session, prospect, next(targets), "link")),
    )
    assert sorted(results) == ["ConflictError"] * 7 + ["done"]
    with session_scope(engine) as session:
        [done] = session.scalars(select(CustomerMerge))
        assert set(owners(session, Interest)) == set(owners(session, Case)) == {done.into_id}


def test_it_is_undone_once(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = people.customer(session, ANN)
        prospect = a_prospect(session)
        everything(session, prospect)
        merge_id = merging.merge(session, prospect, ann, "link").id
    results = at_once(6, lambda: outcome(engine, lambda session: merging.undo(session, merge_id)))
    assert sorted(results) == ["ConflictError"] * 5 + ["done"]


def test_merging_undoing_writing_and_stopping_all_at_once(engine: Engine) -> None:
    """Nobody waits for each other for ever, nothing is lost, and every app is one person's."""
    addresses = [f"t{number}" for number in range(4)]
    with session_scope(engine) as session:
        ann = people.customer(session, ANN)
        prospects = [a_prospect(session, address) for address in addresses]
    rounds = iter(range(1000))

    def work(session: Session) -> object:
        number = next(rounds)
        match number % 5:
            case 0:
                return merging.merge(session, prospects[number % 4], ann, "link")
            case 1:
                newest = session.scalar(select(func.max(CustomerMerge.id)))
                return merging.undo(session, newest) if newest else None
            case 2:
                return people.write(session, TELEGRAM, addresses[number % 4], "STOP")
            case 3:
                return contact.subscribe(session, ann, f"c:{number}")
            case _:
                return people.write(session, TELEGRAM, addresses[number % 4])

    results = [result for _ in range(10) for result in at_once(8, lambda: outcome(engine, work))]
    assert set(results) <= {"done", "ConflictError", "InvalidInputError"}
    assert results.count("done") > 40
    with session_scope(engine) as session:
        for point in session.scalars(select(ContactPoint)):
            own = prospects[addresses.index(point.address)]
            open_merge = session.scalar(
                select(CustomerMerge).where(CustomerMerge.from_id == own, CustomerMerge.undone_at.is_(None))
            )
            assert point.customer_id == (ann if open_merge else own)
            [identity] = session.scalars(select(Identity).where(Identity.value == point.address))
            assert identity.customer_id == point.customer_id
