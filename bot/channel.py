"""The HTTP channel between the app and Rasa. The app is its only caller and shows that by a secret header."""

import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint, Sanic, response
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.actions_client import ActionsUnreachable
from bot.messages import InvalidTurn, read_conversation_id, read_told, read_turn
from bot.turn import CHANNEL, Turns

SECRET_HEADER = "X-Rapport-Secret"  # noqa: S105, a header's name
logger = logging.getLogger(__name__)


class RapportChannel(InputChannel):
    """`turns` comes later than the channel when Rasa loads the model after it opened its routes; until then
    all answers are 503.
    """

    def __init__(self, secret: str, turns: Turns | None = None) -> None:
        if not secret:
            raise ValueError(
                "RAPPORT_BOT_SECRET is empty: without it anybody on this machine could talk as any customer"
            )
        self._secret = secret.encode()
        self.turns = turns

    @classmethod
    def name(cls) -> str:
        return CHANNEL

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """GET /, POST /turn, POST /conversations/<id>/events, DELETE /conversations/<id>."""
        routes = Blueprint("rapport_channel")

        @routes.middleware("request")
        async def check_secret(request: Request) -> HTTPResponse | None:
            return self._check_secret(request)

        @routes.get("/")
        async def health(_request: Request) -> HTTPResponse:
            return self._health()

        @routes.post("/turn")
        async def turn(request: Request) -> HTTPResponse:
            return await self._turn(request)

        @routes.post("/conversations/<conversation_id:str>/events")
        async def tell(request: Request, conversation_id: str) -> HTTPResponse:
            return await self._tell(request, conversation_id)

        # Clients send "Content-Length: 0" here; Sanic complains of a body left unread unless it reads it.
        @routes.delete("/conversations/<conversation_id:str>", ignore_body=False)
        async def forget(_request: Request, conversation_id: str) -> HTTPResponse:
            return await self._forget(conversation_id)

        return routes

    def _check_secret(self, request: Request) -> HTTPResponse | None:
        given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        return None if hmac.compare_digest(given, self._secret) else problem(401, "unauthorized")

    def _health(self) -> HTTPResponse:
        if self.turns is None:
            return problem(503, "no_model")
        return response.json({"status": "ok", "model": self.turns.model})

    async def _turn(self, request: Request) -> HTTPResponse:
        if self.turns is None:
            return problem(503, "no_model")
        try:
            return response.json(await self.turns.take(read_turn(decode(request.body))))
        except InvalidTurn as error:
            return problem(422, "invalid_turn", str(error))
        except ActionsUnreachable as error:
            logger.warning("The action server cannot be reached (%s); the turn was not saved.", error)
            return problem(503, "actions_unreachable")
        except Exception:
            # Nothing was saved, so the app may send the message again. The trace goes to our log, never to
            # the caller.
            logger.exception("A turn failed")
            return problem(500, "turn_failed")

    async def _tell(self, request: Request, conversation_id: str) -> HTTPResponse:
        if self.turns is None:
            return problem(503, "no_model")
        try:
            messages = read_told(decode(request.body))
            return response.json(
                {"told": await self.turns.tell(read_conversation_id(conversation_id), messages)}
            )
        except InvalidTurn as error:
            return problem(422, "invalid_turn", str(error))
        except Exception:
            # As above: nothing was saved.
            logger.exception("What was said could not be noted")
            return problem(500, "tell_failed")

    async def _forget(self, conversation_id: str) -> HTTPResponse:
        if self.turns is None:
            return problem(503, "no_model")
        try:
            await self.turns.forget(read_conversation_id(conversation_id))
        except InvalidTurn as error:
            return problem(422, "invalid_turn", str(error))
        return response.empty()


def decode(body: bytes) -> Any:
    """The JSON value in a request body; raises `InvalidTurn`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidTurn("the body is not JSON") from None


def problem(status: int, error: str, detail: str | None = None) -> HTTPResponse:
    return response.json({"error": error, **({"detail": detail} if detail else {})}, status=status)


def make_app(channel: RapportChannel) -> Sanic:
    """A server with our routes only: none of Rasa's own, which would be one more door to guard."""
    app = Sanic("rapport_bot", configure_logging=False)
    app.config.REQUEST_MAX_SIZE = 256 * 1024
    app.config.ACCESS_LOG = False
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.blueprint(channel.blueprint(_unused), url_prefix=f"/webhooks/{channel.url_prefix()}")
    return app


async def _unused(_message: UserMessage) -> None:
    raise NotImplementedError("turns are taken by bot.turn")
