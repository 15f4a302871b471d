"""A small, honest stand-in for the app: the web chat contract, and ways to make it misbehave."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from rapport.channels import site

WEB = site.WIDGET.parent


@dataclass
class Conversation:
    """One visitor's conversation, as the app would store it."""

    id: str
    token: str
    language: str
    status: str = "bot"
    identity_token: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)

    def add(self, author: str, text: str | None, **more: Any) -> dict[str, Any]:
        """Stores a message under the next number."""
        message = {
            "id": len(self.messages) + 1,
            "author": author,
            "text": text,
            "buttons": [],
            "card": None,
            "image": None,
            "language": self.language,
            "at": datetime.now(UTC).isoformat(),
            "client_id": None,
        } | more
        self.messages.append(message)
        return message


class FakeApi:
    """Serves the widget, a page that carries it, and the chat API from a thread of its own."""

    def __init__(self) -> None:
        self.conversations: dict[str, Conversation] = {}
        self.requests: list[str] = []
        self.failures: dict[str, list[tuple[int, dict[str, str]]]] = {}
        self.replies: dict[str, list[dict[str, Any]]] = {}
        self.streaming = True  # False: a proxy that never lets a stream's bytes through
        self.silent = False  # True: the bot says nothing by itself
        self.lose_answers = 0  # this many POSTs are stored, but their answer never arrives
        self.history_page = 500
        self.skipped: set[int] = set()  # ids the stream leaves out
        self.generation = 0  # raised to cut every open stream
        self.page = {"lang": "en", "attributes": ""}

    # What tests do to it

    def fail(self, path: str, *statuses: int, **headers: str) -> None:
        """Answers the next requests to messages, sessions, history or events with these statuses."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.failures.setdefault(path, []).extend((status, named) for status in statuses)

    def drop_streams(self) -> None:
        """Cuts every open event stream in the middle."""
        self.generation += 1

    @property
    def conversation(self) -> Conversation:
        """The newest conversation."""
        return list(self.conversations.values())[-1]

    # The API

    def _trouble(self, path: str, request: Request) -> Response | None:
        self.requests.append(f"{request.method} {path}")
        if self.failures.get(path):
            status, headers = self.failures[path].pop(0)
            return problem(status, headers)
        return None

    def _find(self, request: Request) -> Conversation | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self.conversations.get(token) if scheme == "Bearer" else None

    async def sessions(self, request: Request) -> Response:
        if trouble := self._trouble("sessions", request):
            return trouble
        body = await request.json()
        new = Conversation(uuid4().hex, uuid4().hex, body.get("language", "en"))
        new.identity_token = body.get("identity_token")
        self.conversations[new.token] = new
        return JSONResponse(
            {"conversation_id": new.id, "token": new.token, "language": new.language}, status_code=201
        )

    async def messages(self, request: Request) -> Response:
        path = "messages" if request.method == "POST" else "history"
        if trouble := self._trouble(path, request):
            return trouble
        conversation = self._find(request)
        if conversation is None:
            return problem(401)
        if request.method == "GET":
            after = int(request.query_params.get("after", 0))
            newer = [m for m in conversation.messages if m["id"] > after]
            return JSONResponse(
                {
                    "messages": newer[: self.history_page],
                    "status": conversation.status,
                    "language": conversation.language,
                    "more": len(newer) > self.history_page,
                }
            )
        return await self._take(conversation, await request.json())

    async def _take(self, conversation: Conversation, body: dict[str, Any]) -> Response:
        assert set(body) in ({"text", "client_id"}, {"button", "client_id"}), body
        text, client_id = str(body.get("text")), body["client_id"]
        if "button" in body:
            message_id, _, button_id = body["button"].partition(":")
            known = [m for m in conversation.messages if str(m["id"]) == message_id]
            titles = [b["title"] for m in known for b in m["buttons"] if b["id"] == button_id]
            if not titles:
                return problem(404)
            text = titles[0]
        if len(text) > 4000:
            return problem(422)
        if client_id not in conversation.answered:
            conversation.answered.add(client_id)
            conversation.add("customer", text, client_id=client_id)
            if not self.silent and conversation.status != "human":
                asyncio.get_running_loop().call_later(0.15, self._answer, conversation, text)
        if self.lose_answers:
            self.lose_answers -= 1
            return problem(504)
        return JSONResponse(
            {"id": len(conversation.messages), "status": conversation.status}, status_code=202
        )

    def _answer(self, conversation: Conversation, text: str) -> None:
        for reply in self.replies.get(text, [{"text": f"You said: {text}"}]):
            conversation.language = reply.get("language", conversation.language)
            conversation.status = reply.get("status", conversation.status)
            conversation.add("bot", **{k: v for k, v in reply.items() if k not in ("language", "status")})

    async def events(self, request: Request) -> Response:
        if trouble := self._trouble("events", request):
            return trouble
        conversation = self._find(request)
        if conversation is None:
            return problem(401)
        last = int(request.headers.get("last-event-id", 0))
        stream = self._stream(conversation, last) if self.streaming else self._nothing()
        return StreamingResponse(stream, media_type="text/event-stream")

    async def _nothing(self) -> AsyncIterator[str]:
        await asyncio.sleep(60)
        yield ""

    async def _stream(self, conversation: Conversation, last: int) -> AsyncIterator[str]:
        generation = self.generation
        state: dict[str, str] = {}
        typing = False
        yield ": keep-alive\r\n\r\n"
        while generation == self.generation:
            now = {"status": conversation.status, "language": conversation.language}
            if now != state:
                state = now
                yield f"event: status\ndata: {json.dumps(state)}\n\n"
            for message in conversation.messages[last:]:
                last = message["id"]
                if last in self.skipped:
                    continue
                lines = json.dumps(message, ensure_ascii=False, indent=1).replace("\n", "\ndata: ")
                event = f"event: message\r\nid: {last}\r\ndata: {lines}\r\n\r\n"
                middle = len(event) // 2
                yield event[:middle]  # in two pieces: a network knows nothing of events
                await asyncio.sleep(0.01)
                yield event[middle:]
            waiting = bool(conversation.messages) and conversation.messages[-1]["author"] == "customer"
            if waiting != typing:
                typing = waiting
                yield f"event: typing\ndata: {json.dumps({'on': typing})}\n\n"
            await asyncio.sleep(0.02)
        yield "event: message\ndata: {"  # cut in the middle of an event

    # Pages

    async def host_page(self, request: Request) -> Response:
        """A page with the widget. Asked for as localhost, its script comes from another origin, 127.0.0.1."""
        shop = f"http://127.0.0.1:{request.url.port}"
        foreign = request.url.hostname == "localhost"
        page = (
            f'<!doctype html><html lang="{self.page["lang"]}"><head><title>A shop</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<script src="{shop if foreign else ""}/widget.js" {self.page["attributes"]} defer></script>'
            '</head><body><main><h1>A shop</h1><p>Buy. <a href="#more">More</a></p></main></body></html>'
        )
        policy = site.PAGE_POLICY.replace("'self'", shop) if foreign else site.PAGE_POLICY
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": policy})

    async def widget(self, request: Request) -> Response:
        return FileResponse(WEB / request.url.path.lstrip("/"))

    async def products(self, request: Request) -> Response:
        self.requests.append("GET products")
        language = request.query_params["language"]
        categories = sorted({path.stem.split("-")[0] for path in (WEB / "demo" / "images").glob("*-2.svg")})
        names = [(f"{category.upper()}-{n}", category) for n in (1, 2) for category in categories]
        return JSONResponse(
            {
                "products": [
                    {
                        "sku": sku,
                        "name": f"{sku.capitalize()} ({language})",
                        "description": "Light, warm and made to last.",
                        "category": category,
                        "price": "1 249,00 kr",
                        "image": f"/demo/images/{category}.svg",
                    }
                    for sku, category in names
                ]
            }
        )

    def app(self) -> Starlette:
        app = Starlette(
            routes=[
                Route("/page", self.host_page),
                Route("/widget.js", self.widget),
                Route("/site.js", self.widget),
                Route("/api/chat/sessions", self.sessions, methods=["POST"]),
                Route("/api/chat/messages", self.messages, methods=["GET", "POST"]),
                Route("/api/chat/events", self.events),
                Route("/api/demo/products", self.products),
            ],
            middleware=[
                Middleware(
                    CORSMiddleware,
                    allow_origins=["*"],
                    allow_methods=["GET", "POST"],
                    allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
                    expose_headers=["Retry-After"],
                )
            ],
        )
        app.add_route("/", lambda _request: site.page(demo=True))
        app.mount("/demo", site.DemoFiles(directory=site.DEMO))
        return app


def problem(status: int, headers: dict[str, str] | None = None) -> Response:
    """A problem-details answer; its type is not what the widget looks at."""
    body = {"type": "/problems/test", "title": "Trouble", "status": status}
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")


class Server:
    """Runs a FakeApi on a free port of loopback."""

    def __init__(self, api: FakeApi) -> None:
        config = uvicorn.Config(api.app(), port=0, log_level="critical", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> int:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        port: int = self.server.servers[0].sockets[0].getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.server.force_exit = True
        self.thread.join(5)
