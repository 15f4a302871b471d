"""Who somebody in a messaging app is: a prospect until a code or a link shows more. On both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels import inbound, links, notices
from rapport.channels.base import Said, Sender
from rapport.channels.models import ChannelLink, ContactPoint, Delivery
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation, Message
from rapport.customers import contact, merging, rules, service, verification
from rapport.customers.models import Customer, CustomerMerge, Identity
from rapport.customers.verification import current_customer_id
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import Settings
from rapport.outreach.models import OutboxMessage
from tests.channels import people
from tests.channels.people import MAIL, SMS, TELEGRAM, WHATSAPP, point_of, talk_of, verify, write
from tests.loyalty.threads import at_once

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def ann(session: Session) -> int:
    return people.customer(session, ANN, name="Ann")


@pytest.fixture
def bob(session: Session) -> int:
    return people.customer(session, BOB, name="Bob")


def merges(session: Session) -> list[tuple[int, int, str]]:
    session.flush()
    found = session.scalars(select(CustomerMerge).order_by(CustomerMerge.id))
    return [(one.from_id, one.into_id, one.why) for one in found]


def verified_as(session: Session, conversation: Conversation) -> int | None:
    session.flush()
    session.refresh(conversation)
    return current_customer_id(conversation)


# --- a code typed in an app --------------------------------------------------------------------------------


def test_a_code_makes_a_prospect_the_customer(session: Session, ann: int) -> None:
    write(session, TELEGRAM, "77")
    prospect = point_of(session, TELEGRAM, "77").customer_id
    conversation = talk_of(session, TELEGRAM, "77")
    service.record_interest(session, conversation, "tents")
    conversations.open_case(session, conversation, "complaint", "It broke.", "m1")
    assert verify(session, TELEGRAM, "77", ANN) == "verified"
    point = point_of(session, TELEGRAM, "77")
    assert (point.customer_id, point.linked_at) == (ann, NOW)
    assert verified_as(session, conversation) == ann
    assert conversation.channel == "telegram"
    assert merges(session) == [(prospect, ann, "code")]
    assert service.preferences(session, ann).interests == ("tents",)
    assert session.scalars(select(Case)).one().customer_id == ann
    found = service.find_by_identity(session, "telegram", "77")
    assert found is not None and found.id == ann


def test_who_is_known_there_is_known_with_each_message(session: Session, ann: int) -> None:
    write(session, TELEGRAM, "77")
    verify(session, TELEGRAM, "77", ANN)
    conversation = talk_of(session, TELEGRAM, "77")
    with clock.freeze(NOW + 30 * HOUR):
        assert current_customer_id(conversation) is None
        write(session, TELEGRAM, "77")
        assert verified_as(session, conversation) == ann


def test_after_a_long_silence_they_show_it_once_more(session: Session, ann: int) -> None:
    write(session, WHATSAPP, "4791234567")
    verify(session, WHATSAPP, "4791234567", ANN)
    conversation = talk_of(session, WHATSAPP, "4791234567")
    with clock.freeze(NOW + links.LASTS):
        write(session, WHATSAPP, "4791234567")
        assert verified_as(session, conversation) == ann
    with clock.freeze(NOW + 2 * links.LASTS + HOUR):
        write(session, WHATSAPP, "4791234567")
        assert verified_as(session, conversation) is None
        assert verify(session, WHATSAPP, "4791234567", ANN) == "verified"
        assert point_of(session, WHATSAPP, "4791234567").linked_at == clock.now()
    assert len(merges(session)) == 1


@pytest.mark.parametrize("wrong", ["wrong", "expired", "used", "somebody else's", "of nobody"])
def test_a_wrong_code_never_merges(session: Session, ann: int, bob: int, wrong: str) -> None:
    write(session, TELEGRAM, "77")
    conversation = talk_of(session, TELEGRAM, "77")
    prospect = point_of(session, TELEGRAM, "77").customer_id
    other = conversations.start(session, "web", "en")
    code = people.ask_code(session, conversation, "nobody@example.com" if wrong == "of nobody" else ANN)
    if wrong == "wrong":
        code = f"{(int(code) + 1) % 1_000_000:06d}"
    if wrong == "used":
        people.give_code(session, conversation, code)
        merging.undo(session, session.scalars(select(CustomerMerge.id)).one())
    if wrong == "somebody else's":
        code = people.ask_code(session, other, BOB)
    with clock.freeze(NOW + (HOUR if wrong == "expired" else timedelta())):
        assert people.give_code(session, conversation, code) in {"wrong", "expired"}
    point = point_of(session, TELEGRAM, "77")
    assert (point.customer_id, point.linked_at) == (prospect, None)
    assert verified_as(session, conversation) is None
    assert not session.scalars(select(CustomerMerge).where(CustomerMerge.undone_at.is_(None))).all()


def test_two_apps_of_one_customer_are_one_person(session: Session, ann: int) -> None:
    for channel, address in ((TELEGRAM, "77"), (WHATSAPP, "4791234567")):
        write(session, channel, address)
        assert verify(session, channel, address, ANN) == "verified"
    points = session.scalars(select(ContactPoint).where(ContactPoint.customer_id == ann)).all()
    assert [point.channel for point in points] == ["telegram", "whatsapp"]
    assert len({point.conversation_id for point in points}) == 2
    assert len(merges(session)) == 2


def test_another_customers_code_counts_for_an_hour(session: Session, ann: int, bob: int) -> None:
    write(session, TELEGRAM, "77")
    verify(session, TELEGRAM, "77", ANN)
    done = merges(session)
    assert verify(session, TELEGRAM, "77", BOB) == "verified"
    conversation = talk_of(session, TELEGRAM, "77")
    assert (point_of(session, TELEGRAM, "77").customer_id, verified_as(session, conversation)) == (ann, bob)
    write(session, TELEGRAM, "77", "and my points?")
    assert verified_as(session, conversation) == bob, "their next message is still in that hour"
    assert conversation.verified_until == NOW + rules.VERIFIED_FOR
    with clock.freeze(NOW + HOUR):
        write(session, TELEGRAM, "77")
        assert verified_as(session, conversation) == ann
    assert merges(session) == done
    assert service.find_by_identity(session, "telegram", "77") == session.get(Customer, ann)


def test_a_code_on_the_website_merges_nobody(session: Session, ann: int, bob: int) -> None:
    talk = conversations.start(session, "web", "en")
    for email, who in ((ANN, ann), (BOB, bob)):
        assert people.give_code(session, talk, people.ask_code(session, talk, email)) == "verified"
        assert verified_as(session, talk) == who
    assert merges(session) == []


# --- where anybody can write in another's name -------------------------------------------------------------


def test_mail_from_a_known_address_is_its_owners_and_opens_nothing(session: Session, ann: int) -> None:
    session.get_one(Customer, ann).language = "nb"
    write(session, MAIL, "Ann@Example.com")
    point = point_of(session, MAIL, "Ann@Example.com")
    conversation = talk_of(session, MAIL, "Ann@Example.com")
    assert (point.customer_id, point.linked_at) == (ann, None)
    assert verified_as(session, conversation) is None
    assert conversation.language == "nb"
    assert session.scalar(select(func.count()).select_from(Customer)) == 1
    assert session.scalars(select(Identity)).one().verified_at is None


def test_mail_that_was_linked_is_not_verified_by_writing_again(session: Session, ann: int) -> None:
    write(session, MAIL, ANN)
    assert verify(session, MAIL, ANN, ANN) == "verified"
    conversation = talk_of(session, MAIL, ANN)
    assert point_of(session, MAIL, ANN).linked_at == NOW
    assert merges(session) == []
    until = conversation.verified_until
    with clock.freeze(NOW + HOUR / 2):
        write(session, MAIL, ANN)
        session.refresh(conversation)
        assert conversation.verified_until == until, "nor for longer"
    with clock.freeze(NOW + HOUR):
        write(session, MAIL, ANN)
        assert verified_as(session, conversation) is None


@pytest.mark.parametrize(("channel", "address"), [(SMS, "+4791234567"), (MAIL, "victim@example.com")])
def test_who_can_be_forged_is_not_merged(
    session: Session, ann: int, channel: people.ToyChannel, address: str
) -> None:
    """A code shows whose account it is, not that the sender's address is theirs, too."""
    write(session, channel, address)
    whose = point_of(session, channel, address).customer_id
    assert verify(session, channel, address, ANN) == "verified"
    assert verified_as(session, talk_of(session, channel, address)) == ann
    point = point_of(session, channel, address)
    assert (point.customer_id, point.linked_at) == (whose, None)
    assert links.follow(session, point, links.create(session, channel.name, ann)) == notices.LINK_REFUSED
    assert merges(session) == []
    with clock.freeze(NOW + HOUR):
        write(session, channel, address)
        assert verified_as(session, talk_of(session, channel, address)) is None


