"""The action server: rasa-sdk's executor as one route of the app, so there is no second server to run and to
guard.

Rasa proves itself with a secret header. Errors have the SDK's shapes; Rasa takes 400 for a rejected action,
and anything else that names the action for a failed one.
"""

from __future__ import annotations

import json
import logging
import traceback
import zlib
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from rasa_sdk.executor import ActionExecutor
from rasa_sdk.interfaces import ActionExecutionRejection, ActionNotFoundException

from rapport.kit import tokens
from rapport.kit.settings import get_settings

log = logging.getLogger(__name__)
router = APIRouter()

# A call carries the conversation's tracker. Ours are kept short; this leaves room for 20 of the longest
# messages.
MAX_BODY_BYTES = 8 * 1024 * 1024


class BodyError(Exception):
    """The body cannot be taken; `status` is the answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def make_executor() -> ActionExecutor:
    """An executor with every action of the `actions` package."""
    executor = ActionExecutor()
    executor.register_package("actions")
    return executor


@router.post("/actions/webhook", include_in_schema=False)
async def webhook(request: Request) -> JSONResponse:
    """Run one action."""
    secret = get_settings().bot_secret.get_secret_value()
    if not tokens.same(request.headers.get("X-Rapport-Secret", ""), secret):
        return JSONResponse({"error": "X-Rapport-Secret is missing or wrong."}, status_code=401)
    try:
        call = _decode(await _read(request), request.headers.get("Content-Encoding", ""))
    except BodyError as error:
        return JSONResponse({"error": str(error)}, status_code=error.status)
    return await _run(call)


async def _run(call: dict[str, Any]) -> JSONResponse:
    name = call["next_action"]
    try:
        result = await executor.run(call)
    except ActionExecutionRejection as error:
        return _failure(400, name, error.message)
    except ActionNotFoundException as error:
        log.error("Rasa asked for an action that does not exist: %r", name)
        return _failure(404, name, error.message)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, Rasa must learn which action it was
        # The exception's own text may quote what the customer wrote.
        log.error(
            "%s failed: %s\n%s", name, type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
        )
        return _failure(500, name, "The action failed.")
    assert result is not None  # only without an action's name
    return JSONResponse({"events": result.events, "responses": result.responses})


def _failure(status: int, name: str, message: str) -> JSONResponse:
    return JSONResponse({"error": message, "action_name": name}, status_code=status)


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyError(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
    return bytes(body)


def _decode(body: bytes, encoding: str) -> dict[str, Any]:
    if encoding in {"gzip", "deflate"}:
        body = _inflate(body)
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):  # ValueError also when the bytes are no text
        raise BodyError(422, "The body is not JSON.") from None
    if not (
        isinstance(call, dict)
        and isinstance(call.get("next_action"), str)
        and call["next_action"]
        and isinstance(call.get("tracker"), dict)
        and isinstance(call["tracker"].get("sender_id"), str)
    ):
        raise BodyError(422, "next_action and tracker are needed.")
    # Rasa sends no domain (enable_selective_domain) and the executor insists on one; no action of ours reads
    # it.
    call["domain"] = {}
    return call


def _inflate(body: bytes) -> bytes:
    """Unpack zlib or gzip, whichever it is (+32), up to the limit."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        unpacked = unpacker.decompress(body, MAX_BODY_BYTES)
    except zlib.error:
        raise BodyError(422, "The body cannot be unpacked.") from None
    if unpacker.unconsumed_tail:
        raise BodyError(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
    return unpacked


executor = make_executor()
