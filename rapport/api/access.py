"""Who may ask what, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.api import answers, rules, service
from rapport.api.service import Caller
from rapport.kit import addresses, clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ForbiddenError, UnauthorizedError
from rapport.kit.rates import Rate
from rapport.kit.settings import Settings

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="A key from `rapport api-key create`. It belongs on a server, never into a page.",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Names this request, such as a UUID. The same request with the same key gets the same"
        " answer for seven days and changes nothing; another request with it is refused.",
        examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
    ),
]
# What may be wrong with a write, and with a question.
WRITE_ERRORS = (400, 401, 403, 404, 409, 413, 422, 429, 503)
READ_ERRORS = (401, 403, 404, 409, 413, 422, 429, 503)

Result = TypeVar("Result")


class Access:
    """Lets callers with a key in, as far as its scopes go."""

    def __init__(self, settings: Settings, database: Engine) -> None:
        self._secret = settings.secret_key.get_secret_value()
        self._proxies = addresses.parse_proxies(settings.trusted_proxies)
        self._limited = settings.rate_limits
        self.database = database
        self._per_key = Rate(rules.REQUESTS_PER_MINUTE, 60)
        self._wrong_per_address = Rate(rules.WRONG_KEYS_PER_MINUTE, 60)

    def caller(
        self, request: Request, credentials: HTTPAuthorizationCredentials | None, scope: str
    ) -> Caller:
        """Who asks. Raises UnauthorizedError, TooManyRequestsError, ForbiddenError."""
        caller = self._caller(request, credentials)
        if self._limited:
            self._per_key.check(str(caller.key_id))
        if scope not in caller.scopes:
            raise ForbiddenError(f"This key lacks the scope {scope}.")
        return caller

    def _caller(self, request: Request, credentials: HTTPAuthorizationCredentials | None) -> Caller:
        try:
            presented = credentials.credentials if credentials else ""
            with read_scope(self.database) as session:
                caller = service.caller(session, self._secret, presented)
        except UnauthorizedError:
            # Only wrong keys count here: a shop's programs share one address with its office.
            if self._limited:
                self._wrong_per_address.check(
                    addresses.rate_key(addresses.client_address(request, self._proxies))
                )
            raise
        self._note_use(caller)
        return caller

    def _note_use(self, caller: Caller) -> None:
        last = caller.last_used_at
        if last is None or clock.now() - last >= rules.LAST_USED_EXACT_TO:
            with session_scope(self.database) as session:
                service.note_use(session, caller)


@dataclass(frozen=True)
class Reader:
    """A caller who may ask."""

    database: Engine
    caller: Caller

    def read(self, work: Callable[[Session], Result]) -> Result:
        """What `work` finds."""
        with read_scope(self.database) as session:
            return work(session)


@dataclass(frozen=True)
class Writer:
    """A caller who may change something, once per key."""

    database: Engine
    caller: Caller
    key: str
    operation: str

    def source(self, said: str | None) -> str:
        """The system the caller speaks for. Raises ForbiddenError when it says another."""
        if said not in {None, self.caller.source}:
            raise ForbiddenError(f"source: this key speaks for {self.caller.source} only.")
        return self.caller.source

    def once(self, body: BaseModel, work: answers.Work) -> Response:
        """What `work` answers, or answered to the same request before."""
        return answers.once(
            self.database, self.caller, self.key, self.operation, body.model_dump_json(), work
        )


def reads(scope: str) -> Callable[..., Reader]:
    """A dependency: a caller with this scope."""

    def check(request: Request, credentials: Credentials) -> Reader:
        access: Access = request.app.state.access
        return Reader(access.database, access.caller(request, credentials, scope))

    return check


def writes(scope: str) -> Callable[..., Writer]:
    """A dependency: a caller with this scope, and the key of the write."""
    # Whose key it is comes first: without one, nobody is told what else is missing.
    read = reads(scope)

    def check(request: Request, reader: Annotated[Reader, Depends(read)], key: IdempotencyKey) -> Writer:
        return Writer(reader.database, reader.caller, key, request.url.path)

    check.__annotations__["reader"] = Annotated[Reader, Depends(read)]
    return check
