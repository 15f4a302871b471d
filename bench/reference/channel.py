"""The app's channel contract on stock Rasa: what Rasa's own REST channel does, nothing of bot/."""

from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import CollectingOutputChannel, InputChannel, UserMessage
from sanic import Blueprint, Request, response
from sanic.response import HTTPResponse


class ReferenceInput(InputChannel):
    """Answers `POST /webhooks/rapport/turn` through Rasa's ordinary message handler."""

    @classmethod
    def name(cls) -> str:
        return "rapport"

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        routes = Blueprint("rapport_reference", "reference")

        @routes.route("/", methods=["GET"])
        async def health(request: Request) -> HTTPResponse:
            ready = request.app.ctx.agent is not None and request.app.ctx.agent.is_ready()
            return response.json({"status": "ok", "model": "reference"}, status=200 if ready else 503)

        @routes.route("/turn", methods=["POST"])
        async def turn(request: Request) -> HTTPResponse:
            body = request.json
            collector = CollectingOutputChannel()
            await on_new_message(
                UserMessage(
                    body.get("text") or body.get("payload"),
                    collector,
                    body["conversation_id"],
                    input_channel=self.name(),
                    metadata={**body["metadata"], "message_id": body["message_id"]},
                )
            )
            replies = [
                {
                    "text": message.get("text"),
                    "buttons": message.get("buttons", []),
                    "image": message.get("image"),
                    "custom": message.get("custom"),
                    "response": None,
                }
                for message in collector.messages
            ]
            understood = {"intent": None, "confidence": 0.0, "entities": [], "ranking": []}
            return response.json(
                {"replies": replies, "understood": understood, "actions": [], "repeated": False}
            )

        return routes
