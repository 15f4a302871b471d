"""What all channels have in common: what comes in, what goes out, and what a provider may say to that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from rapport.kit.errors import UnauthorizedError
from rapport.kit.languages import DEFAULT_LANGUAGE

if TYPE_CHECKING:  # commands need none of it
    from fastapi import APIRouter

MAX_TEXT = 4000


@dataclass(frozen=True)
class InboundMessage:
    """What a customer sent, on whatever channel, once the channel has made sure who sent it.

    `provider_id` is unique on the channel: a second message with the same one changes nothing. `payload`
    is what a pressed button stands for: it comes from the stored reply, never from the client. `text` is
    then the button's title. `notice` names what is answered without the bot, which cannot read a voice
    message; "" that nothing more is to be said to it. `subject` is a mail's. `unproven`: anybody may have
    sent it in this person's name.
    """

    channel: str
    provider_id: str
    text: str
    payload: str | None = None
    notice: str | None = None
    subject: str | None = None
    unproven: bool = False


class Channel(ABC):
    """One way customers reach us."""

    name: str

    @abstractmethod
    def router(self) -> APIRouter:
        """The channel's addresses. They store what comes in before they acknowledge it."""


# --- messaging apps: in ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sender:
    """Who a provider says something comes from.

    `address` is the provider's own lasting id of the person, and where replies go. `aliases` are other ids
    the provider knew the same person by: who wrote under one of them is not somebody new.
    """

    address: str
    aliases: tuple[str, ...] = ()
    language: str | None = None


@dataclass(frozen=True)
class Said:
    """A text, or a pressed button (`button` is our id of it, `7:b1`, as `Part.buttons` gave it out).

    `link` is the token of a link from the website that the person followed to come here. `answers`: the ids
    of messages it answers, where these show that our answers are read at that address; else None.
    """

    sender: Sender
    provider_id: str
    text: str = ""
    button: str | None = None
    link: str | None = None
    subject: str | None = None
    answers: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Unreadable:
    """Something the bot cannot read: `what` is one of `notices.UNREADABLE` (sticker, voice, edit …)."""

    sender: Sender
    provider_id: str
    what: str
    subject: str | None = None


@dataclass(frozen=True)
class Left:
    """The person blocked us (`back` False), or let us in again. `at`: when, if the provider says so."""

    sender: Sender
    provider_id: str
    back: bool = False
    at: datetime | None = None


@dataclass(frozen=True)
class Stopped:
    """The person told the provider that they want nothing unasked from us: heard as STOP is, in silence."""

    sender: Sender
    provider_id: str


@dataclass(frozen=True)
class Report:
    """What became of something we sent: `status` is delivered, read, failed, or refused by the person.

    `gone`: nothing can reach this person here any more (blocked, number given up). `after`: the provider
    holds back advertising to them; it may be tried again after so many seconds. `again`: it did not arrive
    for a passing reason.
    """

    message_id: str
    status: str
    reason: str | None = None
    gone: bool = False
    after: float | None = None
    again: bool = False


Event = Said | Unreadable | Left | Stopped | Report


# --- messaging apps: out -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Button:
    """A button of a reply: our id of it, and its title."""

    id: str
    title: str


@dataclass(frozen=True)
class Template:
    """A message the provider approved beforehand, for when a person has not written for long."""

    name: str
    language: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """One message on the wire: a reply that is too long for the channel, or has a picture, takes several."""

    text: str = ""
    buttons: tuple[Button, ...] = ()
    image: str | None = None
    template: Template | None = None


@dataclass(frozen=True)
class Target:
    """Where a part goes: the person's address, and what belongs to this message alone.

    `key` is the same whenever the same part is sent again, for providers (and mail programs) that can tell.
    `thread` is the provider's id of the person's newest message, which an answer may refer to, and `subject`
    what it was about, where messages have one.
    """

    address: str
    key: str
    language: str
    thread: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    subject: str | None = None