def test_a_mail_before_the_first_order_takes_nobodys_address(session: Session) -> None:
    """It may be forged: the address is whose the shop says, and nobody is mailed before that."""
    write(session, MAIL, "new@example.com")
    stranger = point_of(session, MAIL, "new@example.com").customer_id
    assert service.find_by_identity(session, "email", "new@example.com") is None
    code = people.ask_code(session, talk_of(session, MAIL, "new@example.com"), "new@example.com")
    assert people.give_code(session, talk_of(session, MAIL, "new@example.com"), code) == "wrong"
    assert session.scalars(select(OutboxMessage.recipient)).all() == [None]
    buyer = service.ensure_customer(
        session, references=[("woocommerce", "7")], identities=[("email", "new@example.com")]
    )
    found = service.find_by_identity(session, "email", "new@example.com")
    assert found is buyer and buyer.id != stranger
    assert verify(session, MAIL, "new@example.com", "new@example.com") == "verified"
    write(session, MAIL, "new@example.com")
    assert point_of(session, MAIL, "new@example.com").customer_id == buyer.id
    write(session, TELEGRAM, "77")
    assert verify(session, TELEGRAM, "77", "new@example.com") == "verified"
    assert point_of(session, TELEGRAM, "77").customer_id == buyer.id


def test_within_the_hour_only_who_reads_our_mails_is_the_customer(session: Session, ann: int) -> None:
    """Anybody can write her address into a mail; the ids of what was sent to it, nobody."""

    def mail(number: int, *answers: str) -> Message:
        said = Said(Sender(ANN), f"<{number}@x>", "cancel my order", answers=answers)
        inbound.take(session, MAIL, said, people.NO_LIMITS)
        return session.scalars(select(Message).where(Message.provider_id == said.provider_id)).one()

    def ours(address: str, message_id: str) -> None:
        session.get_one(Delivery, people.queue_delivery(session, MAIL, address)).provider_id = message_id
        session.flush()

    assert mail(1).content == {"unproven": True}
    conversation = talk_of(session, MAIL, ANN)
    ours(ANN, "<ours@shop>")
    write(session, MAIL, "eve@example.com")
    ours("eve@example.com", "<eves@shop>")
    assert verify(session, MAIL, ANN, ANN) == "verified"
    assert mail(2, "<other@x>", "<ours@shop>").content == {}
    assert verified_as(session, conversation) == ann
    assert mail(3, "<other@x>", "<eves@shop>").content == {"unproven": True}
    assert verified_as(session, conversation) is None
    mail(4, "<ours@shop>")
    assert verified_as(session, conversation) is None, "it ends the hour"


