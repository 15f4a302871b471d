"""A messaging app with nothing special about it, for tests of what is the same for all."""

from __future__ import annotations

import hmac
import json
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import uuid4

import requests

from rapport.channels.base import (
    Event,
    InDoubtError,
    Left,
    Limits,
    MessagingChannel,
    Part,
    RefusedError,
    Report,
    Request,
    Said,
    Sender,
    Target,
    TryAgainError,
    Unreadable,
)
from rapport.kit.errors import InvalidInputError, UnauthorizedError
from tests.channels.harness import Provider, Sent

SECRET = "toy-secret"


class ToyChannel(MessagingChannel):
    """Its requests are lists of events as JSON; what it sends goes into a list."""

    name: ClassVar[str] = "telegram"  # a name that the CRM knows
    limits: ClassVar[Limits] = Limits(text=200, buttons=3, title=20)

    def __init__(self) -> None:
        self.accepted: list[tuple[str, str, Sent]] = []  # (address, key, what)
        self.failures: deque[str] = deque()
        self.lock = threading.Lock()

    def check(self, request: Request) -> None:
        if not hmac.compare_digest(request.headers.get("x-toy-secret", "").encode(), SECRET.encode()):
            raise UnauthorizedError("The secret is wrong.")

    def read(self, request: Request) -> Sequence[Event]:
        try:
            return [_event(item) for item in json.loads(request.body)]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InvalidInputError("The body cannot be read.") from None

    def send(self, target: Target, part: Part) -> str:
        with self.lock:
            mode = self.failures.popleft() if self.failures else "ok"
            if mode == "again":
                raise TryAgainError("503", channel=True)
            if mode == "slow_down":
                raise TryAgainError("429", after=0.2)
            if mode == "refuse":
                raise RefusedError("400 what a message")
            if mode == "gone":
                raise RefusedError("403 blocked", gone=True)
            if mode == "crash":
                raise KeyError("a fault of the adapter")
            buttons = tuple((button.id, button.title) for button in part.buttons)
            template = {"template": part.template.name} if part.template else {}
            self.accepted.append((target.address, target.key, Sent(part.text, buttons, part.image, template)))
            if mode == "drop":
                raise InDoubtError
            return f"out-{len(self.accepted)}"


def _event(item: dict[str, Any]) -> Event:
    if "report" in item:
        return Report(
            item["id"], item["report"], item.get("reason"), item.get("gone", False), item.get("after")
        )
    sender = Sender(item["from"], tuple(item.get("also", ())), item.get("language"))
    if "what" in item:
        return Unreadable(sender, item["id"], item["what"])
    if "left" in item:
        return Left(sender, item["id"], back=not item["left"])
    return Said(sender, item["id"], item.get("text", ""), item.get("button"), item.get("link"))


class Toy(Provider):
    """The provider of the toy."""

    name: ClassVar[str] = "telegram"
    unreadable: ClassVar[tuple[str, ...]] = (
        "sticker",
        "voice",
        "image",
        "reaction",
        "edit",
        "delete",
        "other",
    )
    tells_of_leaving: ClassVar[bool] = True

    def __init__(self) -> None:
        self.channel = ToyChannel()

    def settings(self) -> dict[str, Any]:
        return {}

    def channels(self) -> dict[str, MessagingChannel]:
        return {self.channel.name: self.channel}

    def person(self, number: int) -> str:
        return f"person-{number}"

    def post(self, *events: dict[str, Any], secret: str = SECRET) -> int:
        answer = requests.post(
            f"{self.url}/channels/{self.name}", json=events, headers={"x-toy-secret": secret}, timeout=10
        )
        return answer.status_code

    def say(self, person: str, text: str, message_id: str | None = None) -> int:
        return self.post({"from": person, "id": message_id or uuid4().hex, "text": text})

    def press(self, person: str, button: str, title: str) -> int:
        return self.post({"from": person, "id": uuid4().hex, "text": title, "button": button})

    def send_unreadable(self, person: str, what: str) -> int:
        return self.post({"from": person, "id": uuid4().hex, "what": what})

    def leave(self, person: str, back: bool = False) -> int:
        return self.post({"from": person, "id": uuid4().hex, "left": not back})

    def forge(self, person: str, text: str) -> int:
        return self.post({"from": person, "id": uuid4().hex, "text": text}, secret="a guess")

    def sent(self, person: str) -> list[Sent]:
        with self.channel.lock:
            return [what for address, _, what in self.channel.accepted if address == person]

    def fail(self, *modes: str) -> None:
        self.channel.failures.extend(modes)

    def close(self) -> None:
        pass
