"""A stand-in for a Mastodon server: the part of its API that we use, with its headers and its errors.

https://docs.joinmastodon.org/methods/ and /api/rate-limits/. As the real one it answers newest first, gives
the page just after `min_id`, and takes a status with a known Idempotency-Key once only.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "mastodon-test-token"
SHOP = {"id": "1", "acct": "fjordly", "username": "fjordly"}
Body = dict[str, Any]


class FakeMastodon:
    """`calls` are (method, path); `posted` what was written as the shop. `failures`: statuses to answer with
    next, "drop" to take a call and never answer, or "hold" to take it and wait for `go_on` (`held` says so).
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.statuses: dict[str, Body] = {}
        self.notified: list[tuple[str, str]] = []  # (its own id, the status's)
        self.posted: list[Body] = []
        self.failures: deque[int | str] = deque()
        self.remaining = 300
        self.reset_in = timedelta(minutes=5)
        self.held, self.go_on = threading.Event(), threading.Event()
        self._by_key: dict[str, Body] = {}
        self._next = 1000
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    # --- what people do ------------------------------------------------------------------------------------

    def toot(
        self,
        text: str,
        acct: str = "ann@social.example",
        *,
        to_us: bool = True,
        tags: tuple[str, ...] = (),
        visibility: str = "public",
        html: str | None = None,
        at: datetime | None = None,
        **more: Any,
    ) -> str:
        """Somebody writes; the status's id."""
        content = html if html is not None else f"<p>{escape(text)}</p>"
        status_id = self._id()
        self.statuses[status_id] = {
            "id": status_id,
            "created_at": _iso(at or datetime.now(UTC)),
            "edited_at": None,
            "in_reply_to_id": None,
            "sensitive": False,
            "spoiler_text": "",
            "visibility": visibility,
            "language": "en",
            "uri": f"https://social.example/users/x/statuses/{status_id}",
            "url": f"https://social.example/@x/{status_id}",
            "content": content,
            "account": {"id": str(sum(acct.encode())), "acct": acct, "username": acct.split("@")[0]},
            "tags": [{"name": tag, "url": f"https://social.example/tags/{tag}"} for tag in tags],
            "mentions": [SHOP] if to_us else [],
            "reblog": None,
            **more,
        }
        if to_us:
            self.notified.append((self._id(), status_id))
        return status_id

    def edit(self, status_id: str, text: str, at: datetime) -> None:
        self.statuses[status_id] |= {"content": f"<p>{escape(text)}</p>", "edited_at": _iso(at)}

    def delete(self, status_id: str) -> None:
        del self.statuses[status_id]
        self.notified = [one for one in self.notified if one[1] != status_id]

    def _id(self) -> str:
        self._next += 1
        return f"1140000000000{self._next:05}"

    # --- the API -------------------------------------------------------------------------------------------

    def _answer(self, method: str, path: str, query: dict[str, list[str]], key: str) -> tuple[int, Any]:
        if method == "POST" and path == "/api/v1/statuses":
            return self._post(query, key)
        if path == "/api/v1/accounts/verify_credentials":
            return 200, SHOP
        if path == "/api/v1/notifications":
            assert query["types[]"] == ["mention"]
            rows = [
                {
                    "id": n,
                    "type": "mention",
                    "created_at": s["created_at"],
                    "account": s["account"],
                    "status": s,
                }
                for n, status_id in self.notified
                for s in [self.statuses[status_id]]
            ]
            return 200, _paged(rows, query)
        if path.startswith("/api/v1/timelines/tag/"):
            tag = path.rsplit("/", 1)[1]
            rows = [s for s in self.statuses.values() if tag in {one["name"] for one in s["tags"]}]
            return 200, _paged(rows, query)
        if path == "/api/v2/search":
            assert query["type"] == ["statuses"]
            rows = [s for s in self.statuses.values() if query["q"][0].lower() in s["content"].lower()]
            return 200, {"accounts": [], "hashtags": [], "statuses": _paged(rows, query)}
        if path.startswith("/api/v1/statuses/") and path.rsplit("/", 1)[1] in self.statuses:
            return 200, self.statuses[path.rsplit("/", 1)[1]]
        return 404, {"error": "Record not found"}

    def _post(self, form: dict[str, list[str]], key: str) -> tuple[int, Any]:
        text, answered = form["status"][0], form.get("in_reply_to_id", [""])[0]
        if answered and answered not in self.statuses:
            return 404, {"error": "The post you are trying to reply to does not exist."}
        if len(text) > 500:
            return 422, {"error": "Validation failed: Text character limit of 500 exceeded"}
        if key in self._by_key:
            return 200, self._by_key[key]
        posted = {
            "id": self._id(),
            "created_at": _iso(datetime.now(UTC)),
            "content": text,
            "visibility": form.get("visibility", ["public"])[0],
            "in_reply_to_id": answered or None,
            "language": form.get("language", [None])[0],
            "account": SHOP,
        }
        self.posted.append(posted)
        self._by_key[key] = posted
        return 200, posted

    def _handler(fake) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self) -> None:
                split = urlsplit(self.path)
                self._serve("GET", split.path, parse_qs(split.query))

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self._serve("POST", urlsplit(self.path).path, parse_qs(raw.decode()))

            def _serve(self, method: str, path: str, query: dict[str, list[str]]) -> None:
                with fake._lock:
                    fake.calls.append((method, path))
                    failure = fake.failures.popleft() if fake.failures else None
                    if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                        status, content = 401, {"error": "The access token is invalid"}
                    elif isinstance(failure, int):
                        status, content = failure, {"error": "Throttled" if failure == 429 else "Sorry"}
                    else:
                        status, content = fake._answer(
                            method, path, query, self.headers.get("Idempotency-Key", "")
                        )
                    fake.remaining -= 1
                if failure == "hold":
                    fake.held.set()
                    fake.go_on.wait(20)
                if failure == "drop":
                    self.close_connection = True
                    return
                self._send(status, content, path)

            def _send(self, status: int, content: Any, path: str) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-RateLimit-Limit", "300")
                self.send_header("X-RateLimit-Remaining", str(max(fake.remaining, 0)))
                self.send_header("X-RateLimit-Reset", _iso(datetime.now(UTC) + fake.reset_in))
                if isinstance(content, list) and content:
                    newest, oldest = content[0]["id"], content[-1]["id"]
                    self.send_header(
                        "Link",
                        f'<{fake.url}{path}?max_id={oldest}>; rel="next",'
                        f' <{fake.url}{path}?min_id={newest}>; rel="prev"',
                    )
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _paged(rows: list[Body], query: dict[str, list[str]]) -> list[Body]:
    """Newest first; with `min_id` the page that comes right after it."""
    limit, after = int(query.get("limit", ["20"])[0]), query.get("min_id", [""])[0]
    rows = sorted(rows, key=lambda row: row["id"])
    if after:
        return [row for row in rows if row["id"] > after][:limit][::-1]
    return rows[-limit:][::-1]


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
