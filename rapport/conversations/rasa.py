"""The client of Rasa's channel (bot/channel.py)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

CONNECT_SECONDS = 2.0
TURN_SECONDS = 30.0
HEALTH_SECONDS = 1.0
SECRET_HEADER = "X-Rapport-Secret"  # noqa: S105 - a header's name
BASE = "/webhooks/rapport"


class RasaAwayError(Exception):
    """Rasa cannot take the turn now, or cannot be reached; the same message may be sent again."""


class RasaBrokeOffError(RasaAwayError):
    """Rasa took the message and then died or fell silent. Sent again, it repeats the answer if it had one."""


class RasaRefusedError(Exception):
    """Rasa gave a definite error for this message; sending it again would give the same."""


@dataclass(frozen=True)
class Reply:
    """One thing the bot says. `buttons` are (title, payload)."""

    text: str | None
    buttons: list[tuple[str, str]]
    image: str | None
    card: dict[str, Any] | None
    response: str | None


@dataclass(frozen=True)
class Told:
    """Something said without the bot, for it to know: by the customer, or by us.

    `author`: customer, staff, or journey for what nobody asked for. `steps_in`: a person has the
    conversation, and what the bot was asking is over. `next`: the intent that a yes to it means.
    """

    message_id: int
    author: str
    text: str
    steps_in: bool
    next: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came of a turn: replies, and what Rasa understood and did."""

    replies: list[Reply]
    intent: str | None = None
    confidence: float | None = None
    entities: list[dict[str, Any]] | None = None
    actions: list[str] | None = None


class Rasa:
    """Keeps connections open; for many threads."""

    def __init__(self, url: str, secret: str, connections: int, turn_seconds: float = TURN_SECONDS) -> None:
        self._pool = urllib3.connection_from_url(url, maxsize=connections, retries=False)
        self._timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=turn_seconds)
        self._headers = {SECRET_HEADER: secret, "Content-Type": "application/json"}

    def turn(
        self,
        conversation_id: str,
        message_id: int,
        text: str,
        payload: str | None,
        metadata: dict[str, Any],
    ) -> Answer:
        """One message to the bot. The same id again gives the same answer.

        Raises RasaAwayError, RasaBrokeOffError or RasaRefusedError.
        """
        said = {"payload": payload} if payload is not None else {"text": text}
        body = {
            "conversation_id": conversation_id,
            "message_id": str(message_id),
            **said,
            "metadata": metadata,
        }
        try:
            return _read(json.loads(self._post("/turn", body)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RasaRefusedError(f"an answer that makes no sense ({type(error).__name__})") from None

    def tell(self, conversation_id: str, messages: Sequence[Told]) -> None:
        """Let the bot know what was said without it, in order. The same ids again change nothing.

        Raises RasaAwayError, RasaBrokeOffError or RasaRefusedError.
        """
        body = {
            "messages": [
                {
                    "message_id": str(message.message_id),
                    "author": message.author,
                    "text": message.text,
                    "steps_in": message.steps_in,
                    **({"next": message.next} if message.next else {}),
                }
                for message in messages
            ]
        }
        self._post(f"/conversations/{conversation_id}/events", body)

    def _post(self, path: str, body: dict[str, Any]) -> bytes:
        try:
            response = self._pool.request(
                "POST", f"{BASE}{path}", body=json.dumps(body), headers=self._headers, timeout=self._timeout
            )
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise RasaAwayError(type(error).__name__) from None
        except HTTPError as error:
            raise RasaBrokeOffError(type(error).__name__) from None
        if response.status == 503:
            raise RasaAwayError("503")
        if response.status != 200:
            raise RasaRefusedError(f"status {response.status}")
        return response.data

    def is_ready(self) -> bool:
        """Whether Rasa answers and has its model loaded."""
        try:
            response = self._pool.request(
                "GET", f"{BASE}/", headers=self._headers, timeout=urllib3.Timeout(HEALTH_SECONDS)
            )
        except HTTPError:
            return False
        return response.status == 200

    def close(self) -> None:
        self._pool.close()


def _read(answer: dict[str, Any]) -> Answer:
    understood = answer["understood"]
    return Answer(
        replies=[reply for item in answer["replies"] if (reply := _read_reply(item)) is not None],
        intent=_clip(understood["intent"], 60),
        confidence=float(understood["confidence"]),
        entities=_clean(list(understood["entities"])),
        actions=_clean([str(name) for name in answer["actions"]]),
    )


def _read_reply(item: dict[str, Any]) -> Reply | None:
    """None when there is nothing in it to show."""
    item = _clean(item)
    buttons = [
        (str(b["title"]), str(b["payload"])) for b in item["buttons"] if b.get("title") and b.get("payload")
    ]
    text = str(item["text"]).strip() if item["text"] else None
    reply = Reply(text or None, buttons, item["image"], item["custom"], _clip(item["response"], 80))
    return reply if reply.text or reply.buttons or reply.image or reply.card else None


def _clip(value: str | None, length: int) -> str | None:
    return value[:length] if value else None


def _clean(value: Any) -> Any:
    """Without what PostgreSQL cannot store: NUL and halves of surrogate pairs."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "replace").decode()
        case list():
            return [_clean(item) for item in value]
        case dict():
            return {_clean(key): _clean(item) for key, item in value.items()}
    return value
