"""Answering a write once: the same Idempotency-Key with the same request gets the same answer.

As the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header-07) has
it: 400 without a key, 422 when the key stands for another request. Its 409, for a request that is still under
way, is not needed: the second one waits, a moment at most, and gets the first one's answer.

The key, what the request does and the answer are one transaction. What was refused for good reason (not
found, a conflict, a value that cannot be) is an answer like any other; what failed on our side is not kept,
and may be tried again with the same key.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.responses import Response

from rapport.api import repository, rules
from rapport.api.service import Caller
from rapport.kit import clock, problems
from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError, RapportError

REPLAYED = "Idempotency-Replayed"
JSON = "application/json"
LASTING = (NotFoundError, ConflictError, InvalidInputError)
Work = Callable[[Session, str], BaseModel]


def once(database: Engine, caller: Caller, key: str, operation: str, body: str, work: Work) -> Response:
    """What `work` answers, or answered before to the same request.

    `work` gets the session and the key under which services note what it does.
    """
    fingerprint = rules.fingerprint(operation, body)
    with session_scope(database) as session:
        stored, first = repository.claim_answer(session, caller.key_id, key, fingerprint, clock.now())
        if stored.fingerprint != fingerprint:
            return problems.problem("idempotency-key-reused", "Use a new key for a new request.")
        if first:
            stored.status, stored.body = _do(session, rules.write_key(caller.key_id, key), work)
            session.flush()
        assert stored.status is not None and stored.body is not None
        media_type = JSON if stored.status < 400 else problems.MEDIA_TYPE
        headers = {} if first else {REPLAYED: "true"}
        return Response(stored.body, stored.status, headers, media_type)


def _do(session: Session, key: str, work: Work) -> tuple[int, str]:
    try:
        with session.begin_nested():
            answer = work(session, key)
            session.flush()
    except LASTING as error:
        response = of_error(error)
        return response.status_code, bytes(response.body).decode()
    return 200, answer.model_dump_json()


def of_error(error: RapportError) -> Response:
    """The problem an error is; one with a `reason` says it in a member of its own."""
    reason = getattr(error, "reason", None)
    if isinstance(error, ConflictError) and reason is not None:
        return problems.problem("conflict", str(error), more={"reason": str(reason)})
    return problems.of_error(error)