class RefusedError(Exception):
    """The provider will not take this message, now or later. `gone`: nor any other to this person.

    The text says why, and holds neither addresses nor what was to be said.
    """

    def __init__(self, reason: str, gone: bool = False) -> None:
        super().__init__(reason)
        self.gone = gone


class TryAgainError(Exception):
    """It was not sent, but may be later: `after` seconds from now, if the provider said so.

    `channel` is whether it is the same for everyone on this channel (it is down, or we sent too much). The
    text holds neither addresses nor what was to be said.
    """

    def __init__(self, reason: str, after: float | None = None, channel: bool = False) -> None:
        super().__init__(reason)
        self.after = after
        self.channel = channel


class InDoubtError(Exception):
    """The provider may have sent it or not: it never answered."""


@dataclass(frozen=True)
class Limits:
    """What one message on a channel can hold. `buttons` 0: none, they are numbered in the text instead.

    `title`: characters of a button's title. `window`: how long after a person's last message they may be
    written to without a template; None where there is no such rule. `text_with_buttons`: characters of a
    text that has buttons, where that is less. `utf16`: characters of texts are counted in UTF-16, where most
    emoji are two.
    """

    text: int
    buttons: int = 0
    title: int = 0
    images: bool = True
    window: timedelta | None = None
    utf16: bool = False
    text_with_buttons: int | None = None


@dataclass(frozen=True)
class Request:
    """An HTTP request as a provider's signature is made over it."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)


class MessagingChannel(ABC):
    """A messaging app. Adding one: a subclass, and its line in registry.py; the shared tests cover it.

    `authenticates`: whether nobody but the owner of an address can send from it. Mail and SMS can be forged.
    `per_sender`: how many messages in how many seconds one person may send. `has_subjects`: as mails do.
    `max_body`: how many bytes of a request are read; no provider's are larger.
    """

    name: ClassVar[str]
    limits: ClassVar[Limits]
    authenticates: ClassVar[bool] = True
    per_sender: ClassVar[tuple[int, float]] = (30, 60)
    has_subjects: ClassVar[bool] = False
    max_body: ClassVar[int] = 1024 * 1024

    @abstractmethod
    def check(self, request: Request) -> None:
        """Raises UnauthorizedError unless the provider sent this request. Compares in constant time."""

    @abstractmethod
    def read(self, request: Request) -> Sequence[Event]:
        """What a checked request tells, in its order; what it tells of others than people writing, nothing.

        Raises InvalidInputError for a body that cannot be read. Asks nobody.
        """

    @abstractmethod
    def send(self, target: Target, part: Part) -> str:
        """Send one message; returns the provider's id of it.

        Raises RefusedError, TryAgainError or InDoubtError.
        """

    def handshake(self, request: Request) -> str | None:
        """The answer to a provider that asks with a GET whether this address is ours; None for none.

        Raises UnauthorizedError.
        """
        return None

    def link(self, token: str, language: str = DEFAULT_LANGUAGE) -> str | None:
        """Where a link on the website leads so that `token` (32 letters and digits) comes back with the
        person's first message, as `Said.link`; None when nothing leads into this channel.

        Where only a text can be brought along, it is `links.text_with(token, language)`.
        """
        return None

    def acknowledgement(self) -> tuple[str, str]:
        """(body, media type) of what tells the provider that all is stored."""
        return '{"ok":true}', "application/json"

    def acknowledge(self, request: Request) -> tuple[str, str]:
        """The same for one request, where the provider takes more than that as an answer."""
        return self.acknowledgement()


class FetchingChannel(MessagingChannel):
    """A channel whose provider does not call us: it fetches what comes in, in a thread of its own."""

    @abstractmethod
    def start(self, take: Callable[[Request], None]) -> None:
        """Begin. `take` has stored what a request tells when it returns, and has not when it raises."""

    @abstractmethod
    def stop(self) -> None:
        """End after what is in hand."""

    def check(self, request: Request) -> None:
        raise UnauthorizedError("Nobody is to call this address.")
