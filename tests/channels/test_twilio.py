"""Twilio: its signature behind proxies, what it tells of, and what its errors mean."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select

from rapport.channels import registry, twilio
from rapport.channels.base import (
    Event,
    InDoubtError,
    Left,
    Part,
    RefusedError,
    Report,
    Request,
    Said,
    Sender,
    Stopped,
    Target,
    Template,
    TryAgainError,
    Unreadable,
)
from rapport.channels.models import ContactPoint, Delivery
from rapport.channels.twilio import TwilioSms, TwilioWhatsApp
from rapport.customers import contact
from rapport.customers.models import ConsentEvent
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConfigurationError, InvalidInputError
from rapport.kit.settings import Settings
from tests.channels.fakes.twilio import (
    ACCOUNT,
    NUMBER,
    TOKEN,
    FakeTwilio,
    TwilioProvider,
    TwilioSmsProvider,
    TwilioWhatsAppProvider,
    form_of,
    inbound,
)
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp, until

ANN = "+4790000001"
HERE = "https://shop.example/channels/sms"


@pytest.fixture
def fake() -> Iterator[FakeTwilio]:
    running = FakeTwilio()
    yield running
    running.stop()


def sms(fake: FakeTwilio | None = None, **changes: Any) -> TwilioSms:
    return TwilioSms(ACCOUNT, TOKEN, NUMBER, url=fake.url if fake else "http://127.0.0.1:1", **changes)


def whatsapp(fake: FakeTwilio | None = None, **changes: Any) -> TwilioWhatsApp:
    return TwilioWhatsApp(ACCOUNT, TOKEN, NUMBER, url=fake.url if fake else "http://127.0.0.1:1", **changes)


def target(address: str = ANN) -> Target:
    return Target(address, "c:1:1", "nb")


def events(channel: TwilioSms | TwilioWhatsApp, fields: dict[str, str]) -> list[Event]:
    return list(channel.read(Request(HERE, {}, form_of(fields))))


# --- in ----------------------------------------------------------------------------------------------------


def test_what_sms_tell_of() -> None:
    channel, ann = sms(), Sender(ANN)
    said = inbound(ANN, "Hei 😀", MessageSid="SM1")
    assert events(channel, said) == [Said(ann, "SM1", "Hei 😀")]
    assert events(channel, inbound(ANN, "", MessageSid="SM1")) == [Said(ann, "SM1", "")]
    picture = {"NumMedia": "2", "MediaContentType0": "image/jpeg", "MessageSid": "MM1"}
    assert events(channel, inbound(ANN, " ", **picture)) == [Unreadable(ann, "MM1", "image")]
    # What is said with it can be read.
    assert events(channel, inbound(ANN, "It broke", **picture)) == [Said(ann, "MM1", "It broke")]


@pytest.mark.parametrize(
    ("media", "what"),
    [
        ("image/jpeg", "image"),
        ("image/webp", "sticker"),
        ("audio/ogg; codecs=opus", "voice"),
        ("VIDEO/mp4", "video"),
        ("text/vcard", "contact"),
        ("application/pdf", "file"),
        ("", "file"),
        ("nonsense", "file"),
    ],
)
def test_media(media: str, what: str) -> None:
    fields = inbound(f"whatsapp:{ANN}", NumMedia="1", MediaContentType0=media)
    [event] = events(whatsapp(), fields)
    assert isinstance(event, Unreadable) and event.what == what


def test_what_whatsapp_tells_of() -> None:
    channel, ann = whatsapp(), Sender(ANN, (ANN[1:],))
    number = f"whatsapp:{ANN}"
    said = inbound(number, "Hei", MessageSid="SM1", ProfileName="Ann", WaId=ANN[1:])
    assert events(channel, said) == [Said(ann, "SM1", "Hei")]
    place = inbound(number, "", MessageSid="SM2", Latitude="59.9", Longitude="10.7", Address="Oslo")
    assert events(channel, place) == [Unreadable(ann, "SM2", "location")]
    button = inbound(number, "Yes!", MessageSid="SM3", ButtonText="Yes!", ButtonPayload="7:b1")
    assert events(channel, button) == [Said(ann, "SM3", "Yes!", "7:b1")]


def test_what_twilio_handles_itself() -> None:
    channel, ann = sms(), Sender(ANN)

    def opting(kind: str, word: str) -> list[Event]:
        return events(channel, inbound(ANN, word, OptOutType=kind, MessageSid="SM1"))

    assert opting("STOP", "NOMORE") == [Stopped(ann, "SM1")]  # a word only the settings there know
    assert opting("START", "START") == [Left(ann, "SM1", back=True)]
    assert opting("HELP", "HELP") == []
    # Without advanced opt-out nobody tells us that Twilio has answered.
    assert events(channel, inbound(ANN, "STOP", MessageSid="SM1")) == [Said(ann, "SM1", "STOP")]


@pytest.mark.parametrize(
    "fields",
    [
        {"Body": "x"},
        {"Body": "x", "MessageSid": "SM1"},
        {"Body": "x", "From": ANN},
        {"Body": "x", "From": ANN, "MessageSid": "S" * 101},
        {"Body": "x", "From": "1" * 101, "MessageSid": "SM1"},
        {"Body": "x", "From": f"whatsapp:{ANN}", "MessageSid": "SM1"},
        {"Body": "x", "From": "messenger:123", "MessageSid": "SM1"},
        {"Body": "x", "From": " ", "MessageSid": "SM1"},
    ],
)
def test_what_is_none_of_ours(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError):
        events(sms(), fields)


def test_an_sms_is_no_whatsapp_message() -> None:
    with pytest.raises(InvalidInputError):
        events(whatsapp(), inbound(ANN, "hello"))


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        ("queued", None, []),
        ("sending", None, []),
        ("sent", None, []),
        ("delivered", None, [Report("SM1", "delivered")]),
        ("read", None, [Report("SM1", "read")]),
        ("undelivered", "30003", [Report("SM1", "failed", "Twilio: undelivered, error 30003")]),
        ("undelivered", "30005", [Report("SM1", "failed", "Twilio: undelivered, error 30005", True)]),
        ("failed", "63014", [Report("SM1", "failed", "Twilio: failed, error 63014", True)]),
        ("failed", "63016", [Report("SM1", "failed", "Twilio: failed, error 63016")]),
        ("failed", "63049", [Report("SM1", "failed", "Twilio: failed, error 63049", False, 86400.0)]),
        ("failed", None, [Report("SM1", "failed", "Twilio: failed, error 0")]),
        ("failed", "x" * 500, [Report("SM1", "failed", "Twilio: failed, error 0")]),
    ],
)
def test_reports(status: str, error: str | None, told: list[Event]) -> None:
    fields = {"MessageSid": "SM1", "SmsSid": "SM1", "MessageStatus": status, "SmsStatus": status}
    fields |= {"To": ANN, "From": NUMBER, "AccountSid": ACCOUNT} | ({"ErrorCode": error} if error else {})
    assert events(sms(), fields) == told


# --- out ---------------------------------------------------------------------------------------------------


def test_what_is_sent(fake: FakeTwilio) -> None:
    sid = sms(fake).send(target(), Part("Hei på deg, 2+2=4 & ✓"))
    whatsapp(fake, public_url="https://shop.example/").send(target(), Part(image="/demo/a.jpg"))
    one, two = fake.accepted
    assert one == {"To": ANN, "From": NUMBER, "Body": "Hei på deg, 2+2=4 & ✓", "sid": sid}
    assert {name: value for name, value in two.items() if name != "sid"} == {
        "To": f"whatsapp:{ANN}",
        "From": f"whatsapp:{NUMBER}",
        "MediaUrl": "https://shop.example/demo/a.jpg",
        "StatusCallback": "https://shop.example/channels/whatsapp",
    }


def test_a_picture_needs_a_public_address(fake: FakeTwilio) -> None:
    with pytest.raises(RefusedError, match="RAPPORT_PUBLIC_URL"):
        whatsapp(fake).send(target(), Part(image="/demo/a.jpg"))
    whatsapp(fake).send(target(), Part(image="https://cdn.example/a.jpg"))


def test_a_messaging_service_sends(fake: FakeTwilio) -> None:
    TwilioWhatsApp(ACCOUNT, TOKEN, "MG" + "0" * 32, url=fake.url).send(target(), Part("hi"))
    TwilioWhatsApp(ACCOUNT, TOKEN, f"whatsapp:{NUMBER}", url=fake.url).send(target(), Part("hi"))
    assert fake.accepted[0]["MessagingServiceSid"] == "MG" + "0" * 32 and "From" not in fake.accepted[0]
    assert fake.accepted[1]["From"] == f"whatsapp:{NUMBER}"


def test_templates(fake: FakeTwilio) -> None:
    name = "HX" + "0" * 32
    whatsapp(fake).send(target(), Part("as stored", template=Template(name, "nb", ("Ann", "Oslo"))))
    whatsapp(fake).send(target(), Part("as stored", template=Template(name, "nb")))
    assert json.loads(fake.accepted[0]["ContentVariables"]) == {"1": "Ann", "2": "Oslo"}
    assert fake.accepted[1]["ContentSid"] == name
    assert all("Body" not in form for form in fake.accepted) and "ContentVariables" not in fake.accepted[1]
    with pytest.raises(RefusedError, match="HX"):
        whatsapp(fake).send(target(), Part("x", template=Template("hello_world", "nb")))


def test_what_twilio_refuses(fake: FakeTwilio, caplog: pytest.LogCaptureFixture) -> None:
    channel = sms(fake)
    for number, gone, code in (("+1", True, 21211), ("AMAZON", True, 21211), (ANN, True, 21610)):
        fake.opted_out = {ANN}
        with pytest.raises(RefusedError, match=f"error {code}") as caught:
            channel.send(target(number), Part("hi"))
        assert caught.value.gone is gone and number not in str(caught.value)
    fake.opted_out.clear()
    with pytest.raises(RefusedError, match="error 21617") as caught:
        channel.send(target(), Part("x" * 1601))
    assert not caught.value.gone
    fake.failures.append("slow_down")
    with pytest.raises(TryAgainError) as slow:
        channel.send(target(), Part("hi"))
    assert (slow.value.after, slow.value.channel) == (1.0, True)
    fake.failures.append("again")
    with pytest.raises(TryAgainError) as again:
        channel.send(target(), Part("hi"))
    assert again.value.channel
    fake.failures.append("drop")
    with pytest.raises(InDoubtError):
        channel.send(target(), Part("hi"))
    assert channel.send(target(), Part("hi")).startswith("SM")
    assert ANN not in caplog.text


def test_wrong_credentials_are_said_once_and_lose_nothing(
    fake: FakeTwilio, caplog: pytest.LogCaptureFixture
) -> None:
    channel = TwilioSms(ACCOUNT, "an old token", NUMBER, url=fake.url)
    for _ in range(3):
        with pytest.raises(TryAgainError, match="RAPPORT_TWILIO") as caught:
            channel.send(target(), Part("hi"))
        assert caught.value.channel
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1 and "an old token" not in caplog.text


def test_nobody_there(fake: FakeTwilio) -> None:
    with pytest.raises(TryAgainError) as caught:
        sms().send(target(), Part("hi"))
    assert caught.value.channel


# --- all together ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TwilioSmsProvider, TwilioWhatsAppProvider])
def test_delivery_is_noted(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, kind: type[TwilioProvider]
) -> None:
    provider = kind()
    app = RunningApp(settings, sqlite_engine, rasa, **provider.settings())
    provider.attach(app.url)

    def delivery() -> Delivery:
        with read_scope(sqlite_engine) as session:
            newest = session.scalars(select(Delivery).order_by(Delivery.id.desc())).first() or Delivery()
            session.expunge_all()
            return newest

    provider.say(ANN, "hello")
    [sent] = until(lambda: provider.sent(ANN), 10)
    until(lambda: delivery().status == "sent", 5)
    assert provider.report(ANN, sent.details["sid"], "read") == 200
    assert provider.report(ANN, sent.details["sid"], "delivered") == 200  # late, and after what follows it
    assert provider.report(ANN, "SM" + "f" * 32, "failed", "30005") == 200  # not ours
    noted = delivery()
    assert noted.delivered_at is not None and noted.read_at is not None and noted.status == "sent"
    provider.say(ANN, "and now?")
    until(lambda: len(provider.sent(ANN)) == 2 and delivery().status == "sent", 10)
    assert provider.report(ANN, provider.sent(ANN)[1].details["sid"], "undelivered", "30005") == 200
    assert delivery().status == "failed"
    with read_scope(sqlite_engine) as session:
        assert session.scalars(select(ContactPoint)).one().unreachable_since is not None
    app.stop()
    provider.close()


def test_stop_at_twilio_is_stop_here_and_confirmed_by_one(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa
) -> None:
    provider = TwilioSmsProvider()
    app = RunningApp(settings, sqlite_engine, rasa, **provider.settings())
    provider.attach(app.url)

    def point() -> ContactPoint:
        with read_scope(sqlite_engine) as session:
            found = session.scalars(select(ContactPoint)).one()
            session.expunge_all()
            return found

    provider.say(ANN, "hello")
    until(lambda: len(provider.sent(ANN)) == 1, 10)
    with session_scope(sqlite_engine) as session:
        agreed = {"purpose": "newsletter", "channel": "sms", "granted": True, "wording_version": "1"}
        contact.record_consent(session, point().customer_id, **agreed, source="test")
    provider.fake.opted_out.add(ANN)  # Twilio has told them so by the time it tells us
    for _ in range(2):
        assert provider.post(inbound(ANN, "NOMORE", OptOutType="STOP", MessageSid="SM1")) == 200
    with read_scope(sqlite_engine) as session:
        assert session.scalars(select(ConsentEvent.granted).order_by(ConsentEvent.id)).all() == [True, False]
    # What Twilio does not tell about is not taken from us: that says enough.
    provider.say(ANN, "STOP")  # heard once more in silence: Twilio has confirmed it
    provider.say(ANN, "are you there?")
    until(lambda: point().unreachable_since is not None, 10)
    assert len(provider.sent(ANN)) == 1 and len(rasa.turns) == 2
    provider.fake.opted_out.clear()
    assert provider.post(inbound(ANN, "START", OptOutType="START")) == 200
    assert point().unreachable_since is None
    provider.say(ANN, "hello again")
    until(lambda: len(provider.sent(ANN)) == 2, 10)
    app.stop()
    provider.close()


def test_settings(settings: Settings) -> None:
    def made(**changes: Any) -> dict[str, Any]:
        return registry.make(settings.model_copy(update=changes))

    account: dict[str, Any] = {"twilio_account": ACCOUNT, "twilio_token": SecretStr(TOKEN)}
    assert made() == {}
    assert list(made(**account, twilio_sms_from=NUMBER)) == ["sms"]
    assert list(made(**account, twilio_whatsapp_from=NUMBER)) == ["whatsapp"]
    assert sorted(made(**account, twilio_whatsapp_from=NUMBER, twilio_sms_from=NUMBER)) == ["sms", "whatsapp"]
    for part in (
        {"twilio_account": ACCOUNT, "twilio_sms_from": NUMBER},
        {"twilio_token": SecretStr(TOKEN), "twilio_sms_from": NUMBER},
        {"twilio_account": ACCOUNT, "twilio_token": SecretStr(""), "twilio_sms_from": NUMBER},
        {"twilio_whatsapp_from": NUMBER},
        account,
    ):
        with pytest.raises(ConfigurationError, match="RAPPORT_TWILIO_"):
            made(**part)


def test_whatsapp_goes_one_way_only(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAKERS", (twilio.make_whatsapp, lambda _: whatsapp()))
    changed = settings.model_copy(
        update={
            "twilio_account": ACCOUNT,
            "twilio_token": SecretStr(TOKEN),
            "twilio_whatsapp_from": NUMBER,
        }
    )
    with pytest.raises(ConfigurationError, match="Choose one"):
        registry.make(changed)
