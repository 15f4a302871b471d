"""Telegram, through the Bot API.

Telegram calls us with one update at a time and the secret we gave it, and repeats what we don't acknowledge
for a day, holding back all else this person writes: what can never be read is acknowledged and logged. A
pressed button shows a spinner until it is answered; that answer is our acknowledgement's body, which
Telegram carries out, so it costs no call. How it is set up: `rapport channel add telegram`.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import ValidationError

from rapport.channels.base import (
    Button,
    Event,
    InDoubtError,
    Limits,
    MessagingChannel,
    Part,
    RefusedError,
    Request,
    Target,
    TryAgainError,
)
from rapport.channels.telegram_api import TelegramApi, TelegramError
from rapport.channels.telegram_updates import Update, event
from rapport.kit import tokens
from rapport.kit.errors import ConfigurationError, UnauthorizedError
from rapport.kit.languages import DEFAULT_LANGUAGE
from rapport.kit.settings import Settings

log = logging.getLogger(__name__)

NAME = "telegram"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
TOKEN = re.compile(r"(\d{1,20}):[A-Za-z0-9_-]{30,60}")
SECRET = re.compile(r"[A-Za-z0-9_-]{32,256}")
USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")

# Buttons whose titles are no longer than this together stand in one row; others in one each.
ROW = 24
# Telegram says this about a person for some minutes now and then, and takes it back.
PASSING = "bot can't send messages to the user"
GONE = (
    "chat not found",
    "user not found",
    "peer_id_invalid",
    "user is deactivated",
    "upgraded to a supergroup",
)
# So long nobody asks for the bot's name again after Telegram did not say it.
NAME_AGAIN_SECONDS = 60.0
WRONG_TOKEN = "Telegram does not take RAPPORT_TELEGRAM_TOKEN: run `rapport channel check telegram`"  # noqa: S105


class TelegramChannel(MessagingChannel):
    """One bot."""

    name: ClassVar[str] = NAME
    limits: ClassVar[Limits] = Limits(text=4096, buttons=20, title=64, utf16=True)

    def __init__(self, token: str, secret: str, api: TelegramApi, username: str = "") -> None:
        self._bot_id = token.split(":")[0]
        self._secret = secret
        self._api = api
        self._username = username
        self._ask_name_from = 0.0
        # Of the last chat we wrote to too fast: (address, until when).
        self._slowed = ("", 0.0)

    def check(self, request: Request) -> None:
        if not tokens.same(request.headers.get(SECRET_HEADER, ""), self._secret):
            raise UnauthorizedError("The secret is missing or wrong.")

    def read(self, request: Request) -> Sequence[Event]:
        try:
            told = event(Update.model_validate_json(request.body), self._bot_id)
        except ValidationError as error:
            # Where it went wrong, and not with what: that may be somebody's words.
            places = {".".join(map(str, found["loc"])) or found["type"] for found in error.errors()}
            log.warning("Telegram sent what cannot be read: %s", ", ".join(sorted(places)[:5]))
            return []
        return [told] if told is not None else []

    def acknowledge(self, request: Request) -> tuple[str, str]:
        """Ends the spinner of a pressed button. It was read before; a body that can't be has none."""
        try:
            press = Update.model_validate_json(request.body).callback_query
        except ValidationError:
            press = None
        if press is None:
            return self.acknowledgement()
        answer = {"method": "answerCallbackQuery", "callback_query_id": press.id}
        return json.dumps(answer), "application/json"

    def send(self, target: Target, part: Part) -> str:
        method, content = _content(part)
        try:
            sent = self._api.call(method, chat_id=target.address, **content)
        except TelegramError as error:
            raise self._meaning(error, target.address) from None
        number = sent.get("message_id") if isinstance(sent, dict) else None
        return f"{self._bot_id}:{target.address}:{number}"

    def link(self, token: str, language: str = DEFAULT_LANGUAGE) -> str | None:
        if not self._username:
            if time.monotonic() < self._ask_name_from:
                return None
            try:
                self._username = str(self._api.call("getMe")["username"])
            except (TelegramError, TryAgainError, InDoubtError) as error:
                self._ask_name_from = time.monotonic() + NAME_AGAIN_SECONDS
                log.warning("Telegram did not say the bot's name, so no link leads there: %s", error)
                return None
        return f"https://t.me/{self._username}?start={token}"

    def _meaning(self, error: TelegramError, address: str) -> Exception:
        said = str(error).lower()
        if error.status in {401, 404}:
            log.error("%s", WRONG_TOKEN)
            return TryAgainError(WRONG_TOKEN, channel=True)
        if error.status == 429:
            return self._too_fast(error, address)
        if error.status >= 500:
            return TryAgainError(str(error), channel=True)
        if error.status == 403 and PASSING in said:
            return TryAgainError(str(error), after=60)
        gone = error.status == 403 or any(words in said for words in GONE)
        return RefusedError(str(error), gone=gone)

    def _too_fast(self, error: TelegramError, address: str) -> TryAgainError:
        """There is a limit for each chat and one for all, and nothing says which it was.

        A second chat that has to wait while the first still does: it is the one for all.
        """
        slowed, until = self._slowed
        everyone = address != slowed and time.monotonic() < until
        self._slowed = (address, time.monotonic() + (error.after or 1.0))
        return TryAgainError("too many messages", after=error.after, channel=everyone)


def _content(part: Part) -> tuple[str, dict[str, Any]]:
    """The method that sends a part, and what it is given. Raises RefusedError."""
    if part.image is not None:
        if not part.image.startswith(("https://", "http://")):
            raise RefusedError("the picture has no address that Telegram could fetch it from")
        return "sendPhoto", {"photo": part.image}
    content: dict[str, Any] = {"text": part.text, "link_preview_options": {"is_disabled": True}}
    if part.buttons:
        content["reply_markup"] = {"inline_keyboard": _rows(part.buttons)}
    return "sendMessage", content


def _rows(buttons: Sequence[Button]) -> list[list[dict[str, str]]]:
    made = [{"text": button.title, "callback_data": button.id} for button in buttons]
    together = sum(len(button.title) for button in buttons) <= ROW and len(buttons) <= 3
    return [made] if together else [[one] for one in made]


def make(settings: Settings) -> TelegramChannel | None:
    """The channel, if it is switched on. Raises ConfigurationError."""
    token, secret = (
        value.get_secret_value() if value else ""
        for value in (settings.telegram_token, settings.telegram_secret)
    )
    if not token and not secret:
        return None
    if not token or not secret:
        missing = "RAPPORT_TELEGRAM_SECRET" if token else "RAPPORT_TELEGRAM_TOKEN"
        raise ConfigurationError(f"{missing} is not set: run `rapport channel add telegram`, which makes it.")
    if not TOKEN.fullmatch(token):
        raise ConfigurationError(
            "RAPPORT_TELEGRAM_TOKEN is no token of a bot (123456789:AA…): copy it again from @BotFather."
        )
    if not SECRET.fullmatch(secret):
        raise ConfigurationError(
            "RAPPORT_TELEGRAM_SECRET needs 32 to 256 of A–Z, a–z, 0–9, _ and -: empty it and run"
            " `rapport channel add telegram`, which makes one."
        )
    username = settings.telegram_bot.removeprefix("@")
    if username and not USERNAME.fullmatch(username):
        raise ConfigurationError(
            "RAPPORT_TELEGRAM_BOT is no user name of a bot: leave it empty to have it asked."
        )
    return TelegramChannel(token, secret, TelegramApi(token, settings.telegram_url), username)
