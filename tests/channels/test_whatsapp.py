"""WhatsApp: what its webhooks tell, what goes out to it, and what its errors lead to."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.channels import calls, links, outbound, whatsapp
from rapport.channels.base import (
    Button,
    Event,
    InDoubtError,
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
from rapport.conversations import repository as conversations_repository
from rapport.conversations.models import Conversation, Message
from rapport.customers import contact
from rapport.customers import service as customers
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConfigurationError, InvalidInputError, UnauthorizedError
from rapport.kit.settings import Settings
from tests.channels.fakes.meta import APP_SECRET, VERIFY_TOKEN, Refusal, unknown
from tests.channels.fakes.whatsapp import ERRORS, NUMBER, PHONE_ID, WhatsApp, error
from tests.fake_rasa import FakeRasa, answer, reply
from tests.running import RunningApp, until

PROVIDER = WhatsApp
DAY = 24 * 3600.0


@pytest.fixture
def fake(provider: WhatsApp) -> WhatsApp:
    return provider


@pytest.fixture
def channel(fake: WhatsApp) -> whatsapp.WhatsAppChannel:
    return whatsapp.WhatsAppChannel(APP_SECRET, VERIFY_TOKEN, fake.token, PHONE_ID, fake.graph_url, NUMBER)


@pytest.fixture
def person(fake: WhatsApp) -> str:
    return fake.person(1)


def request(body: bytes, headers: dict[str, str] | None = None, **query: str) -> Request:
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return Request("https://shop.example/channels/whatsapp", lower, body, query)


def read(channel: whatsapp.WhatsAppChannel, fake: WhatsApp, *entries: Any) -> list[Event]:
    given = request(*fake.signed(*entries))
    channel.check(given)
    return list(channel.read(given))


def read_one(channel: whatsapp.WhatsAppChannel, fake: WhatsApp, message: Any) -> Event | None:
    events = read(channel, fake, fake.entry(messages=[message]))
    assert len(events) <= 1
    return events[0] if events else None


# --- who calls ---------------------------------------------------------------------------------------------


def test_only_what_the_app_secret_signed_is_meta_s(channel: whatsapp.WhatsAppChannel, fake: WhatsApp) -> None:
    body, headers = fake.signed(fake.entry())
    channel.check(request(body, headers))
    right = headers["X-Hub-Signature-256"]
    wrong = [
        "",
        "sha256=",
        right.upper(),
        right[:-1],
        right.removeprefix("sha256="),
        "sha1=" + right[7:],
        "ø",
    ]
    for signature in wrong:
        with pytest.raises(UnauthorizedError):
            channel.check(request(body, {"X-Hub-Signature-256": signature}))
    with pytest.raises(UnauthorizedError):
        channel.check(request(body))
    with pytest.raises(UnauthorizedError):
        channel.check(request(body + b" ", headers))


def test_the_handshake(channel: whatsapp.WhatsAppChannel) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY_TOKEN}
    assert channel.handshake(request(b"", **asked)) == "1158201444"
    for wrong in ("", "guess", VERIFY_TOKEN + "x"):
        with pytest.raises(UnauthorizedError):
            channel.handshake(request(b"", **{**asked, "hub.verify_token": wrong}))
    assert channel.handshake(request(b"")) is None
    assert channel.handshake(request(b"", **{**asked, "hub.mode": "unsubscribe"})) is None


def test_the_handshake_over_http(app: RunningApp) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "11", "hub.verify_token": VERIFY_TOKEN}
    found = app.client.get("/channels/whatsapp", params=asked)
    assert (found.status_code, found.text) == (200, "11")
    assert found.headers["content-type"].startswith("text/plain")
    asked["hub.verify_token"] = "guess"
    assert app.client.get("/channels/whatsapp", params=asked).status_code == 401
    assert app.client.get("/channels/whatsapp").status_code == 404


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(channel: whatsapp.WhatsAppChannel, body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        channel.read(request(body))


@pytest.mark.parametrize("odd", [None, 1, "x", [], [1], {}, [{}], [[]], True, {"a": 1}])
def test_what_meta_may_come_up_with_next_stops_nothing(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, person: str, odd: Any
) -> None:
    good = fake.message(person, "text", {"body": "hello"})
    value = fake.entry(messages=[good])["changes"][0]["value"]
    for key in ("contacts", "statuses", "errors"):
        entry = {"changes": [{"field": "messages", "value": {**value, key: odd}}]}
        assert isinstance(read(channel, fake, entry)[0], Said)
    for key in ("messages", "metadata"):
        assert read(channel, fake, {"changes": [{"field": "messages", "value": {**value, key: odd}}]}) == []
    assert (
        read(channel, fake, odd, {"changes": odd}, {"changes": [{"field": "messages", "value": odd}]}) == []
    )
    for key in ("from", "timestamp", "text", "context", "interactive", "referral"):
        assert len(read(channel, fake, fake.entry(messages=[{**good, key: odd}]))) == 1
    for key in ("id", "type"):
        assert len(read(channel, fake, fake.entry(messages=[{**good, key: odd}]))) <= 1


# --- what comes in -----------------------------------------------------------------------------------------


def test_who_writes_is_known_by_their_id_and_by_their_number(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, person: str
) -> None:
    both = Sender(person, (fake.phone(person), f"+{fake.phone(person)}"))
    message = fake.message(person, "text", {"body": "Hi"}, "1")
    assert read_one(channel, fake, message) == Said(both, "wamid.1", "Hi")
    # An older webhook, without the id; and as it is while the message has none, but the contact has.
    old = {key: value for key, value in message.items() if key != "from_user_id"}
    value = {"metadata": {"phone_number_id": PHONE_ID}, "messages": [old]}
    shown = fake.contact(person)
    entry = {"changes": [{"field": "messages", "value": {**value, "contacts": [shown]}}]}
    assert read(channel, fake, entry)[0] == Said(both, "wamid.1", "Hi")
    shown.pop("user_id")
    [said] = read(channel, fake, entry | {"changes": [{"field": "messages", "value": value}]})
    assert isinstance(said, Said) and said.sender == Sender(fake.phone(person), (f"+{fake.phone(person)}",))
    # Somebody who hides their number, and one whose number is written in two ways.
    fake.hidden.add(person)
    [said] = read(channel, fake, fake.entry(messages=[fake.message(person, "text", {"body": "Hi"})]))
    assert isinstance(said, Said) and said.sender == Sender(person)
    mexican = {**old, "from": "5215512345678"}
    mine = {"wa_id": "525512345678", "user_id": "MX.1", "parent_user_id": "MX.ENT.2"}
    change = {"field": "messages", "value": {**value, "messages": [mexican], "contacts": [mine]}}
    [said] = read(channel, fake, {"changes": [change]})
    assert isinstance(said, Said)
    assert (said.sender.address, said.sender.language) == ("MX.1", "es")
    assert said.sender.aliases[:3] == ("525512345678", "5215512345678", "MX.ENT.2")


@pytest.mark.parametrize(
    ("user_id", "language"), [("NO.1", "nb"), ("RO.x9", "ro"), ("MD.1", "ro"), ("AR.1", "es"), ("DE.1", None)]
)
def test_the_country_says_the_language_until_they_write(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, user_id: str, language: str | None
) -> None:
    said = read_one(channel, fake, fake.message(user_id, "text", {"body": "?"}) | {"from": ""})
    assert isinstance(said, Said) and said.sender.language == language


@pytest.mark.parametrize(("phone", "language"), [("4791234567", "nb"), ("34612345678", "es"), ("1", None)])
def test_so_does_the_number(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, phone: str, language: str | None
) -> None:
    message = {"from": phone, "id": "wamid.1", "type": "text", "text": {"body": "?"}, "from_user_id": ""}
    value = {"metadata": {"phone_number_id": PHONE_ID}, "messages": [message]}
    [said] = read(channel, fake, {"changes": [{"field": "messages", "value": value}]})
    assert isinstance(said, Said) and said.sender == Sender(phone, (f"+{phone}",), language)


@pytest.mark.parametrize(
    ("kind", "content", "text", "button"),
    [
        ("text", {"body": "Hello *you*"}, "Hello *you*", None),
        (
            "interactive",
            {"type": "button_reply", "button_reply": {"id": "7:b1", "title": "Yes"}},
            "Yes",
            "7:b1",
        ),
        ("interactive", {"type": "list_reply", "list_reply": {"id": "7:b4", "title": "No"}}, "No", "7:b4"),
        ("button", {"payload": "Tell me more", "text": "Tell me more"}, "Tell me more", "Tell me more"),
        ("image", {"id": "1", "caption": "It came broken"}, "It came broken", None),
        ("document", {"id": "1", "caption": "My invoice", "filename": "a.pdf"}, "My invoice", None),
    ],
)
def test_what_is_said(
    channel: whatsapp.WhatsAppChannel,
    fake: WhatsApp,
    person: str,
    kind: str,
    content: Any,
    text: str,
    button: str | None,
) -> None:
    said = read_one(channel, fake, fake.message(person, kind, content, "1"))
    assert said == Said(
        Sender(person, (fake.phone(person), f"+{fake.phone(person)}")), "wamid.1", text, button
    )


@pytest.mark.parametrize("what", WhatsApp.unreadable)
def test_what_cannot_be_read(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, person: str, what: str
) -> None:
    event = read_one(channel, fake, fake.unreadable_message(person, what))
    assert isinstance(event, Unreadable) and event.what == what


@pytest.mark.parametrize(
    ("kind", "content", "what"),
    [
        ("unsupported", {"type": "video_note"}, "video"),
        ("unsupported", {"type": "edit"}, "edit"),
        ("unsupported", {}, "other"),
        ("order", {"catalog_id": "1", "product_items": []}, "other"),
        ("interactive", {"type": "nfm_reply", "nfm_reply": {"body": "Sent"}}, "other"),
        ("brand_new", {}, "other"),
        ("image", {"id": "1", "caption": " "}, "image"),
        ("reaction", {"message_id": "wamid.1"}, None),  # taken back
        ("system", {"type": "user_changed_number", "wa_id": "1"}, None),
        ("request_welcome", {}, None),
    ],
)
def test_rarer_kinds(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, person: str, kind: str, content: Any, what: str | None
) -> None:
    event = read_one(channel, fake, fake.message(person, kind, content))
    assert event is None if what is None else isinstance(event, Unreadable) and event.what == what


def test_an_edit_never_passes_for_the_message_it_changes(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, person: str
) -> None:
    edit = {"original_message_id": "wamid.1", "message": {"type": "text"}}
    event = read_one(channel, fake, fake.message(person, "edit", edit, "1"))
    assert isinstance(event, Unreadable) and event.provider_id == "wamid.1:edit"


def test_a_batch_keeps_its_order_and_what_is_for_others_is_left(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp
) -> None:
    one, two = fake.person(1), fake.person(2)
    first = fake.entry(
        messages=[
            fake.message(one, "text", {"body": "a"}, "1"),
            fake.message(two, "text", {"body": "b"}, "2"),
            fake.message(one, "text", {"body": "c"}, "3"),
        ]
    )
    foreign = fake.entry(messages=[fake.message(one, "text", {"body": "x"})], phone_id="1")
    grouped = fake.entry(messages=[fake.message(one, "text", {"body": "x"}) | {"group_id": "g"}])
    account = {"id": "1", "changes": [{"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}}]}
    last = fake.entry(messages=[fake.message(two, "text", {"body": "d"}, "4")])
    events = read(channel, fake, first, foreign, grouped, account, last)
    told = [(e.sender.address, e.text) for e in events if isinstance(e, Said)]
    assert told == [(one, "a"), (two, "b"), (one, "c"), (two, "d")]
    assert len(events) == 4
    body, _ = fake.signed(first)
    assert list(channel.read(request(body.replace(b"whatsapp_business_account", b"page")))) == []


def test_a_link_from_the_website(channel: whatsapp.WhatsAppChannel, fake: WhatsApp, person: str) -> None:
    token = "a1B2" * 8
    leads = channel.link(token, "nb")
    assert leads is not None and leads.startswith(f"https://wa.me/{NUMBER}?text=Hei%21")
    words = links.text_with(token, "nb")
    said = read_one(channel, fake, fake.message(person, "text", {"body": words}))
    assert isinstance(said, Said) and said.link == token
    assert whatsapp.WhatsAppChannel("s", "v", "t", "1", "http://x").link(token) is None


@pytest.mark.parametrize(
    ("status", "code", "report"),
    [
        ("sent", None, None),
        ("delivered", None, Report("wamid.9", "delivered")),
        ("read", None, Report("wamid.9", "read")),
        ("played", None, Report("wamid.9", "read")),
        ("deleted", None, None),
        ("failed", 131047, ("131047", False, None)),
        ("failed", 131026, ("131026", True, None)),
        ("failed", 131050, ("131050", False, None)),
        ("failed", 131049, ("131049", False, DAY)),
        ("failed", 131000, ("131000", False, None, True)),
        ("failed", None, ("no code", False, None)),
    ],
)
def test_what_became_of_a_message(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, status: str, code: int | None, report: Any
) -> None:
    told: Any = {"id": "wamid.9", "status": status, "recipient_id": "1650", "timestamp": "1"}
    if code is not None:
        told["errors"] = [{"code": code, "title": ERRORS[code][1]}]
    events = read(channel, fake, fake.entry(statuses=[told]))
    if report is None or isinstance(report, Report):
        assert events == ([] if report is None else [report])
        return
    [event] = events
    assert isinstance(event, Report)
    start, gone, after, *again = report
    assert event.again == bool(again)
    assert (event.message_id, event.status, event.gone, event.after) == ("wamid.9", "failed", gone, after)
    assert (event.reason or "").startswith(f"{start}: ")


# --- what goes out -----------------------------------------------------------------------------------------


def target(address: str, language: str = "en") -> Target:
    return Target(address, "c:1:1", language)


def buttons(*titles: str) -> tuple[Button, ...]:
    return tuple(Button(f"7:b{number}", title) for number, title in enumerate(titles, 1))


def test_every_form_is_taken(channel: whatsapp.WhatsAppChannel, fake: WhatsApp, person: str) -> None:
    fake.writers.update((person, fake.phone(person)))
    assert channel.send(target(person), Part("Hi <b>&</b>")) == fake.sent_id(1)
    assert channel.send(target(fake.phone(person)), Part("x" * 4096)) == fake.sent_id(2)
    channel.send(target(person), Part("Sure?", buttons("Yes", "No", "x" * 20)))
    channel.send(target(person, "nb"), Part("Which?", buttons(*(f"Way {n}" for n in range(10)))))
    channel.send(target(person, "es"), Part("Which?", buttons("x" * 21)))
    channel.send(target(person), Part(image="https://shop.example/1.png"))
    channel.send(target(person), Part(template=Template("news", "nb", ("Kari", "a\nnew   \t  cup"))))
    channel.send(target(person), Part(template=Template("hello", "ro")))
    sent = fake.sent(person)
    assert sent[0].text == "Hi <b>&</b>"
    assert [s.details.get("list") for s in sent[2:5]] == [None, "Velg", "Elegir"]
    assert sent[2].buttons == (("7:b1", "Yes"), ("7:b2", "No"), ("7:b3", "x" * 20))
    assert len(sent[3].buttons) == 10
    assert sent[5].image == "https://shop.example/1.png"
    assert sent[6].details["parameters"] == ["Kari", "a new cup"]
    assert sent[7].details == {"template": "hello", "language": "ro", "parameters": []}
    asked = [call for call in fake.calls if call.method == "POST"]
    assert {call.token for call in asked} == {fake.token}
    assert "to" not in asked[0].body and asked[0].body["recipient"] == person
    assert "recipient" not in asked[1].body and asked[1].body["to"] == fake.phone(person)


AGAIN, GONE, NO = "again", "gone", "no"


@pytest.mark.parametrize(
    ("code", "what", "after", "channel_wide"),
    [
        (130429, AGAIN, None, True),
        (80007, AGAIN, None, True),
        (131016, AGAIN, None, True),
        (131000, AGAIN, None, False),
        (131056, AGAIN, 6.0, False),
        (131049, AGAIN, DAY, False),
        (131031, AGAIN, None, True),
        (131042, AGAIN, None, True),
        (133010, AGAIN, None, True),
        (131026, GONE, None, None),
        (131050, NO, None, None),
        (131047, NO, None, None),
        (131030, NO, None, None),
        (131009, NO, None, None),
        (130472, NO, None, None),
    ],
)
def test_what_errors_mean(
    channel: whatsapp.WhatsAppChannel,
    fake: WhatsApp,
    person: str,
    code: int,
    what: str,
    after: float | None,
    channel_wide: bool | None,
) -> None:
    fake.fail(error(code))
    with pytest.raises(TryAgainError if what == AGAIN else RefusedError) as raised:
        channel.send(target(person), Part("secret words"))
    assert str(raised.value).startswith(f"{code}: ")
    assert person not in str(raised.value) and "secret" not in str(raised.value)
    if isinstance(raised.value, TryAgainError):
        assert (raised.value.after, raised.value.channel) == (after, channel_wide)
    else:
        assert isinstance(raised.value, RefusedError) and raised.value.gone == (what == GONE)


@pytest.mark.parametrize(
    ("refusal", "kind", "channel_wide"),
    [
        (Refusal(401, 190, "Error validating access token", 463), TryAgainError, True),
        (Refusal(403, 200, "(#200) Permissions error"), TryAgainError, True),
        (Refusal(403, 299, "(#299) Something about permissions"), TryAgainError, True),
        (Refusal(503, 999_999, "down"), TryAgainError, True),
        (Refusal(400, 999_999, "new", is_transient=True), TryAgainError, True),
        (Refusal(429, 999_999, "new"), TryAgainError, True),
        (Refusal(400, 999_999, "new"), RefusedError, None),
        (unknown(PHONE_ID), TryAgainError, True),
        (unknown("somebody"), RefusedError, None),
    ],
)
def test_what_other_errors_mean(
    channel: whatsapp.WhatsAppChannel,
    fake: WhatsApp,
    person: str,
    refusal: Refusal,
    kind: type[Exception],
    channel_wide: bool | None,
) -> None:
    fake.fail(refusal)
    with pytest.raises(kind) as raised:
        channel.send(target(person), Part("hello"))
    assert getattr(raised.value, "channel", None) == channel_wide
    assert getattr(raised.value, "gone", False) is False


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": "soon"}, None),
        ({"X-Business-Use-Case-Usage": "no json"}, None),
        ({"X-Business-Use-Case-Usage": '{"1": [{"estimated_time_to_regain_access": 3}]}'}, 180.0),
        ({"X-Business-Use-Case-Usage": '{"1": [{"estimated_time_to_regain_access": 0}]}'}, None),
        ({"X-Business-Use-Case-Usage": '{"1": 7}'}, None),
    ],
)
def test_how_long_to_wait(
    channel: whatsapp.WhatsAppChannel,
    fake: WhatsApp,
    person: str,
    headers: dict[str, str],
    after: float | None,
) -> None:
    fake.fail(Refusal(429, 130429, "(#130429) Rate limit hit", headers=headers))
    with pytest.raises(TryAgainError) as raised:
        channel.send(target(person), Part("hello"))
    assert raised.value.after == after


def test_a_wrong_token_is_said_once(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, person: str, caplog: pytest.LogCaptureFixture
) -> None:
    right, fake.token = fake.token, "another"
    for _ in range(3):
        with pytest.raises(TryAgainError):
            channel.send(target(person), Part("hello"))
    assert len([record for record in caplog.records if "access token" in record.message]) == 1
    assert person not in caplog.text and right not in caplog.text
    fake.token = right
    fake.writers.add(person)
    channel.send(target(person), Part("hello"))
    fake.token = "another"
    with pytest.raises(TryAgainError):
        channel.send(target(person), Part("hello"))
    assert len([record for record in caplog.records if "access token" in record.message]) == 2


def test_what_nobody_knows_is_in_doubt_and_what_never_left_is_not(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.writers.add(person)
    fake.fail("drop")
    with pytest.raises(InDoubtError):
        channel.send(target(person), Part("hello"))
    monkeypatch.setattr(calls, "TIMEOUT", (3.0, 0.1))
    fake.hold = 0.5
    fake.fail("hold")
    with pytest.raises(InDoubtError):
        channel.send(target(person), Part("hello"))
    until(lambda: len(fake.sent(person)) == 2, 5)
    fake.close()
    with pytest.raises((TryAgainError, InDoubtError)):
        channel.send(target(person), Part("hello"))  # over the connection that was open
    with pytest.raises(TryAgainError) as raised:
        channel.send(target(person), Part("hello"))
    assert raised.value.channel


# --- settings ----------------------------------------------------------------------------------------------


def test_it_is_off_unless_it_is_asked_for_and_then_needs_everything(
    settings: Settings, fake: WhatsApp
) -> None:
    given = fake.settings()
    shared = {key: value for key, value in given.items() if key.startswith("meta_")}
    assert whatsapp.make(settings) is None
    assert whatsapp.make(settings.model_copy(update=shared)) is None
    made = whatsapp.make(settings.model_copy(update=given))
    assert made is not None and made.link("x" * 32)
    for key in ("meta_app_secret", "meta_verify_token", "whatsapp_token", "whatsapp_phone_id"):
        for nothing in (None, "", SecretStr("")):
            with pytest.raises(ConfigurationError, match=f"RAPPORT_{key.upper()}") as raised:
                whatsapp.make(settings.model_copy(update={**given, key: nothing}))
            assert fake.token not in str(raised.value) and APP_SECRET not in str(raised.value)


# --- with the app ------------------------------------------------------------------------------------------


def column(engine: Engine, what: Any) -> list[Any]:
    with read_scope(engine) as session:
        return list(session.scalars(select(what)))


def test_somebody_known_by_their_number_stays_the_same_when_their_id_comes(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine
) -> None:
    old = fake.message(person, "text", {"body": "one"})
    old.pop("from_user_id")
    fake.post({"changes": [{"field": "messages", "value": _value(old)}]})
    until(lambda: len(fake.sent(person)) == 1)
    fake.say(person, "two")
    fake.hidden.add(person)
    fake.say(person, "three")
    until(lambda: len(fake.sent(person)) == 3)
    assert column(sqlite_engine, ContactPoint.address) == [person]
    assert len(column(sqlite_engine, Customer.id)) == 1


def test_somebody_who_came_by_twilio_stays_the_same(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine
) -> None:
    fake.say(person, "one")
    until(lambda: len(fake.sent(person)) == 1)
    with session_scope(sqlite_engine) as session:
        session.scalars(select(ContactPoint)).one().address = f"+{fake.phone(person)}"
    fake.say(person, "two")
    until(lambda: len(fake.sent(person)) == 2)
    assert column(sqlite_engine, ContactPoint.address) == [person]


def test_two_ids_that_were_two_people_are_no_trouble_when_they_turn_out_to_be_one(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine
) -> None:
    old = fake.message(person, "text", {"body": "one"})
    old.pop("from_user_id")
    fake.post({"changes": [{"field": "messages", "value": _value(old)}]})
    fake.hidden.add(person)
    fake.say(person, "two")
    fake.hidden.clear()
    assert fake.say(person, "three") == 200
    until(lambda: [sent.text for sent in fake.sent(person)][-1:] == ["echo: three"])
    assert sorted(column(sqlite_engine, ContactPoint.address)) == [fake.phone(person), person]


def _value(message: Any) -> dict[str, Any]:
    return {"metadata": {"phone_number_id": PHONE_ID}, "messages": [message]}


def test_a_batch_with_a_repeat_is_answered_once_each_and_in_order(
    app: RunningApp, fake: WhatsApp, rasa: FakeRasa
) -> None:
    one, two = fake.person(1), fake.person(2)
    batch = [fake.message(p, "text", {"body": f"{n}"}, f"{p}{n}") for n in range(3) for p in (one, two)]
    assert fake.post(fake.entry(messages=batch), fake.entry(messages=batch[:2])) == 200
    assert fake.bring(*batch) == 200
    for person in (one, two):
        until(lambda person=person: len(fake.sent(person)) == 3)  # type: ignore[misc]
        assert [sent.text for sent in fake.sent(person)] == ["echo: 0", "echo: 1", "echo: 2"]
    assert len(rasa.turns) == 6


def test_long_words_with_buttons_go_out_as_two_messages(
    app: RunningApp, fake: WhatsApp, person: str, rasa: FakeRasa
) -> None:
    told = "A sentence of some length. " * 60
    rasa.behave = lambda _: answer(reply(told, buttons=[{"title": "Yes", "payload": "/affirm"}]))
    fake.say(person, "hello")
    until(lambda: len(fake.sent(person)) == 2)
    first, last = fake.sent(person)
    assert not first.buttons and last.buttons and len(last.text) <= 1024
    assert f"{first.text} {last.text}".split() == told.split()


def test_a_list_is_chosen_from(app: RunningApp, fake: WhatsApp, person: str, rasa: FakeRasa) -> None:
    offered = [{"title": f"Way {n}", "payload": f"/way{n}"} for n in range(5)]
    rasa.behave = lambda _: answer(reply("Which?", buttons=offered))
    fake.say(person, "hello")
    until(lambda: len(fake.sent(person)) == 1)
    [sent] = fake.sent(person)
    assert sent.details == {"list": "Choose"}
    fake.press(person, *sent.buttons[3])
    until(lambda: len(rasa.turns) == 2)
    assert rasa.turns[1]["payload"] == "/way3"


def test_what_became_of_an_answer_is_noted(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine
) -> None:
    fake.say(person, "hello")
    until(lambda: column(sqlite_engine, Delivery.status) == ["sent"])
    for _ in range(2):  # told twice
        assert fake.tell(fake.sent_id(1), "delivered") == 200
    assert fake.tell(fake.sent_id(1), "read") == 200
    assert fake.tell("wamid.of-somebody-else", "failed", 131026) == 200
    assert column(sqlite_engine, Delivery.delivered_at) != [None]
    assert column(sqlite_engine, Delivery.read_at) != [None]
    assert column(sqlite_engine, ContactPoint.unreachable_since) == [None]


def test_a_failure_that_comes_later_is_noted_and_respected(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine
) -> None:
    fake.say(person, "hello")
    until(lambda: column(sqlite_engine, Delivery.status) == ["sent"])
    fake.tell(fake.sent_id(1), "failed", 131026)
    assert column(sqlite_engine, Delivery.status) == ["failed"]
    [reason] = column(sqlite_engine, ContactPoint.unreachable_reason)
    assert reason.startswith("131026: ")
    fake.say(person, "I am back")
    until(lambda: len(fake.sent(person)) == 2)
    assert column(sqlite_engine, ContactPoint.unreachable_reason) == [None]


def test_an_answer_that_was_lost_on_the_way_is_sent_again(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine
) -> None:
    fake.say(person, "hello")
    until(lambda: column(sqlite_engine, Delivery.status) == ["sent"])
    assert fake.tell(fake.sent_id(1), "failed", 131000) == 200
    until(lambda: len(fake.sent(person)) == 2)
    until(lambda: column(sqlite_engine, Delivery.status) == ["sent"])
    fake.tell(fake.sent_id(1), "failed", 131000)  # told again
    fake.tell(fake.sent_id(2), "delivered")
    fake.tell(fake.sent_id(2), "failed", 131000)  # it has arrived
    assert column(sqlite_engine, Delivery.status) == ["sent"]
    # Once the next one is there, an earlier one would come out of order.
    fake.say(person, "more")
    fake.say(person, "and more")
    until(lambda: column(sqlite_engine, Delivery.status) == ["sent"] * 3)
    fake.tell(fake.sent_id(3), "failed", 131000)
    assert column(sqlite_engine, Delivery.status) == ["sent", "failed", "sent"]
    # Nor is it tried for ever.
    with session_scope(sqlite_engine) as session:
        session.scalars(select(Delivery).order_by(Delivery.id.desc()).limit(1)).one().attempts = 5
    fake.tell(fake.sent_id(4), "failed", 131000)
    assert column(sqlite_engine, Delivery.status) == ["sent", "failed", "failed"]
    assert len(fake.sent(person)) == 4


def _unasked(session: Session, content: dict[str, Any]) -> None:
    """Something of ours that nobody asked for, in the only conversation there is."""
    conversation = session.scalars(select(Conversation)).one()
    now = clock.now()
    sequence, _, _ = conversations_repository.advance(session, conversation.id, 1, now)
    row = {"conversation_id": conversation.id, "sequence": sequence}
    session.add(
        Message(
            **row,
            author="bot",
            channel="whatsapp",
            status="sent",
            text="News!",
            content=content,
            attempts=0,
            at=now,
        )
    )
    session.flush()
    outbound.queue(session, conversation, [row], asked=False)


def test_outside_the_window_only_a_template_is_sent(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine
) -> None:
    fake.say(person, "hello")
    until(lambda: column(sqlite_engine, Delivery.status) == ["sent"])
    news = {"template": {"name": "news", "language": "nb", "parameters": ["Kari", "cups"]}}
    with session_scope(sqlite_engine) as session:
        point = session.scalars(select(ContactPoint)).one()
        point.last_inbound_at = clock.now() - outbound.timedelta(hours=24, minutes=1)
        _unasked(session, {})
        _unasked(session, news)
    until(lambda: column(sqlite_engine, Delivery.status) == ["sent", "failed", "sent"])
    assert [sent.details.get("template") for sent in fake.sent(person)] == [None, "news"]
    assert len([call for call in fake.calls if call.method == "POST"]) == 2  # it was not even tried


@pytest.mark.parametrize("when", ["at once", "later"])
def test_what_meta_holds_back_is_tried_a_day_later_and_not_for_ever(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine, when: str
) -> None:
    fake.say(person, "hello")
    until(lambda: column(sqlite_engine, Delivery.status) == ["sent"])
    if when == "at once":
        fake.fail(error(131049))
    with session_scope(sqlite_engine) as session:
        _unasked(session, {"template": {"name": "hello", "language": "ro"}})
    newest = select(Delivery).order_by(Delivery.id.desc()).limit(1)

    def state() -> tuple[str, float]:
        with read_scope(sqlite_engine) as session:
            delivery = session.scalars(newest).one()
            waits = (delivery.next_attempt_at - clock.now()).total_seconds()
            return (delivery.status if delivery.attempts else "new"), waits

    if when == "later":
        until(lambda: state()[0] == "sent")
        fake.tell(fake.sent_id(2), "failed", 131049)
    until(lambda: state()[0] == "queued")
    assert DAY - 60 < state()[1] <= DAY
    # A week later nobody is to be told any more.
    with session_scope(sqlite_engine) as session:
        delivery = session.scalars(newest).one()
        delivery.created_at -= outbound.timedelta(days=7)
        delivery.next_attempt_at = clock.now()
    fake.fail(error(131049))
    outbound.queued.set()
    until(lambda: state()[0] == "failed")


def test_nothing_is_lost_while_the_token_is_wrong(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine
) -> None:
    right, fake.token = fake.token, "another"
    fake.say(person, "one")
    fake.say(person, "two")
    until(lambda: any(column(sqlite_engine, Delivery.last_error)))
    assert set(column(sqlite_engine, Delivery.status)) <= {"queued", "sending"}
    fake.token = right
    until(lambda: len(fake.sent(person)) == 2, 20)
    assert [sent.text for sent in fake.sent(person)] == ["echo: one", "echo: two"]


def test_a_link_makes_them_the_customer(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine
) -> None:
    with session_scope(sqlite_engine) as session:
        customer = Customer(language="nb")
        session.add(customer)
        session.flush()
        customer_id, token = customer.id, links.create(session, "whatsapp", customer.id)
    fake.say(person, links.text_with(token, "nb"))
    until(lambda: len(fake.sent(person)) == 1)
    assert column(sqlite_engine, ContactPoint.customer_id) == [customer_id]
    assert column(sqlite_engine, Conversation.customer_id) == [customer_id]


@pytest.mark.parametrize("known_by", ["link", "number", "nothing"])
def test_who_stops_advertising_in_whatsapp_is_heard_in_silence(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine, known_by: str
) -> None:
    with session_scope(sqlite_engine) as session:
        customer = customers.ensure_customer(session, identities=[("phone", f"+{fake.phone(person)}")])
        customer_id = customer.id
        contact.subscribe(session, customer_id, "c1:m1")
        token = links.create(session, "whatsapp", customer_id)
    if known_by == "link":
        fake.say(person, links.text_with(token, "en"))
        until(lambda: len(fake.sent(person)) == 1)
    if known_by == "nothing":
        fake.hidden.add(person)
    before = len(fake.sent(person))
    assert fake.prefer(person, "resume") == 200
    assert fake.prefer(person, "stop") == 200
    with session_scope(sqlite_engine) as session:
        assert contact.is_subscribed(session, customer_id) == (known_by == "nothing")
        # Agreed to again; what Meta tells a second time is history.
        contact.subscribe(session, customer_id, "c1:m2")
    assert fake.prefer(person, "stop") == 200
    with session_scope(sqlite_engine) as session:
        assert contact.is_subscribed(session, customer_id)
        assert len(session.scalars(select(ContactPoint)).all()) == (known_by == "link")
    assert len(fake.sent(person)) == before


def test_stop_counts_for_whose_number_it_is(
    app: RunningApp, fake: WhatsApp, person: str, sqlite_engine: Engine
) -> None:
    with session_scope(sqlite_engine) as session:
        customer = customers.ensure_customer(session, identities=[("phone", f"+{fake.phone(person)}")])
        customer_id = customer.id
        contact.subscribe(session, customer_id, "c1:m1")
    fake.say(person, "STOP")
    until(lambda: len(fake.sent(person)) == 1)
    with session_scope(sqlite_engine) as session:
        assert not contact.is_subscribed(session, customer_id)


# --- beside an independent reading of the same protocol ----------------------------------------------------


def test_pywa_writes_what_we_write_and_reads_what_the_fake_brings(
    channel: whatsapp.WhatsAppChannel, fake: WhatsApp, person: str
) -> None:
    import httpx
    import pywa
    from pywa import types, utils

    session = httpx.Client(trust_env=False)
    client = pywa.WhatsApp(phone_id=PHONE_ID, token=fake.token, session=session)
    session.base_url = httpx.URL(f"{fake.graph_url}/v25.0")
    fake.writers.add(person)
    list_of = [types.SectionRow(title="x" * 21, callback_data="7:b1")]
    theirs = (
        lambda: client.send_message(person, "Hi"),
        lambda: client.send_message(person, "Sure?", buttons=[types.Button("Yes", callback_data="7:b1")]),
        lambda: client.send_message(
            person, "Which?", buttons=types.SectionList("Choose", sections=[types.Section("", list_of)])
        ),
        lambda: client.send_image(person, "https://shop.example/1.png"),
    )
    parts = (
        Part("Hi"),
        Part("Sure?", buttons("Yes")),
        Part("Which?", buttons("x" * 21)),
        Part(image="https://shop.example/1.png"),
    )
    for send, part in zip(theirs, parts, strict=True):
        send()
        channel.send(target(person), part)
        their_body, our_body = (call.body for call in fake.calls[-2:])
        assert _plain(their_body) == _plain(our_body)
    session.close()

    body, headers = fake.signed(
        fake.entry(messages=[fake.message(person, "text", {"body": "Hei på deg/dere"})])
    )
    assert utils.webhook_updates_validator(APP_SECRET, body, headers["X-Hub-Signature-256"])
    raw = types.base_update.RawUpdate(body, hmac_header="", update_hash="")
    message = types.Message.from_update(client, raw)
    assert (message.text, message.from_user.bsuid, message.from_user.wa_id) == (
        "Hei på deg/dere",
        person,
        fake.phone(person),
    )


def _plain(value: Any) -> Any:
    """Without what says nothing: fields that are empty or off."""
    if isinstance(value, dict):
        return {k: p for k, v in value.items() if (p := _plain(v)) not in (None, "", False, [], {})}
    return [_plain(item) for item in value] if isinstance(value, list) else value
