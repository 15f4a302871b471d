"""How Rasa calls the action server: kept-alive connections, a sane timeout, and one clear error for "not
there".
"""

import asyncio
import json
from typing import Any

import aiohttp
from rasa.utils.endpoints import ClientResponseError, EndpointConfig

TIMEOUT_SECONDS = 30.0
# Shorter than uvicorn's own 5 s, so that we never write into a connection the server is just closing.
KEEP_ALIVE_SECONDS = 3.0


class ActionsUnreachable(BaseException):
    """Nobody answered an action call, or somebody who is not our action server did.

    A BaseException on purpose: Rasa's `MessageProcessor._run_action` swallows every `Exception` and goes on
    as if the action had returned nothing, which would save a turn that answers nothing. This must end the
    turn before anything is saved. It never leaves `bot.turn`.
    """


class ActionEndpoint(EndpointConfig):
    """Rasa's endpoint for actions. Call `close` when the server stops."""

    _session: aiohttp.ClientSession | None = None

    @classmethod
    def of(cls, config: EndpointConfig) -> "ActionEndpoint":
        """The same endpoint as read from endpoints.yml, as one of ours."""
        return cls(config.url, config.params, config.headers, config.basic_auth, **config.kwargs)

    async def request(
        self,
        method: str = "post",
        subpath: str | None = None,
        content_type: str | None = "application/json",
        compress: bool = False,
        **kwargs: Any,
    ) -> Any | None:
        """Posts an action call and returns the decoded answer.

        Raises `ActionsUnreachable` when the action server cannot be reached, and Rasa's
        `ClientResponseError` when the action itself failed: 400 means rejected, anything else crashed or
        unknown. Our action server says so by naming the action.
        """
        try:
            async with self._kept_session().request(
                method, self.url, compress=compress, json=kwargs["json"]
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise ActionsUnreachable(type(error).__name__) from error
        answer = _decode(body)
        if response.status == 200 and isinstance(answer, dict):
            return answer
        if isinstance(answer, dict) and "action_name" in answer and response.status not in (401, 403):
            raise ClientResponseError(response.status, response.reason or "", body.decode("utf-8"))
        raise ActionsUnreachable(f"HTTP {response.status}")

    def _kept_session(self) -> aiohttp.ClientSession:
        # Made at the first call, because it belongs to the running event loop.
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                headers=self.headers,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
                connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=KEEP_ALIVE_SECONDS),
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _decode(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
