"""The client of Telegram's Bot API, as far as it is used here.

python-telegram-bot is not used to send. Each of its exceptions stands for several things that have to be told
apart here (a connection that was refused and one that broke off after the message was out are both a
NetworkError), its HTTP client writes addresses with the token in them into the log at INFO, and it needs an
event loop of its own where this is one thread that sends one message at a time.
"""

from __future__ import annotations

from typing import Any

import requests

from rapport.channels import calls
from rapport.channels.base import InDoubtError, TryAgainError

URL = "https://api.telegram.org"
LONGEST_REASON = 200


class TelegramError(Exception):
    """The Bot API said no. Its text is Telegram's own description."""

    def __init__(self, status: int, description: str, after: float | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.after = after


class TelegramApi:
    """One bot's methods."""

    def __init__(self, token: str, url: str = URL) -> None:
        self._base = f"{url.rstrip('/')}/bot{token}/"
        self._session = requests.Session()

    def call(self, method: str, **parameters: Any) -> Any:
        """The method's result. Raises TelegramError, TryAgainError (not sent) or InDoubtError."""
        response = calls.call(self._session, "POST", self._base + method, json=parameters)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            if response.status_code // 100 == 2:
                raise InDoubtError("an answer that makes no sense")
            # A gateway or a firewall on the way; what it says of a person is not Telegram's word.
            raise TryAgainError(f"status {response.status_code}, and not from the Bot API", channel=True)
        if answer.get("ok") is True:
            return answer.get("result")
        description = str(answer.get("description") or f"status {response.status_code}")[:LONGEST_REASON]
        raise TelegramError(response.status_code, description, _retry_after(answer, response))


def _retry_after(answer: dict[str, Any], response: requests.Response) -> float | None:
    parameters = answer.get("parameters")
    said = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return float(said) if isinstance(said, int | float) else calls.retry_after(response)