def test_a_forged_mail_that_waits_gains_nothing_by_the_code_before_it(session: Session, ann: int) -> None:
    write(session, MAIL, ANN)
    conversation = talk_of(session, MAIL, ANN)
    code = people.ask_code(session, conversation, ANN)
    forged = Said(Sender(ANN), "<2@x>", "cancel my order", answers=())
    inbound.take(session, MAIL, forged, people.NO_LIMITS)
    assert people.give_code(session, conversation, code) == "verified"
    assert verified_as(session, conversation) is None


def test_many_names_by_mail_get_no_more_codes(session: Session) -> None:
    """A sender can be made up, so one who guesses would have as many as they like."""

    def ask(channel: people.ToyChannel, address: str, number: int) -> str:
        write(session, channel, address)
        conversation = talk_of(session, channel, address)
        return verification.request_code(session, conversation, f"v{number}@example.com", f"{address}:1")

    limit, period = rules.CODES_PER_CLIENT
    for domain in ("evil.example", "worse.example"):
        asked = [ask(MAIL, f"x{number}@{domain}", number) for number in range(limit + 2)]
        assert asked == ["sent"] * limit + ["too_many"] * 2
    assert rules.CODES_PER_OPEN_CHANNEL[0] == 2 * limit
    assert ask(MAIL, "x@another.example", 99) == "too_many"
    by_sms = [ask(SMS, f"+47912345{number:02}", number) for number in range(limit + 1)]
    assert by_sms == ["sent"] * limit + ["too_many"]
    assert ask(TELEGRAM, "77", 98) == "sent"
    with clock.freeze(NOW + period):
        assert ask(MAIL, "y@evil.example", 97) == "sent"


