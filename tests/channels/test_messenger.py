"""Messenger: what its webhooks tell, what goes out to it, and what its errors lead to.

What it shares with WhatsApp (signatures, handshake, what is in doubt) is tested there.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select

from rapport.channels import links, messenger
from rapport.channels.base import (
    Button,
    Event,
    Part,
    RefusedError,
    Report,
    Request,
    Said,
    Sender,
    Target,
    Template,
    TryAgainError,
    Unreadable,
)
from rapport.channels.models import ContactPoint, Delivery
from rapport.conversations.models import Conversation
from rapport.customers.models import Customer
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConfigurationError, UnauthorizedError
from rapport.kit.settings import Settings
from tests.channels.fakes.messenger import PAGE_ID, UNAVAILABLE, WINDOW, Messenger
from tests.channels.fakes.meta import APP_SECRET, VERIFY_TOKEN, Body, Refusal
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp, until

PROVIDER = Messenger
TOKEN = "a1B2" * 8


@pytest.fixture
def fake(provider: Messenger) -> Messenger:
    return provider


@pytest.fixture
def channel(fake: Messenger) -> messenger.MessengerChannel:
    return messenger.MessengerChannel(APP_SECRET, VERIFY_TOKEN, fake.token, PAGE_ID, fake.graph_url)


@pytest.fixture
def person(fake: Messenger) -> str:
    return fake.person(1)


def read(channel: messenger.MessengerChannel, fake: Messenger, *entries: Any) -> list[Event]:
    body, headers = fake.signed(*entries)
    given = Request("https://x", {name.lower(): value for name, value in headers.items()}, body)
    channel.check(given)
    return list(channel.read(given))


def read_one(channel: messenger.MessengerChannel, fake: Messenger, event: Body) -> Event | None:
    events = read(channel, fake, fake.entry(event))
    assert len(events) <= 1
    return events[0] if events else None


# --- what comes in -----------------------------------------------------------------------------------------


def test_what_is_said(channel: messenger.MessengerChannel, fake: Messenger, person: str) -> None:
    sender = Sender(person)
    said = read_one(channel, fake, fake.message(person, "1", text="Hello", nlp={"traits": {}}))
    assert said == Said(sender, "m_1", "Hello")
    pressed = fake.message(person, "2", text="Yes", quick_reply={"payload": "7:b1"})
    assert read_one(channel, fake, pressed) == Said(sender, "m_2", "Yes", "7:b1")
    postback = {"mid": "m_3", "title": "Yes", "payload": "7:b1"}
    assert read_one(channel, fake, fake.event(person, postback=postback)) == Said(
        sender, "m_3", "Yes", "7:b1"
    )
    # Without an id of its own it has one all the same, and the same whenever it comes again.
    postback.pop("mid")
    event = fake.event(person, postback=postback)
    first, again = read_one(channel, fake, event), read_one(channel, fake, event)
    assert isinstance(first, Said) and first == again and first.provider_id
    begun = fake.event(person, postback={"mid": "m_4", "title": "Comenzar", "payload": "get_started"})
    assert read_one(channel, fake, begun) == Said(sender, "m_4", "Hello", "get_started")
    shared = {"type": "fallback", "payload": None, "title": "A page", "URL": "https://x.example"}
    said = read_one(channel, fake, fake.message(person, "5", text="https://x.example", attachments=[shared]))
    assert said == Said(sender, "m_5", "https://x.example")


@pytest.mark.parametrize("what", Messenger.unreadable)
def test_what_cannot_be_read(
    channel: messenger.MessengerChannel, fake: Messenger, person: str, what: str
) -> None:
    event = read_one(channel, fake, fake.unreadable_event(person, what))
    assert isinstance(event, Unreadable) and event.what == what


@pytest.mark.parametrize(
    ("attachment", "what"),
    [
        ({"type": "sticker", "payload": {"url": "https://x"}}, "sticker"),
        ({"type": "reel", "payload": {}}, "video"),
        ({"type": "fallback"}, "other"),
        ({"type": "ig_post"}, "other"),
        ({}, "other"),
    ],
)
def test_rarer_attachments(
    channel: messenger.MessengerChannel, fake: Messenger, person: str, attachment: Body, what: str
) -> None:
    event = read_one(channel, fake, fake.message(person, attachments=[attachment]))
    assert isinstance(event, Unreadable) and event.what == what


def test_edits_and_reactions_have_ids_of_their_own(
    channel: messenger.MessengerChannel, fake: Messenger, person: str
) -> None:
    ids = set()
    for number in (1, 2):
        event = fake.event(person, message_edit={"mid": "m_1", "text": "new", "num_edit": number})
        for _ in range(2):
            found = read_one(channel, fake, event)
            assert isinstance(found, Unreadable) and found.provider_id != "m_1"
            ids.add(found.provider_id)
    assert len(ids) == 2
    long = read_one(channel, fake, fake.event(person, message_edit={"mid": "m_" + "x" * 300, "num_edit": 1}))
    assert isinstance(long, Unreadable) and len(long.provider_id) <= 200


@pytest.mark.parametrize(
    "content",
    [
        {"message": {"mid": "m_1", "is_echo": True, "text": "our own", "app_id": 1}},
        {"reaction": {"action": "unreact", "mid": "m_1"}},
        {"read": {"watermark": 1458668856253}},
        {"delivery": {"watermark": 1458668856253}},
        {"referral": {"ref": "summer-sale", "source": "SHORTLINK", "type": "OPEN_THREAD"}},
        {"referral": {"ad_id": "1", "source": "ADS", "type": "OPEN_THREAD"}},
        {"optin": {"type": "notification_messages"}},
        {"account_linking": {"status": "linked"}},
        {},
    ],
)
def test_what_is_not_said_to_us(
    channel: messenger.MessengerChannel, fake: Messenger, person: str, content: Body
) -> None:
    assert read_one(channel, fake, fake.event(person, **content)) is None


def test_what_was_delivered(channel: messenger.MessengerChannel, fake: Messenger, person: str) -> None:
    delivery = {"mids": ["m_1", "m_2", 3, None], "watermark": 1458668856253}
    events = read(channel, fake, fake.entry(fake.event(person, delivery=delivery)))
    assert events == [Report("m_1", "delivered"), Report("m_2", "delivered")]


def test_a_link_from_the_website(channel: messenger.MessengerChannel, fake: Messenger, person: str) -> None:
    assert channel.link(TOKEN) == f"https://m.me/{PAGE_ID}?ref={TOKEN}"
    referral = {"ref": TOKEN, "source": "SHORTLINK", "type": "OPEN_THREAD"}
    known = read_one(channel, fake, fake.event(person, referral=referral))
    assert isinstance(known, Said) and (known.link, known.text) == (TOKEN, "")
    begun = {"mid": "m_1", "title": "Get Started", "payload": "get_started", "referral": referral}
    new = read_one(channel, fake, fake.event(person, postback=begun))
    assert isinstance(new, Said) and (new.link, new.provider_id) == (TOKEN, "m_1")
    said = read_one(channel, fake, fake.message(person, text="Hi", referral=referral))
    assert isinstance(said, Said) and (said.link, said.text) == (TOKEN, "Hi")
    other = {**begun, "referral": {**referral, "ref": "summer-sale"}}
    said = read_one(channel, fake, fake.event(person, postback=other))
    assert isinstance(said, Said) and said.link is None


def test_a_batch_keeps_its_order_and_what_is_for_others_is_left(
    channel: messenger.MessengerChannel, fake: Messenger
) -> None:
    one, two = fake.person(1), fake.person(2)
    first = fake.entry(fake.message(one, "1", text="a"), fake.message(two, "2", text="b"))
    foreign = fake.entry({**fake.message(one, "3", text="x"), "recipient": {"id": "1"}})
    standby = {"id": PAGE_ID, "standby": [fake.message(one, "4", text="x")]}
    nobody = fake.entry({**fake.message(one, "5", text="x"), "sender": {"user_ref": "r"}})
    last = fake.entry(fake.message(one, "6", text="c"))
    events = read(channel, fake, first, foreign, standby, nobody, last)
    assert [(e.sender.address, e.text) for e in events if isinstance(e, Said)] == [
        (one, "a"),
        (two, "b"),
        (one, "c"),
    ]
    assert len(events) == 3


@pytest.mark.parametrize("odd", [None, 1, "x", [], [1], {}, [{}], [[]], True, {"a": 1}])
def test_what_meta_may_come_up_with_next_stops_nothing(
    channel: messenger.MessengerChannel, fake: Messenger, person: str, odd: Any
) -> None:
    assert read(channel, fake, odd, {"messaging": odd}, fake.entry(odd)) == []
    for key in ("message", "postback", "referral", "reaction", "message_edit", "delivery", "read"):
        assert len(read(channel, fake, fake.entry(fake.event(person, **{key: odd})))) <= 1
    for key in ("mid", "attachments", "quick_reply", "referral", "reply_to"):
        event = fake.message(person, text="hello")
        event["message"][key] = odd
        assert len(read(channel, fake, fake.entry(event))) == 1
    assert read(channel, fake, fake.entry({**fake.message(person, text="x"), "sender": odd})) == []


def test_the_signature_is_looked_at(channel: messenger.MessengerChannel, fake: Messenger) -> None:
    body, headers = fake.signed(fake.entry(), secret="a guess")
    given = Request("https://x", {name.lower(): value for name, value in headers.items()}, body)
    with pytest.raises(UnauthorizedError):
        channel.check(given)


# --- what goes out -----------------------------------------------------------------------------------------


def target(address: str) -> Target:
    return Target(address, "c:1:1", "en")


def test_every_form_is_taken(channel: messenger.MessengerChannel, fake: Messenger, person: str) -> None:
    fake.writers.add(person)
    assert channel.send(target(person), Part("Hi <b>&</b>")) == fake.sent_id(1)
    channel.send(target(person), Part("x" * 2000))
    channel.send(target(person), Part("Which?", tuple(Button(f"7:b{n}", "x" * 20) for n in range(13))))
    channel.send(target(person), Part(image="https://shop.example/1.png"))
    sent = fake.sent(person)
    assert [len(s.buttons) for s in sent] == [0, 0, 13, 0]
    assert sent[3].image == "https://shop.example/1.png"
    bodies = [call.body for call in fake.calls]
    assert {body["messaging_type"] for body in bodies} == {"RESPONSE"}
    assert "quick_replies" not in bodies[0]["message"]
    with pytest.raises(RefusedError):
        channel.send(target(person), Part(template=Template("news", "en")))


@pytest.mark.parametrize(
    ("refusal", "gone", "again", "channel_wide"),
    [
        (UNAVAILABLE, True, False, None),
        (Refusal(400, 200, "(#200) This person isn't receiving messages", 1545041), True, False, None),
        (Refusal(400, 10, "(#10) This person isn't receiving messages", 2018108), True, False, None),
        (Refusal(400, 100, "(#100) No matching user found", 2018001), True, False, None),
        (WINDOW, False, False, None),
        (Refusal(400, 10, "(#10) outside of allowed window", 2018065), False, False, None),
        (Refusal(400, 100, "(#100) Failed to fetch the file from the url", 2018008), False, False, None),
        (Refusal(400, 613, "(#613) Calls to this api have exceeded the rate limit."), False, True, True),
        (Refusal(400, 4, "(#4) Application request limit reached"), False, True, True),
        (Refusal(400, 80006, "(#80006) There have been too many calls"), False, True, True),
        (Refusal(500, 1200, "Temporary send message failure."), False, True, False),
        (Refusal(500, 2, "An unexpected error has occurred."), False, True, False),
        (Refusal(400, 190, "Error validating access token"), False, True, True),
        (Refusal(403, 10, "(#10) Application does not have permission"), False, True, True),
        (Refusal(400, 368, "The action attempted has been deemed abusive"), False, True, True),
        (Refusal(500, 1, "An unknown error occurred", 99), False, True, True),
        (Refusal(400, 1, "An unknown error occurred", 99), False, False, None),
    ],
)
def test_what_errors_mean(
    channel: messenger.MessengerChannel,
    fake: Messenger,
    person: str,
    refusal: Refusal,
    gone: bool,
    again: bool,
    channel_wide: bool | None,
) -> None:
    fake.fail(refusal)
    with pytest.raises(TryAgainError if again else RefusedError) as raised:
        channel.send(target(person), Part("secret words"))
    assert person not in str(raised.value) and "secret" not in str(raised.value)
    assert getattr(raised.value, "channel", None) == channel_wide
    assert getattr(raised.value, "gone", False) == gone


def test_it_is_off_unless_it_is_asked_for_and_then_needs_everything(
    settings: Settings, fake: Messenger
) -> None:
    given = fake.settings()
    shared = {key: value for key, value in given.items() if key.startswith("meta_")}
    assert messenger.make(settings.model_copy(update=shared)) is None
    assert messenger.make(settings.model_copy(update=given)) is not None
    for key in ("meta_app_secret", "meta_verify_token", "messenger_token", "messenger_page"):
        for nothing in (None, "", SecretStr("")):
            with pytest.raises(ConfigurationError, match=f"RAPPORT_{key.upper()}"):
                messenger.make(settings.model_copy(update={**given, key: nothing}))


# --- with the app ------------------------------------------------------------------------------------------


def column(engine: Engine, what: Any) -> list[Any]:
    with read_scope(engine) as session:
        return list(session.scalars(select(what)))


def test_a_delivery_is_noted(app: RunningApp, fake: Messenger, person: str, sqlite_engine: Engine) -> None:
    fake.say(person, "hello")
    until(lambda: column(sqlite_engine, Delivery.status) == ["sent"])
    fake.bring(fake.event(person, delivery={"mids": [fake.sent_id(1)], "watermark": 1}))
    fake.bring(fake.event(person, read={"watermark": 1}))
    assert column(sqlite_engine, Delivery.delivered_at) != [None]
    assert len(fake.sent(person)) == 1


def test_an_echo_is_not_answered(app: RunningApp, fake: Messenger, person: str, rasa: FakeRasa) -> None:
    fake.say(person, "hello")
    until(lambda: len(fake.sent(person)) == 1)
    echo = fake.event(person, message={"mid": fake.sent_id(1), "is_echo": True, "text": "echo: hello"})
    echo |= {"sender": {"id": PAGE_ID}, "recipient": {"id": person}}
    assert fake.bring(echo) == 200
    fake.say(person, "more")
    until(lambda: len(fake.sent(person)) == 2)
    assert len(rasa.turns) == 2


def test_a_link_makes_them_the_customer(
    app: RunningApp, fake: Messenger, person: str, sqlite_engine: Engine
) -> None:
    with session_scope(sqlite_engine) as session:
        customer = Customer(language="nb")
        session.add(customer)
        session.flush()
        customer_id, token = customer.id, links.create(session, "messenger", customer.id)
    referral = {"ref": token, "source": "SHORTLINK", "type": "OPEN_THREAD"}
    event = fake.event(person, postback={"title": "Start", "payload": "get_started", "referral": referral})
    assert [fake.bring(event), fake.bring(event)] == [200, 200]
    until(lambda: len(fake.sent(person)) == 1)
    assert column(sqlite_engine, ContactPoint.customer_id) == [customer_id]
    assert column(sqlite_engine, Conversation.customer_id) == [customer_id]
