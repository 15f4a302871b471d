"""What WhatsApp and Messenger share: Meta's signatures, its handshake, and its Graph API.

Requests go out by `requests`, not by pywa: pywa writes the API's address into its code, leaves a connection
that broke half-way undistinguished from one that never was, knows no Messenger, and its reading of what
comes in leaves out people without a `user_id`. The tests let it read and write beside us instead.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import requests
from pydantic import SecretStr
from requests.auth import AuthBase

from rapport.channels import calls, meta_errors
from rapport.channels.base import InDoubtError, MessagingChannel, Request
from rapport.kit import tokens
from rapport.kit.errors import ConfigurationError, InvalidInputError, UnauthorizedError

log = logging.getLogger(__name__)

VERSION = "v25.0"
SIGNATURE = "x-hub-signature-256"
LONGEST_ID = 200


class GraphError(Exception):
    """The Graph API said no. Its text is Meta's and may quote what was sent: not for logs."""

    def __init__(self, status: int, error: Mapping[str, Any], after: float | None = None) -> None:
        super().__init__(text(error, "message") or f"HTTP {status}")
        self.status = status
        self.code = number(error, "code")
        self.subcode = number(error, "error_subcode")
        self.transient = error.get("is_transient") is True
        self.after = after

    @property
    def label(self) -> str:
        """Its codes."""
        if self.code is None:
            return f"HTTP {self.status}"
        return f"{self.code}" if self.subcode is None else f"{self.code}/{self.subcode}"


class _Bearer(AuthBase):
    """Our token, which also keeps `requests` from putting something of ~/.netrc in its place."""

    def __init__(self, token: str) -> None:
        self._value = f"Bearer {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


class Graph:
    """Meta's Graph API as one token's owner."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url.rstrip('/')}/{VERSION}/"
        self._session = requests.Session()
        self._session.auth = _Bearer(token)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Raises GraphError, TryAgainError or InDoubtError."""
        return self._call("GET", path, params=query)

    def post(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Raises GraphError (it was not done), TryAgainError (nor was it asked for) or InDoubtError."""
        return self._call("POST", path, json=content)

    def _call(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        response = calls.call(self._session, method, self._url + path, **what)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        failed = record(answer, "error")
        if failed or response.status_code >= 300:
            raise GraphError(response.status_code, failed, _wait(response))
        if not isinstance(answer, dict):
            raise InDoubtError  # it was taken, but who knows as what
        return answer


def _wait(response: requests.Response) -> float | None:
    """How many seconds Meta asks us to wait."""
    said = calls.retry_after(response)
    if said is not None:
        return said
    try:
        usage = json.loads(response.headers.get("X-Business-Use-Case-Usage", "{}"))
        minutes = [use["estimated_time_to_regain_access"] for uses in usage.values() for use in uses]
        return max(minutes) * 60.0 if minutes and max(minutes) > 0 else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


class MetaChannel(MessagingChannel):
    """What both apps do alike. `own_id` is the number's or the page's id: what is for others is not ours."""

    meanings: ClassVar[meta_errors.Table]
    # Up to 3 MB come in one request, and are sent again for days if they are refused.
    max_body: ClassVar[int] = 4 * 1024 * 1024

    def __init__(self, app_secret: str, verify_token: str, token: str, own_id: str, url: str) -> None:
        self._app_secret = app_secret.encode()
        self._verify_token = verify_token
        self._own_id = own_id
        self._graph = Graph(url, token)
        self._troubles: set[str] = set()

    def check(self, request: Request) -> None:
        check(self._app_secret, request)

    def handshake(self, request: Request) -> str | None:
        return handshake(self._verify_token, request)

    def _post(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message; raises RefusedError, TryAgainError or InDoubtError."""
        try:
            answer = self._graph.post(f"{self._own_id}/messages", content)
        except GraphError as error:
            raise self._explained(error) from None
        self._troubles.clear()
        return answer

    def _explained(self, error: GraphError) -> Exception:
        table = self.meanings
        found = meta_errors.meaning(table, error.code, error.subcode, error.status, error.transient)
        if error.code == 100 and self._own_id in str(error):
            # "Object with ID '…' does not exist, or cannot be loaded due to missing permissions".
            found = meta_errors.ours("the id in our settings is wrong, or not for this token")
        if found.ours and error.label not in self._troubles:
            self._troubles.add(error.label)
            log.error(
                "%s: %s (%s). Nothing goes out until that is mended; see `rapport channel check`.",
                self.name,
                found.reason,
                error.label,
            )
        return found.exception(error.label, error.after)


def check(app_secret: bytes, request: Request) -> None:
    """Raises UnauthorizedError unless Meta signed this request."""
    signature = request.headers.get(SIGNATURE, "")
    if not tokens.same(signature, f"sha256={sign(app_secret, request.body)}"):
        raise UnauthorizedError("The signature is not Meta's.")


def handshake(verify_token: str, request: Request) -> str | None:
    """The answer to Meta's question whether this address is ours; None if it did not ask.

    Raises UnauthorizedError.
    """
    if request.query.get("hub.mode") != "subscribe":
        return None
    if not tokens.same(request.query.get("hub.verify_token", ""), verify_token):
        raise UnauthorizedError("The verify token is another than RAPPORT_META_VERIFY_TOKEN.")
    return request.query.get("hub.challenge", "")


def sign(app_secret: bytes, body: bytes) -> str:
    """Meta's signature over a body."""
    return hmac.new(app_secret, body, hashlib.sha256).hexdigest()


def complete(
    name: str, *needed: tuple[str, SecretStr | str | None], where: str | None = None
) -> list[str] | None:
    """The values of a channel's settings: its own first, then what both apps share. `where`: where to find
    what is missing.

    None when none of its own (those not named META) is set. Raises ConfigurationError when only some are.
    """
    values = [
        (key, value.get_secret_value() if isinstance(value, SecretStr) else value) for key, value in needed
    ]
    if not any(value for key, value in values if not key.startswith("RAPPORT_META_")):
        return None
    if missing := [key for key, value in values if not value]:
        raise ConfigurationError(
            f"{name} cannot be switched on without {', '.join(missing)}."
            f" {where or f'`rapport channel add {name.lower()}` says where to find what (docs/channels.md).'}"
        )
    return [value or "" for _, value in values]


# --- reading what comes in: Meta adds fields and kinds all the time, and sends again what we refuse ---------


def parse(request: Request) -> dict[str, Any]:
    """The body. Raises InvalidInputError."""
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidInputError("The body is no JSON object.")
    return body


def record(value: Any, key: str) -> dict[str, Any]:
    """What is under `key`, if it is an object; else an empty one."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def records(value: Any, key: str) -> list[dict[str, Any]]:
    """The objects in the list under `key`."""
    found = value.get(key) if isinstance(value, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(value: Any, key: str) -> str:
    """The text (or number) under `key`, "" for none; without what a database does not take."""
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    return _storable(str(found))


def texts(value: Any, key: str) -> list[str]:
    """The texts in the list under `key`."""
    found = value.get(key) if isinstance(value, dict) else None
    return [_storable(item) for item in found if isinstance(item, str)] if isinstance(found, list) else []


def _storable(words: str) -> str:
    return words.replace("\0", "").encode("utf-8", "replace").decode()


def number(value: Any, key: str) -> int | None:
    """The whole number under `key`."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def message_id(*parts: str) -> str:
    """An id of these parts, no longer than we can store."""
    joined = ":".join(part for part in parts if part)
    return joined if len(joined) <= LONGEST_ID else hashlib.sha256(joined.encode()).hexdigest()