@pytest.mark.parametrize(
    ("channel", "address", "kind", "value"),
    [
        (SMS, "+4791234567", "sms", "+4791234567"),
        (WHATSAPP, "4791234567", "whatsapp", "4791234567"),
        (WHATSAPP, "NO.x-1", "whatsapp", "NO.x-1"),
        (TELEGRAM, "77", "telegram", "77"),
    ],
)
def test_an_address_that_is_somebodys_already_is_theirs(
    session: Session, ann: int, channel: people.ToyChannel, address: str, kind: str, value: str
) -> None:
    session.add(Identity(customer_id=ann, kind=kind, value=value))
    session.flush()
    write(session, channel, address)
    point = point_of(session, channel, address)
    assert (point.customer_id, point.linked_at) == (ann, None)
    assert verified_as(session, talk_of(session, channel, address)) is None


def test_a_new_address_of_the_same_person_is_the_same_person(session: Session, ann: int) -> None:
    write(session, WHATSAPP, "4791234567")
    write(session, WHATSAPP, "NO.x-1", aliases=("4791234567",))
    point = point_of(session, WHATSAPP, "NO.x-1")
    assert session.scalars(select(ContactPoint)).all() == [point]
    assert verify(session, WHATSAPP, "NO.x-1", ANN) == "verified"
    assert point_of(session, WHATSAPP, "NO.x-1").customer_id == ann


@pytest.mark.parametrize(("number", "again"), [("4791234567", "4791234567"), ("+4791234567", "4791234567")])
def test_a_number_that_has_another_owner_is_somebody_new(
    session: Session, ann: int, bob: int, number: str, again: str
) -> None:
    """Its first owner hid it and went on under an id; the network gave it to somebody else since."""
    both = (number, again)
    write(session, WHATSAPP, number)
    assert verify(session, WHATSAPP, number, ANN) == "verified"
    write(session, WHATSAPP, "NO.ann", aliases=both)
    with clock.freeze(NOW + timedelta(days=400)):
        write(session, WHATSAPP, again, aliases=both)
        assert point_of(session, WHATSAPP, again).customer_id not in (ann, bob)
        assert verify(session, WHATSAPP, again, BOB) == "verified"
        assert point_of(session, WHATSAPP, again).customer_id == bob
        assert point_of(session, WHATSAPP, "NO.ann").customer_id == ann
    owners = session.execute(
        select(Identity.value, Identity.customer_id).where(Identity.kind == "whatsapp").order_by(Identity.id)
    )
    assert [tuple(row) for row in owners] == [("NO.ann", ann), (again, bob)]


def test_who_is_reached_there_already_has_another_number_by_now(session: Session, ann: int) -> None:
    session.add(Identity(customer_id=ann, kind="telegram", value="88"))
    write(session, TELEGRAM, "77")
    verify(session, TELEGRAM, "77", ANN)
    write(session, TELEGRAM, "88")
    assert point_of(session, TELEGRAM, "88").customer_id != ann


# --- links from the website --------------------------------------------------------------------------------


def test_a_link_makes_a_prospect_the_customer(session: Session, ann: int) -> None:
    token = links.create(session, "telegram", ann)
    assert len(token) == links.LENGTH and token.isascii() and token.isalnum()
    message = write(session, TELEGRAM, "77", "/start", link=token)
    assert message.content == {"notice": notices.LINKED}
    [(prospect, into, why)] = merges(session)
    assert (into, why) == (ann, "link") and prospect != ann
    assert verified_as(session, talk_of(session, TELEGRAM, "77")) == ann
    assert token not in str(vars(session.scalars(select(ChannelLink)).one()))


def test_a_link_is_good_once_and_soon_and_in_its_app(session: Session, ann: int) -> None:
    token = links.create(session, "telegram", ann)
    there = write(session, WHATSAPP, "47", "hi", link=token)
    assert there.content == {"notice": notices.LINK_EXPIRED}
    with clock.freeze(NOW + links.LIFE):
        assert write(session, TELEGRAM, "77", link=token).content == {"notice": notices.LINK_EXPIRED}
    assert write(session, TELEGRAM, "77", link="x" * 32).content == {"notice": notices.LINK_EXPIRED}
    assert merges(session) == []
    with clock.freeze(NOW + links.LIFE - timedelta(seconds=1)):
        assert write(session, TELEGRAM, "77", link=token).content == {"notice": notices.LINKED}
    assert write(session, TELEGRAM, "88", link=token).content == {"notice": notices.LINK_EXPIRED}
    assert len(merges(session)) == 1
    links.create(session, "telegram", ann)
    with clock.freeze(NOW + HOUR):
        links.create(session, "telegram", ann)
    assert session.scalar(select(func.count()).select_from(ChannelLink)) == 1, "old ones are forgotten"


