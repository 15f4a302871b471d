"""The addresses that providers call: how much they take, and many requests at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, cast

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from rapport.channels import inbound
from rapport.channels.base import MessagingChannel, Request
from rapport.channels.messenger import MessengerChannel
from rapport.channels.twilio import TwilioSms, TwilioWhatsApp
from rapport.channels.webhook import Webhooks
from rapport.channels.whatsapp import WhatsAppChannel
from rapport.conversations.engine import ConversationEngine
from rapport.conversations.models import Message
from rapport.kit.database import read_scope
from rapport.kit.settings import Settings
from tests.channels.fakes.toy import SECRET, ToyChannel
from tests.channels.people import Sms
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp

MEGABYTE = 1024 * 1024


class Waker:
    """Stands in for the engine."""

    def __init__(self) -> None:
        self.woken: list[str] = []

    def wake(self, conversation_id: str) -> None:
        self.woken.append(conversation_id)


@pytest.fixture
def waker() -> Waker:
    return Waker()


@pytest.fixture
def webhooks(settings: Settings, engine: Engine, waker: Waker) -> Webhooks:
    channel = ToyChannel()
    return Webhooks(settings, engine, cast(ConversationEngine, waker), {channel.name: channel})


def tell(webhooks: Webhooks, *people: str) -> None:
    """One request with a message of each."""
    events = [{"from": person, "id": f"{'-'.join(people)}:{person}", "text": "hi"} for person in people]
    webhooks.take(ToyChannel(), Request("", {}, json.dumps(events).encode()))


def stored(engine: Engine) -> list[str | None]:
    with read_scope(engine) as session:
        return sorted(
            session.scalars(select(Message.provider_id).where(Message.author == "customer")), key=str
        )


def test_two_requests_of_the_same_people_in_other_orders(
    engine: Engine, webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(webhooks, "ann")
    tell(webhooks, "bob")
    take, first = inbound.take, threading.Barrier(2)
    begun = threading.local()

    def meet(session: Session, *arguments: Any) -> str | None:
        taken = take(session, *arguments)
        # SQLite has one writer at a time.
        if not hasattr(begun, "once") and engine.dialect.name == "postgresql":
            begun.once = True
            first.wait(10)
        return taken

    monkeypatch.setattr(inbound, "take", meet)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(tell, webhooks, *two) for two in (("ann", "bob"), ("bob", "ann"))]:
            done.result(30)
    assert stored(engine) == [
        "ann-bob:ann",
        "ann-bob:bob",
        "ann:ann",
        "bob-ann:ann",
        "bob-ann:bob",
        "bob:bob",
    ]


@pytest.mark.parametrize("times", [1, 2])
def test_what_the_database_gave_up_on_is_tried_once_more(
    engine: Engine, webhooks: Webhooks, waker: Waker, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    take, failures = inbound.take, iter(range(times))

    def fail(session: Session, channel: MessagingChannel, event: Any, limits: inbound.Limits) -> str | None:
        taken = take(session, channel, event, limits)
        if event.sender.address == "bob" and next(failures, None) is not None:
            raise OperationalError("", None, Exception("deadlock detected"))
        return taken

    monkeypatch.setattr(inbound, "take", fail)
    if times == 1:
        tell(webhooks, "ann", "bob")
    else:
        with pytest.raises(OperationalError):
            tell(webhooks, "ann", "bob")
        # What came before it is stored and answered; the provider sends all of it again.
        assert stored(engine) == ["ann-bob:ann"] and len(waker.woken) == 1
        tell(webhooks, "ann", "bob")
    assert stored(engine) == ["ann-bob:ann", "ann-bob:bob"]
    assert len(waker.woken) == len(set(waker.woken)) == 2


class Large(ToyChannel):
    name: ClassVar[str] = "whatsapp"
    max_body: ClassVar[int] = WhatsAppChannel.max_body


class Small(Sms):
    max_body: ClassVar[int] = TwilioSms.max_body


@pytest.fixture
def app(settings: Settings, sqlite_engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    channels = {channel.name: channel for channel in (ToyChannel(), Large(), Small())}
    running = RunningApp(settings, sqlite_engine, rasa, channels=channels)
    yield running
    running.stop()


def test_as_much_is_read_as_the_provider_may_send(app: RunningApp) -> None:
    def post(name: str, size: int) -> int:
        body = json.dumps([{"from": "ann", "id": f"{size}", "text": "hi"}]).encode().ljust(size)
        headers = {"x-toy-secret": SECRET}
        return app.client.post(f"/channels/{name}", content=body, headers=headers).status_code

    assert [post("whatsapp", size * MEGABYTE) for size in (1, 3, 4)] == [200] * 3
    assert post("whatsapp", 4 * MEGABYTE + 1) == 413
    assert [post("telegram", size) for size in (MEGABYTE, MEGABYTE + 1)] == [200, 413]
    assert [post("sms", size) for size in (64 * 1024, 64 * 1024 + 1)] == [200, 413]
    assert MessengerChannel.max_body == WhatsAppChannel.max_body
    assert TwilioWhatsApp.max_body == TwilioSms.max_body
