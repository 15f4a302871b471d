"""One way to drive every messaging channel in tests: its provider's stand-in, as the provider would act.

A channel is added by its subclass in `fakes/` and its line in `PROVIDERS`; test_every_channel.py does the
rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sqlalchemy import Engine

from rapport.channels.base import MessagingChannel
from rapport.channels.notices import UNREADABLE
from rapport.kit.settings import Settings
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp


@dataclass(frozen=True)
class Sent:
    """A message on the wire that the provider accepted: `buttons` are (our id, title)."""

    text: str = ""
    buttons: tuple[tuple[str, str], ...] = ()
    image: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


def all_but(*names: str) -> tuple[str, ...]:
    """All of notices.UNREADABLE but these, in its order."""
    assert set(names) <= set(UNREADABLE)
    return tuple(name for name in UNREADABLE if name not in names)


@contextmanager
def running(
    provider: Provider, settings: Settings, database: Engine, rasa: FakeRasa, **changes: Any
) -> Iterator[RunningApp]:
    """The app, with this provider's channel switched on and leading to it."""
    app = RunningApp(
        settings, database, rasa, channels=provider.channels(), **{**provider.settings(), **changes}
    )
    provider.attach(app.url)
    try:
        yield app
    finally:
        app.stop()


class Provider(ABC):
    """A provider's stand-in. `person(n)` gives addresses it could give out."""

    name: ClassVar[str]
    # What of notices.UNREADABLE its people can send.
    unreadable: ClassVar[tuple[str, ...]] = ()
    # Mail comes without a webhook: there is nobody to refuse, and nothing to be forged on the way.
    calls_us: ClassVar[bool] = True
    # Whether a message longer than ours may be can be sent at all.
    takes_long_texts: ClassVar[bool] = True
    # Whether it tells us when somebody blocks us.
    tells_of_leaving: ClassVar[bool] = False

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The settings that switch the channel on and lead it here."""

    def channels(self) -> dict[str, MessagingChannel] | None:
        """Channels to be used instead of those of the settings."""
        return None

    def attach(self, url: str) -> None:
        """Where the app is."""
        self.url = url

    @abstractmethod
    def person(self, number: int) -> str:
        """An address of somebody."""

    @abstractmethod
    def say(self, person: str, text: str, message_id: str | None = None) -> int:
        """Somebody writes; the status our webhook answered with (200 where there is none).

        The same `message_id` again is the same message, delivered twice.
        """

    @abstractmethod
    def press(self, person: str, button: str, title: str) -> int:
        """Somebody presses a button that was sent to them. Types its number where there are no buttons."""

    @abstractmethod
    def send_unreadable(self, person: str, what: str) -> int:
        """Somebody sends something that is no text."""

    def leave(self, person: str, back: bool = False) -> int:
        """Somebody blocks us, or lets us in again."""
        raise NotImplementedError

    @abstractmethod
    def forge(self, person: str, text: str) -> int:
        """The same without the right signature."""

    @abstractmethod
    def sent(self, person: str) -> list[Sent]:
        """What the provider accepted from us for this person, in order."""

    @abstractmethod
    def fail(self, *modes: str) -> None:
        """How the next sends end, one each: again (5xx), slow_down (429), refuse (4xx), gone (blocked), drop
        (accepted, but the answer never comes).
        """

    @abstractmethod
    def close(self) -> None:
        """End it."""


def _toy() -> Provider:
    from tests.channels.fakes.toy import Toy

    return Toy()


def _telegram() -> Provider:
    from tests.channels.fakes.telegram import Telegram

    return Telegram()


def _whatsapp() -> Provider:
    from tests.channels.fakes.whatsapp import WhatsApp

    return WhatsApp()


def _messenger() -> Provider:
    from tests.channels.fakes.messenger import Messenger

    return Messenger()


def _sms() -> Provider:
    from tests.channels.fakes.twilio import TwilioSmsProvider

    return TwilioSmsProvider()


def _twilio_whatsapp() -> Provider:
    from tests.channels.fakes.twilio import TwilioWhatsAppProvider

    return TwilioWhatsAppProvider()


def _email() -> Provider:
    from tests.channels.fakes.mailbox import MailProvider

    return MailProvider()


# How each is made, by name. Imported when needed: the tests of one channel need no other.
PROVIDERS: dict[str, Callable[[], Provider]] = {
    "toy": _toy,
    "telegram": _telegram,
    "whatsapp": _whatsapp,
    "messenger": _messenger,
    "sms": _sms,
    "whatsapp through twilio": _twilio_whatsapp,
    "email": _email,
}