def test_a_link_again_for_who_is_that_customer_already(session: Session, ann: int) -> None:
    write(session, TELEGRAM, "77", link=links.create(session, "telegram", ann))
    again = write(session, TELEGRAM, "77", link=links.create(session, "telegram", ann))
    assert again.content == {"notice": notices.LINKED}
    assert len(merges(session)) == 1


def test_another_customers_link_changes_nothing(session: Session, ann: int, bob: int) -> None:
    write(session, TELEGRAM, "77", link=links.create(session, "telegram", ann))
    message = write(session, TELEGRAM, "77", link=links.create(session, "telegram", bob))
    assert message.content == {"notice": notices.LINK_REFUSED}
    assert point_of(session, TELEGRAM, "77").customer_id == ann
    assert verified_as(session, talk_of(session, TELEGRAM, "77")) == ann
    assert [into for _, into, _ in merges(session)] == [ann]


def test_many_links_followed_at_once_make_one_customer_of_them(engine: Engine) -> None:
    with session_scope(engine) as session:
        ids = [people.customer(session, f"c{number}@example.com") for number in range(4)]
        write(session, TELEGRAM, "77")
        brought = iter([links.create(session, "telegram", customer_id) for customer_id in ids])

    def follow() -> str:
        with session_scope(engine) as session:
            return str(write(session, TELEGRAM, "77", link=next(brought)).content["notice"])

    results = at_once(4, follow)
    assert sorted(results) == [notices.LINK_REFUSED] * 3 + [notices.LINKED]
    with session_scope(engine) as session:
        [(_, into, _)] = merges(session)
        assert point_of(session, TELEGRAM, "77").customer_id == into
        assert verified_as(session, talk_of(session, TELEGRAM, "77")) == into


def test_one_link_followed_by_many_at_once_is_good_for_one(engine: Engine) -> None:
    with session_scope(engine) as session:
        token = links.create(session, "telegram", people.customer(session, ANN))
    addresses = iter(f"t{number}" for number in range(6))

    def follow() -> str:
        with session_scope(engine) as session:
            return str(write(session, TELEGRAM, next(addresses), link=token).content["notice"])

    assert sorted(at_once(6, follow)) == [notices.LINK_EXPIRED] * 5 + [notices.LINKED]


def test_code_and_link_at_once(engine: Engine) -> None:
    """Each locks what the other needs, in the same order: neither waits for ever."""
    with session_scope(engine) as session:
        ann, bob = people.customer(session, ANN), people.customer(session, BOB)
        write(session, TELEGRAM, "77")
        talk = talk_of(session, TELEGRAM, "77").id
        token = links.create(session, "telegram", bob)
        code = people.ask_code(session, talk_of(session, TELEGRAM, "77"), ANN)
    ways = iter(["code", "link"])

    def show() -> str:
        way = next(ways)
        with session_scope(engine) as session:
            if way == "code":
                return people.give_code(session, session.get_one(Conversation, talk), code)
            return str(write(session, TELEGRAM, "77", link=token).content["notice"])

    assert sorted(at_once(2, show)) in (["linked", "verified"], ["link_refused", "verified"])
    with session_scope(engine) as session:
        [(_, into, why)] = merges(session)
        assert (into, why) in ((ann, "code"), (bob, "link"))
        assert point_of(session, TELEGRAM, "77").customer_id == into


def test_what_was_refused_before_counts_after_the_link(session: Session, ann: int) -> None:
    contact.subscribe(session, ann, "c:1")
    write(session, TELEGRAM, "77", "stop")
    write(session, TELEGRAM, "77", link=links.create(session, "telegram", ann))
    assert not contact.is_subscribed(session, ann)


# --- links that bring a text along -------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_token_is_found_in_the_text_that_brings_it(language: str) -> None:
    token = "aB3" * 10 + "zz"
    text = links.text_with(token, language)
    assert links.token_in(text) == token
    assert links.token_in(f"  {text}\n\nThanks!") == token
    assert links.token_in(text.replace(" ", "  ").upper()) == token.upper()
    assert links.token_in(f"{text}x") is None
    assert links.token_in(text[:-1]) is None


@pytest.mark.parametrize("text", ["", "hello", "a" * 32, f"Where is my order {'9' * 32}?", "My link: x"])
def test_other_texts_bring_none(text: str) -> None:
    assert links.token_in(text) is None
