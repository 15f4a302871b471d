"""STOP: its words in four languages, and what it ends, everywhere at once. On both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.channels import inbound, links, notices, rules
from rapport.channels.base import Said, Sender, Stopped
from rapport.conversations.models import Message
from rapport.customers import contact, merging, service
from rapport.customers.models import ConsentEvent, CustomerMerge, Identity
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from tests.bot import project
from tests.channels import people
from tests.channels.people import MAIL, SMS, TELEGRAM, WHATSAPP, point_of, talk_of, verify, waiting, write
from tests.loyalty.threads import at_once

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN, BOB = "ann@example.com", "bob@example.com"
CONFIRMED, SILENT = {"notice": notices.STOPPED}, {"notice": ""}


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def ann(session: Session) -> int:
    """A customer who gets the newsletter, and writes from Telegram and WhatsApp."""
    ann = people.customer(session, ANN, name="Ann")
    contact.subscribe(session, ann, "c:1")
    for channel, address in ((TELEGRAM, "77"), (WHATSAPP, "4791234567")):
        write(session, channel, address)
        verify(session, channel, address, ANN)
    return ann


# --- the words ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        # English
        "STOP",
        "stop",
        "Stop.",
        " stop!!! ",
        "STOP 🙏",
        "/stop",
        "«Stop»",
        "s\u0074op\u200b",
        "Stop all",
        "STOPALL",
        "please stop",
        "Stop, please!",
        "Unsubscribe",
        "UNSUBSCRIBE ME",
        "opt-out",
        "Opt out",
        "no more ads!",
        "stop spamming me!!!",
        "Remove me from your list.",
        # Spanish
        "BAJA",
        "Baja.",
        "Darme de baja",
        "¡Dame de baja!",
        "quiero darme de baja",
        "Parar",
        "STOP PUBLICIDAD",
        "No más mensajes",
        "no mas mensajes",
        "Cancelar suscripción",
        "¡No quiero más publicidad!",
        # Norwegian
        "STOPP",
        "stopp!",
        "Stans",
        "Meld meg av",
        "AVMELD",
        "ikke mer reklame",
        "Ikke send meg flere meldinger!",
        "Slutt å sende meg reklame",
        "Vær så snill å stoppe",
        # Romanian
        "Oprește",
        "opreste",
        "OPREŞTE",  # with a cedilla, as old keyboards write it
        "Opriți!",
        "Dezabonare",
        "Dezabonează-mă",
        "dezaboneaza-ma",
        "Mă dezabonez.",
        "Nu mai vreau mesaje",
        "nu-mi mai trimite reclame",
        "Stop reclame!",
    ],
)
def test_words_that_stop(text: str) -> None:
    assert rules.is_stop(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "👋",
        "?",
        # English: an order, a question that is left, a shop that stops by
        "stop my order",
        "don't stop",
        "stop 2",
        "Where is the bus stop?",
        "non-stop",
        "cancel",
        "cancel all",
        "quit",
        "end",
        "exit",
        "no",
        "leave it",
        "never mind",
        "stop the delivery",
        "how do I unsubscribe?",
        # Spanish: tall, for, low fees, to leave a question
        "alto",
        "para",
        "para mí",
        "pare",
        "basta",
        "cancelar",
        "salir",
        "caña baja",
        "baja 42",
        "rebaja",
        "dar de baja pedido 30012",
        "no",
        # Norwegian: out of stock, a booking, finish, off
        "slutt",
        "avslutt",
        "avbryt",
        "av",
        "reservasjon",
        "stopp bestillingen",
        "utsolgt",
        "nei",
        "ferdig",
        # Romanian: give up, do not ship it, non-stop, a ready thing
        "renunț",
        "gata",
        "nu",
        "nu mai trimite",
        "nu mai trimiteți",
        "anulează",
        "oprește comanda",
        "non stop",
        "program non-stop",
        "bine",
        # No letters of ours
        "не stop",
        "stop" * 20,
    ],
)
def test_words_that_do_not(text: str) -> None:
    assert not rules.is_stop(text)


def test_nothing_the_bot_offers_or_asks_for_is_taken_for_it() -> None:
    """Else its own button, or a word it told people to write, would end what they subscribed to."""
    for name, variations in project.responses().items():
        for variation in variations:
            for button in variation.get("buttons", []):
                ends = button["payload"] == "/unsubscribe"
                assert ends or not rules.is_stop(button["title"]), (name, button)
            quoted = variation["text"].translate(str.maketrans("“”«»„”", '""""""')).split('"')[1::2]
            assert not [word for word in quoted if rules.is_stop(word)], (name, variation["text"])


# --- what it ends ------------------------------------------------------------------------------------------


def test_it_ends_everything_on_all_channels_at_once(session: Session, ann: int) -> None:
    service.record_consent(
        session, ann, purpose="offers", channel="whatsapp", granted=True, wording_version="1", source="test"
    )
    bob = people.customer(session, BOB)
    contact.subscribe(session, bob, "c:2")
    write(session, TELEGRAM, "88")
    ended = {
        people.queue_mail(session, ANN),
        people.queue_delivery(session, TELEGRAM, "77"),
        people.queue_delivery(session, WHATSAPP, "4791234567"),
    }
    kept = {
        people.queue_mail(session, ANN, "verification_code"),
        people.queue_mail(session, BOB),
        people.queue_delivery(session, TELEGRAM, "77", asked=True),
        people.queue_delivery(session, TELEGRAM, "88"),
    }
    assert write(session, WHATSAPP, "4791234567", "Dezabonare").content == CONFIRMED
    left = waiting(session)
    assert not ended & left
    assert kept <= left
    assert not contact.is_subscribed(session, ann)
    assert contact.is_subscribed(session, bob)
    withdrawn = session.scalars(select(ConsentEvent).where(ConsentEvent.granted.is_(False)))
    assert {(event.customer_id, event.purpose, event.channel) for event in withdrawn} == {
        (ann, "newsletter", "email"),
        (ann, "offers", "whatsapp"),
    }


def test_it_is_confirmed_once_and_heard_each_time(session: Session, ann: int) -> None:
    assert write(session, TELEGRAM, "77", "STOP").content == CONFIRMED
    mail = people.queue_mail(session, ANN)
    silent = write(session, TELEGRAM, "77", "¡Baja!")
    assert (silent.content, silent.status) == (SILENT, "noted")
    assert mail not in waiting(session)
    assert write(session, TELEGRAM, "77", "where is my order").content == {}


def test_what_they_agree_to_later_makes_it_new(session: Session, ann: int) -> None:
    write(session, TELEGRAM, "77", "STOP")
    write(session, TELEGRAM, "77", "STOP")
    assert contact.subscribe(session, ann, "c:2")
    assert write(session, TELEGRAM, "77", "stopp").content == CONFIRMED
    assert not contact.is_subscribed(session, ann)
    assert write(session, TELEGRAM, "77", "stopp").content == SILENT
    assert [event.granted for event in session.scalars(select(ConsentEvent).order_by(ConsentEvent.id))] == [
        True,
        False,
        True,
        False,
    ]


def test_the_same_message_twice_stops_once(session: Session, ann: int) -> None:
    """Providers deliver again: what they agreed to in between is not taken back."""
    message = write(session, TELEGRAM, "77", "STOP")
    contact.subscribe(session, ann, "c:2")
    assert message.provider_id is not None
    said = Said(Sender("77"), message.provider_id, "STOP")
    assert inbound.take(session, TELEGRAM, said, people.NO_LIMITS) is None
    assert contact.is_subscribed(session, ann)


def test_messages_of_long_ids_are_told_apart(session: Session, ann: int) -> None:
    for number in range(2):
        said = Said(Sender("77"), "wamid." + "A" * 90 + str(number), "STOP")
        inbound.take(session, TELEGRAM, said, people.NO_LIMITS)
        assert not contact.is_subscribed(session, ann)
        contact.subscribe(session, ann, f"c:{number + 2}")


def test_a_prospect_can_stop_too(session: Session) -> None:
    write(session, TELEGRAM, "88")
    advert = people.queue_delivery(session, TELEGRAM, "88")
    assert write(session, TELEGRAM, "88", "stop").content == CONFIRMED
    assert advert not in waiting(session)
    assert point_of(session, TELEGRAM, "88").stopped_at == NOW
    assert write(session, TELEGRAM, "99", "STOP").content == CONFIRMED, "even as the first word"


def test_it_counts_for_whom_they_become(session: Session, ann: int) -> None:
    write(session, TELEGRAM, "88")
    assert write(session, TELEGRAM, "88", "stop").content == CONFIRMED
    assert contact.is_subscribed(session, ann)
    elsewhere = people.queue_delivery(session, WHATSAPP, "4791234567")
    write(session, TELEGRAM, "88", link=links.create(session, "telegram", ann))
    assert not contact.is_subscribed(session, ann)
    assert elsewhere not in waiting(session)
    assert write(session, TELEGRAM, "88", "stop").content == SILENT
    assert contact.subscribe(session, ann, "c:2")
    assert write(session, TELEGRAM, "88", "stop").content == CONFIRMED


def test_after_a_merge_was_undone_it_counts_for_the_prospect_alone(session: Session, ann: int) -> None:
    write(session, TELEGRAM, "88", link=links.create(session, "telegram", ann))
    merging.undo(
        session, session.scalars(select(CustomerMerge.id).order_by(CustomerMerge.id.desc())).first() or 0
    )
    assert write(session, TELEGRAM, "88", "stop").content == CONFIRMED
    assert contact.is_subscribed(session, ann)


def test_told_to_the_provider_it_counts_for_whom_they_become(session: Session, ann: int) -> None:
    write(session, WHATSAPP, "x1")
    told = Stopped(Sender("x1"), "in-stop")
    assert inbound.take(session, WHATSAPP, told, people.NO_LIMITS) is None
    write(session, WHATSAPP, "x1", link=links.create(session, "whatsapp", ann))
    assert not contact.is_subscribed(session, ann)


def test_told_twice_it_ends_nothing_that_was_agreed_to_since(session: Session, ann: int) -> None:
    contact.unsubscribe(session, ann, "web:1")
    told = Stopped(Sender("4791234567"), "in-stop-twice")
    assert inbound.take(session, WHATSAPP, told, people.NO_LIMITS) is None
    assert contact.subscribe(session, ann, "c:2")
    assert inbound.take(session, WHATSAPP, told, people.NO_LIMITS) is None
    assert contact.is_subscribed(session, ann)
    noted = session.scalars(select(Message).where(Message.provider_id == "in-stop-twice")).one()
    assert (noted.text, noted.content, noted.status) == ("", SILENT, "noted")


def test_who_shows_to_be_another_customer_stops_for_both(session: Session, ann: int) -> None:
    bob = people.customer(session, BOB)
    contact.subscribe(session, bob, "c:2")
    verify(session, TELEGRAM, "77", BOB)
    assert write(session, TELEGRAM, "77", "stop").content == CONFIRMED
    assert not contact.is_subscribed(session, ann)
    assert not contact.is_subscribed(session, bob)


@pytest.mark.parametrize(("channel", "address"), [(SMS, "+4799887766"), (WHATSAPP, "4799887766")])
def test_it_counts_for_whose_number_it_is(session: Session, channel: people.ToyChannel, address: str) -> None:
    """Who gets our advertising by SMS answers from a number that we know from an order."""
    cara = people.customer(session, "cara@example.com")
    session.add(Identity(customer_id=cara, kind="phone", value="+4799887766"))
    contact.subscribe(session, cara, "c:2")
    assert write(session, channel, address, "STOPP").content == CONFIRMED
    assert not contact.is_subscribed(session, cara)
    assert point_of(session, channel, address).customer_id != cara
    write(session, channel, address, "hello")
    assert talk_of(session, channel, address).customer_id is None


def test_by_mail_it_counts_for_the_addresss_owner(session: Session) -> None:
    dan = people.customer(session, "dan@example.com")
    contact.subscribe(session, dan, "c:2")
    assert write(session, MAIL, "dan@example.com", "Baja").content == CONFIRMED
    assert not contact.is_subscribed(session, dan)
    # Eve wrote before the shop knew her; what it knows since counts.
    write(session, MAIL, "eve@example.com")
    eve = people.customer(session, "eve@example.com")
    contact.subscribe(session, eve, "c:3")
    told = Stopped(Sender("eve@example.com"), "in-stop-eve")
    assert inbound.take(session, MAIL, told, people.NO_LIMITS) is None
    assert not contact.is_subscribed(session, eve)


def test_saying_so_on_the_website_or_to_the_bot_ends_the_apps_too(session: Session, ann: int) -> None:
    for ends in (
        lambda: contact.unsubscribe(session, ann, "web:1"),
        lambda: contact.pause(session, ann, NOW + timedelta(days=30), "web:2"),
        lambda: contact.set_channels(session, ann, refused=["telegram"]),
    ):
        there = people.queue_delivery(session, TELEGRAM, "77")
        answer = people.queue_delivery(session, TELEGRAM, "77", asked=True)
        ends()
        assert {there, answer} & waiting(session) == {answer}
    other = people.queue_delivery(session, WHATSAPP, "4791234567")
    contact.set_channels(session, ann, refused=["telegram"])
    assert other in waiting(session)


def test_a_button_of_ours_is_no_stop(session: Session, ann: int) -> None:
    conversation = talk_of(session, TELEGRAM, "77")
    conversation.last_sequence += 1
    session.add(
        Message(
            conversation_id=conversation.id,
            sequence=conversation.last_sequence,
            author="bot",
            channel="telegram",
            status="stored",
            text="Shall I go on?",
            content={"buttons": [{"id": "b1", "title": "Stop", "payload": "/deny"}]},
        )
    )
    session.flush()
    name = f"{conversation.last_sequence}:b1"
    pressed = write(session, TELEGRAM, "77", "Stop", button=name)
    assert (pressed.payload, pressed.content) == ("/deny", {})
    assert contact.is_subscribed(session, ann)
    assert write(session, TELEGRAM, "77", "Stop", button="999:b1").content == CONFIRMED


def test_many_at_once_are_confirmed_once(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = people.customer(session, ANN)
        contact.subscribe(session, ann, "c:1")
        write(session, TELEGRAM, "77", link=links.create(session, "telegram", ann))

    def stop() -> str:
        with session_scope(engine) as session:
            return str(write(session, TELEGRAM, "77", "STOP").content["notice"])

    assert sorted(at_once(6, stop)) == [""] * 5 + [notices.STOPPED]
    with session_scope(engine) as session:
        assert not contact.is_subscribed(session, ann)


def test_stopping_in_two_apps_while_subscribing_ends_one_way_or_the_other(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = people.customer(session, ANN)
        for channel, address in ((TELEGRAM, "77"), (WHATSAPP, "x1")):
            write(session, channel, address, link=links.create(session, channel.name, ann))
    ways = iter(range(100))

    def one() -> None:
        number = next(ways)
        with session_scope(engine) as session:
            if number % 3 == 2:
                contact.subscribe(session, ann, f"c:{number}")
            else:
                channel, address = ((TELEGRAM, "77"), (WHATSAPP, "x1"))[number % 3]
                write(session, channel, address, "stop")

    for _ in range(4):
        at_once(6, one)
    with session_scope(engine) as session:
        newest = session.scalars(select(ConsentEvent).order_by(ConsentEvent.id.desc())).first()
        assert newest is None or contact.is_subscribed(session, ann) == newest.granted
