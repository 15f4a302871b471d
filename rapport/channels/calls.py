"""Calls to providers over HTTP: what was answered, what was never sent, and what nobody knows.

The addresses of some hold a token: nothing here puts one into an error or a log.
"""

from __future__ import annotations

from typing import Any

import requests
from requests.exceptions import ConnectionError as NoConnectionError
from requests.exceptions import ConnectTimeout, ProxyError, RequestException, SSLError
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from rapport.channels.base import InDoubtError, TryAgainError
from rapport.channels.rules import patience

# To connect, and between two bytes of an answer.
TIMEOUT = (3.0, 10.0)


def call(session: requests.Session, method: str, url: str, **content: Any) -> requests.Response:
    """The provider's answer, whatever it says.

    Raises TryAgainError when nothing was sent, and InDoubtError when it may have been.
    """
    try:
        return session.request(method, url, timeout=TIMEOUT, allow_redirects=False, **content)
    except RequestException as error:
        raise failure(error) from None


def failure(error: Exception) -> TryAgainError | InDoubtError:
    """What it means that a request came to nothing: it was never sent, or nobody knows."""
    if isinstance(error, ConnectTimeout | ProxyError | SSLError):
        return TryAgainError(f"cannot be reached ({type(error).__name__})", channel=True)
    if isinstance(error, NoConnectionError):
        if _never_connected(error):
            return TryAgainError("cannot be reached", channel=True)
        return InDoubtError("broke off")
    return InDoubtError(type(error).__name__)


def retry_after(response: requests.Response) -> float | None:
    """What the answer's Retry-After says, in seconds; a date is left to our own patience."""
    said = response.headers.get("Retry-After", "")
    return patience(float(said)) if said.isascii() and said.isdigit() else None


def _never_connected(error: NoConnectionError) -> bool:
    inner = error.args[0] if error.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))
