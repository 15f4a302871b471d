"""What stand-ins for Meta's Graph API share: tokens, errors as Meta words them, failures on demand, and
signed webhooks.

It deduplicates nothing: neither does Meta.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import requests

from tests.channels.harness import Provider, Sent

APP_ID, APP_NAME = "670843887433847", "Fjordly"
APP_SECRET = "0123456789abcdef0123456789abcdef"
VERIFY_TOKEN = "words-of-the-shop"
TOKEN = "EAAJB0test0token"
Body = dict[str, Any]


class Refusal(Exception):
    """An answer other than 200, with Meta's error body."""

    def __init__(
        self, status: int, code: int, message: str, subcode: int | None = None, details: str = "", **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers: dict[str, str] = more.pop("headers", {})
        error: Body = {"message": message, "type": "OAuthException", "code": code}
        if subcode is not None:
            error["error_subcode"] = subcode
        if details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": details}
        self.body = {"error": {**error, **more, "fbtrace_id": "A" + uuid4().hex[:22]}}


@dataclass
class Call:
    """A call as it came, refused or not."""

    method: str
    path: str
    query: dict[str, str]
    body: Body
    token: str


class FakeGraph(Provider):
    """`calls` are all calls; `accepted` the messages that were taken, as (person, what)."""

    # What the modes of `fail` are here; others are added by name in tests.
    refusals: ClassVar[dict[str, Refusal]] = {}
    # Called `object` in subscriptions and webhooks.
    object: ClassVar[str]
    own_id: ClassVar[str]

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.accepted: list[tuple[str, Sent]] = []
        self.writers: set[str] = set()
        self.failures: deque[str | Refusal] = deque()
        self.token = TOKEN
        self.scopes: list[str] = []
        self.subscriptions: list[Body] = []
        self.subscribed_apps: list[Body] = []
        self.hold = 0.0
        self.expires_at = 0
        self.names_accounts = True
        # Where addresses on the internet really lead: https://shop.example → http://127.0.0.1:…
        self.routes: dict[str, str] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.graph_url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def settings(self) -> dict[str, Any]:
        from pydantic import SecretStr

        return {
            "meta_url": self.graph_url,
            "meta_app_secret": SecretStr(APP_SECRET),
            "meta_verify_token": SecretStr(VERIFY_TOKEN),
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(self, *modes: str | Refusal) -> None:
        self.failures.extend(modes)

    def sent(self, person: str) -> list[Sent]:
        with self._lock:
            return [what for whom, what in self.accepted if whom == person]

    # --- webhooks ------------------------------------------------------------------------------------------

    def signed(self, *entries: Body, secret: str = APP_SECRET) -> tuple[bytes, dict[str, str]]:
        """(body, headers) of a webhook, as Meta writes it."""
        body = json.dumps({"object": self.object, "entry": list(entries)}).replace("/", "\\/").encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        return body, headers

    def post(self, *entries: Body, secret: str = APP_SECRET) -> int:
        """Entries in one webhook; the status it was answered with."""
        body, headers = self.signed(*entries, secret=secret)
        answer = requests.post(f"{self.url}/channels/{self.name}", data=body, headers=headers, timeout=10)
        return answer.status_code

    # --- the API -------------------------------------------------------------------------------------------

    def send_message(self, body: Body) -> Body:
        """POST /{own id}/messages. Raises Refusal."""
        raise NotImplementedError

    def answer(self, call: Call) -> Any:
        """Any other call. Raises Refusal."""
        raise unknown(call.path.split("/")[0])

    def accept(self, person: str, what: Sent) -> int:
        with self._lock:
            self.accepted.append((person, what))
            return len(self.accepted)

    def _route(self, call: Call) -> Any:
        app_token = f"{APP_ID}|{APP_SECRET}"
        if call.token not in (self.token, app_token):
            if call.token.startswith(f"{APP_ID}|"):
                raise Refusal(400, 1, "Error validating client secret.")
            raise Refusal(401, 190, "Error validating access token: Session has expired.", 463)
        if (call.method, call.path) == ("POST", f"{self.own_id}/messages"):
            mode = self._next_failure()
            answer = self.send_message(call.body)
            if mode == "drop":
                raise ConnectionAbortedError
            return answer
        if call.path == "app":
            return {"id": APP_ID, "name": APP_NAME, "link": "https://www.facebook.com/games/?app_id=1"}
        if call.path == "debug_token":
            return self._debug(call.query.get("input_token", ""))
        if call.path == f"{APP_ID}/subscriptions":
            if call.token != app_token:
                raise Refusal(400, 15, "(#15) This method must be called with an app access_token.")
            return self._subscribe(call.body) if call.method == "POST" else {"data": self.subscriptions}
        return self.answer(call)

    def _next_failure(self) -> str:
        with self._lock:
            mode = self.failures.popleft() if self.failures else ""
        if isinstance(mode, Refusal):
            raise mode
        if mode == "hold":
            time.sleep(self.hold)
        if mode in self.refusals:
            raise self.refusals[mode]
        return mode

    def _debug(self, token: str) -> Body:
        if token != self.token:
            return {"data": {"is_valid": False, "error": {"code": 190, "message": "Invalid token"}}}
        targets = {"target_ids": self.targets()} if self.names_accounts else {}
        granular = [{"scope": scope, **targets} for scope in self.scopes]
        data = {"app_id": APP_ID, "is_valid": True, "expires_at": self.expires_at, "scopes": self.scopes}
        return {"data": {**data, "granular_scopes": granular}}

    def targets(self) -> list[str]:
        return [self.own_id]

    def _subscribe(self, body: Body) -> Body:
        """Meta asks the address before it believes that it is ours."""
        asked = {
            "hub.mode": "subscribe",
            "hub.challenge": "1158201444",
            "hub.verify_token": body["verify_token"],
        }
        address = body["callback_url"]
        for public, real in self.routes.items():
            address = address.replace(public, real)
        try:
            answer = requests.get(address, params=asked, timeout=5)
        except requests.RequestException as problem:
            raise Refusal(
                400,
                2200,
                "(#2200) Callback verification failed with the following errors:"
                f" curl_errno = 7; {type(problem).__name__}",
            ) from None
        if answer.status_code != 200 or answer.text != "1158201444":
            raise Refusal(
                400,
                2200,
                "(#2200) Callback verification failed with the following errors: HTTP Status Code ="
                f" {answer.status_code}; HTTP Message = {answer.reason}",
            )
        fields = [{"name": name, "version": "v25.0"} for name in body["fields"].split(",")]
        others = [one for one in self.subscriptions if one["object"] != body["object"]]
        mine = {
            "object": body["object"],
            "callback_url": body["callback_url"],
            "active": True,
            "fields": fields,
        }
        self.subscriptions = [*others, mine]
        return {"success": True}

    def _handler(fake) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:  # the app was killed meanwhile
                    self.close_connection = True

            def do_GET(self) -> None:
                self._serve("GET")

            def do_POST(self) -> None:
                self._serve("POST")

            def _serve(self, method: str) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                split = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(split.query).items()}
                try:
                    version, _, path = split.path.lstrip("/").partition("/")
                    if not re.fullmatch(r"v\d+\.\d", version):
                        raise Refusal(400, 2500, "Unknown path components: " + split.path)
                    token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                    call = Call(method, path, query, _parse(raw, self.headers), token)
                    with fake._lock:
                        fake.calls.append(call)
                    self._send(200, fake._route(call), {})
                except Refusal as refusal:
                    self._send(refusal.status, refusal.body, refusal.headers)
                except ConnectionAbortedError:
                    self.close_connection = True

            def _send(self, status: int, content: Any, headers: dict[str, str]) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=UTF-8")
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _parse(raw: bytes, headers: Any) -> Body:
    if not raw:
        return {}
    if not headers.get("Content-Type", "").startswith("application/json"):
        return {key: values[0] for key, values in parse_qs(raw.decode()).items()}
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refusal(400, 100, "(#100) The request's JSON cannot be parsed.") from None
    return body if isinstance(body, dict) else {}


def unknown(name: str) -> Refusal:
    """There is no such object, or it is not this token's."""
    return Refusal(
        400,
        100,
        f"Unsupported post request. Object with ID '{name}' does not exist, cannot be loaded due to missing"
        " permissions, or does not support this operation.",
        33,
        type="GraphMethodException",
    )


def length(what: Any, name: str, most: int) -> str:
    """`what`, if it is a text of 1 to `most` characters. Raises Refusal."""
    if not isinstance(what, str) or not what.strip():
        raise Refusal(400, 100, f"(#100) The parameter {name} is required.")
    if len(what) > most:
        raise Refusal(400, 100, f"(#100) Param {name} must be at most {most} characters long.")
    return what


def only(value: Any, name: str, *keys: str) -> Body:
    """`value`, if it is an object with no other keys than these. Raises Refusal."""
    if not isinstance(value, dict):
        raise Refusal(400, 100, f"(#100) Param {name} must be a JSON object.")
    for key in value:
        if key not in keys:
            raise Refusal(400, 100, f'(#100) Unexpected key "{key}" on param "{name}".')
    return value
