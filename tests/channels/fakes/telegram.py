"""A stand-in for Telegram's Bot API: its paths, checks and errors, and its way of calling a webhook.

Descriptions of errors are those of Telegram's own server. It deduplicates nothing that is sent, as Telegram
doesn't.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from tests.channels.harness import Provider, Sent, all_but

TOKEN = "7000000001:AAfake-token_of-a-bot-0123456789abcde"
SECRET = "a-secret-of-32-signs-that-telegram_knows"
BOT = {"id": 7000000001, "is_bot": True, "first_name": "Fjordly", "username": "fjordly_bot"}
HOOK = "/channels/telegram"
NOTHING = "Bad Request: query is too old and response timeout expired or query ID is invalid"
Json = dict[str, Any]

# (status, description, parameters) by mode.
FAILURES: dict[str, tuple[int, str, Json]] = {
    "again": (500, "Internal Server Error: sent too early", {}),
    "slow_down": (429, "Too Many Requests: retry after 1", {"retry_after": 1}),
    "refuse": (400, "Bad Request: can't parse reply keyboard markup JSON object", {}),
    "gone": (403, "Forbidden: bot was blocked by the user", {}),
    "deactivated": (403, "Forbidden: user is deactivated", {}),
    "passing": (403, "Forbidden: bot can't send messages to the user", {}),
    "unknown": (400, "Bad Request: chat not found", {}),
    "migrated": (
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        {"migrate_to_chat_id": -100123},
    ),
    "revoked": (401, "Unauthorized", {}),
}


class RefusalError(Exception):
    """An answer that is not ok."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status, self.description, self.parameters = status, description, parameters


class BotApi:
    """One bot's API. `accepted` are (chat, method, parameters) in order.

    `failures` are met by the next sends, one each: those above, `gateway` (an HTML page; `gateway403` with
    another status), `drop` (accepted, but the answer never comes) and `hang`.
    """

    def __init__(self) -> None:
        self.token = TOKEN
        self.bot = dict(BOT)
        self.accepted: list[tuple[int, str, Json]] = []
        self.answered: list[str] = []  # pressed buttons whose spinner ended
        self.called: list[str] = []
        self.failures: deque[str] = deque()
        self.hang_seconds = 30.0
        self.chats: set[int] = set()
        self.unfetchable: set[str] = set()
        self.webhook: Json = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
        self.secret = ""
        # Where the app really is, and what it is shown; the address it was given is a public one.
        self.app_url, self.app_secret = "", SECRET
        self.pending_presses: set[str] = set()
        self.numbers = count(100)
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # --- what the bot asks ---------------------------------------------------------------------------------

    def take(self, token: str, method: str, given: Json) -> tuple[Any, str]:
        """(result, description) of a method. Raises RefusalError."""
        if not re.fullmatch(r"\d+:[A-Za-z0-9_-]+", token):
            raise RefusalError(404, "Not Found")
        if token != self.token:
            raise RefusalError(401, "Unauthorized")
        self.called.append(method)
        methods = {
            "getme": lambda _: ({**self.bot, "can_join_groups": True}, ""),
            "getwebhookinfo": lambda _: (dict(self.webhook), ""),
            "setwebhook": self._set_webhook,
            "deletewebhook": lambda _: self._set_webhook({"url": ""}),
            "sendmessage": lambda given: self._send("sendMessage", given),
            "sendphoto": lambda given: self._send("sendPhoto", given),
            "answercallbackquery": self._answer_press,
        }
        if method.lower() not in methods:
            raise RefusalError(404, "Not Found: method not found")
        return methods[method.lower()](given)

    def _send(self, method: str, given: Json) -> tuple[Json, str]:
        with self.lock:
            mode = self.failures.popleft() if self.failures else ""
        if mode in FAILURES:
            status, description, parameters = FAILURES[mode]
            raise RefusalError(status, description, **parameters)
        if mode.startswith("gateway"):
            raise GatewayError(int(mode.removeprefix("gateway") or 502))
        if mode == "hang":
            time.sleep(self.hang_seconds)
        chat = self._chat(given)
        content = self._text(given) if method == "sendMessage" else self._photo(given)
        markup = _keyboard(given.get("reply_markup"))
        message = {
            "message_id": next(self.numbers),
            "from": self.bot,
            "chat": {"id": chat, "first_name": "Somebody", "type": "private"},
            "date": int(time.time()),
            **content,
            **({"reply_markup": markup} if markup else {}),
        }
        with self.lock:
            self.accepted.append((chat, method, {**given, "message": message}))
        if mode == "drop":
            raise DropError
        return message, ""

    def _chat(self, given: Json) -> int:
        said = given.get("chat_id", "")
        if said == "":
            raise RefusalError(400, "Bad Request: chat_id is empty")
        if not re.fullmatch(r"-?\d+", str(said)) or int(said) not in self.chats:
            raise RefusalError(400, "Bad Request: chat not found")
        return int(said)

    def _text(self, given: Json) -> Json:
        text = given.get("text", "").strip()
        if not text:
            raise RefusalError(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            raise RefusalError(400, "Bad Request: message is too long")
        if given.get("parse_mode") and re.search(r"[<>&*_`\[]", text):
            raise RefusalError(400, "Bad Request: can't parse entities")
        return {"text": text}

    def _photo(self, given: Json) -> Json:
        photo = given.get("photo", "")
        if not re.match(r"https?://", photo):
            raise RefusalError(400, "Bad Request: wrong file identifier/HTTP URL specified")
        if photo in self.unfetchable:
            raise RefusalError(400, "Bad Request: failed to get HTTP URL content")
        return {"photo": [{"file_id": "AgAC", "file_unique_id": "AQ", "width": 90, "height": 90}]}

    def _answer_press(self, given: Json) -> tuple[bool, str]:
        with self.lock:
            if given.get("callback_query_id") not in self.pending_presses:
                raise RefusalError(400, NOTHING)
            self.pending_presses.discard(given["callback_query_id"])
            self.answered.append(given["callback_query_id"])
        return True, ""

    def _set_webhook(self, given: Json) -> tuple[bool, str]:
        url, secret = given.get("url", ""), given.get("secret_token", "")
        if not url:
            was = self.webhook["url"]
            self.webhook = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
            return True, "Webhook was deleted" if was else "Webhook is already deleted"
        parts = urlsplit(url)
        if not parts.hostname or " " in url:
            raise RefusalError(400, "Bad Request: invalid webhook URL specified")
        if len(secret) > 256:
            raise RefusalError(400, "Bad Request: secret token is too long")
        if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
            raise RefusalError(400, "Bad Request: secret token contains unallowed characters")
        if parts.scheme != "https":
            raise RefusalError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if (parts.port or 443) not in (443, 80, 88, 8443):
            said = "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"
            raise RefusalError(400, said)
        if parts.hostname.endswith(".nowhere.example"):
            said = "Bad Request: bad webhook: Failed to resolve host: Name or service not known"
            raise RefusalError(400, said)
        same = (self.webhook["url"], self.secret) == (url, secret)
        self.secret = secret
        kept = self.webhook.get("allowed_updates")
        self.webhook = {
            "url": url,
            "has_custom_certificate": False,
            "pending_update_count": self.webhook["pending_update_count"],
            "max_connections": given.get("max_connections", 40),
            "ip_address": "203.0.113.7",
        }
        if given.get("allowed_updates", kept):
            self.webhook["allowed_updates"] = given.get("allowed_updates", kept)
        return True, "Webhook is already set" if same else "Webhook was set"

    # --- what people do ------------------------------------------------------------------------------------

    def deliver(self, update: Json, secret: str | None = None) -> int:
        """Call the app's webhook, and carry out what its answer asks for; the answer's status."""
        body = json.dumps({"update_id": next(self.numbers) + 10**8, **update})
        answer = requests.post(
            self.app_url + HOOK,
            data=body.encode(),
            headers={
                "Content-Type": "application/json",
                "X-Telegram-Bot-Api-Secret-Token": self.app_secret if secret is None else secret,
            },
            timeout=20,
        )
        if answer.status_code // 100 != 2:
            self.webhook["last_error_date"] = int(time.time())
            said = f"Wrong response from the webhook: {answer.status_code} {answer.reason}"
            self.webhook["last_error_message"] = said
            self.webhook["pending_update_count"] += 1
            return answer.status_code
        with suppress(ValueError, RefusalError):  # the result of such a call is told to nobody
            given = answer.json()
            method = str(given.pop("method", ""))
            if method and not re.match(r"get|setwebhook|deletewebhook|close|logout", method, re.IGNORECASE):
                self.take(self.token, method, given)
        return answer.status_code

    def message(self, chat: int, **content: Any) -> Json:
        """A message of the person in this private chat."""
        self.chats.add(chat)
        return {
            "message_id": next(self.numbers),
            "from": user(chat),
            "chat": {"id": chat, "first_name": "Kari", "type": "private"},
            "date": int(time.time()),
            **content,
        }

    def press(self, chat: int, data: str, title: str) -> Json:
        """A callback query: on the message that has the button, or on an old one that has just this."""
        found = next(
            (
                given["message"]
                for _, _, given in reversed(self.accepted)
                if data in json.dumps(given.get("reply_markup", {}))
            ),
            self.message(
                chat,
                text="long ago",
                reply_markup={"inline_keyboard": [[{"text": title, "callback_data": data}]]},
            ),
        )
        press_id = f"43{next(self.numbers):017d}"
        self.pending_presses.add(press_id)
        return {
            "callback_query": {
                "id": press_id,
                "from": user(chat),
                "message": found,
                "chat_instance": "-1",
                "data": data,
            }
        }

    def membership(self, chat: int, status: str) -> Json:
        """The person blocked the bot (`kicked`) or let it in again (`member`)."""
        old = "member" if status == "kicked" else "kicked"
        bot = {
            "id": self.bot["id"],
            "is_bot": True,
            "first_name": "Fjordly",
            "username": self.bot["username"],
        }
        return {
            "my_chat_member": {
                "chat": {"id": chat, "first_name": "Kari", "type": "private"},
                "from": user(chat),
                "date": int(time.time()),
                "old_chat_member": _member(bot, old),
                "new_chat_member": _member(bot, status),
            }
        }

    def reaction(self, chat: int, message_id: int, *emoji: str) -> Json:
        """The person's reactions to a message are these now."""
        return {
            "message_reaction": {
                "chat": {"id": chat, "first_name": "Kari", "type": "private"},
                "message_id": message_id,
                "user": user(chat),
                "date": int(time.time()),
                "old_reaction": [],
                "new_reaction": [{"type": "emoji", "emoji": one} for one in emoji],
            }
        }


class GatewayError(Exception):
    """Answer as something in front of the Bot API does: a gateway, or a firewall on the way there."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class DropError(Exception):
    """Close the connection without an answer."""


def user(chat: int, language: str = "en") -> Json:
    return {"id": chat, "is_bot": False, "first_name": "Kari", "language_code": language}


def _member(bot: Json, status: str) -> Json:
    return {"user": bot, "status": status, **({"until_date": 0} if status == "kicked" else {})}


def _keyboard(markup: Any) -> Json | None:
    if markup is None:
        return None
    rows = markup["inline_keyboard"] if isinstance(markup, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise RefusalError(400, "Bad Request: object expected as reply markup")
    for button in (button for row in rows for button in row):
        if not button.get("text"):
            raise RefusalError(400, "Bad Request: can't parse inline keyboard button: Text must be non-empty")
        if not 1 <= len(button.get("callback_data", "").encode()) <= 64:
            raise RefusalError(400, "Bad Request: BUTTON_DATA_INVALID")
    if sum(len(row) for row in rows) > 100:
        raise RefusalError(400, "Bad Request: reply markup is too long")
    return {"inline_keyboard": rows}


def _handler(api: BotApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:  # the app has gone meanwhile
                self.close_connection = True

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            match = re.fullmatch(r"/bot([^/]+)/(\w+)", self.path)
            try:
                if match is None:
                    raise RefusalError(404, "Not Found")
                result, description = api.take(match[1], match[2], _parameters(raw, self.headers))
            except RefusalError as error:
                answer = {"ok": False, "error_code": error.status, "description": error.description}
                if error.parameters:
                    answer["parameters"] = error.parameters
                self._send(error.status, answer)
            except GatewayError as error:
                self._send(error.status, f"<html><body>{error.status}</body></html>")
            except DropError:
                self.close_connection = True
            else:
                told = {"description": description} if description else {}
                self._send(200, {"ok": True, "result": result, **told})

        do_GET = do_POST

        def _send(self, status: int, content: Any) -> None:
            body = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            kind = "text/html" if isinstance(content, str) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if isinstance(content, dict) and content.get("parameters", {}).get("retry_after"):
                self.send_header("Retry-After", str(content["parameters"]["retry_after"]))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _parameters(raw: bytes, headers: Any) -> Json:
    """Of JSON; and of a form, whose objects are JSON (python-telegram-bot sends those)."""
    if headers.get("Content-Type", "").startswith("application/json"):
        try:
            given = json.loads(raw)
        except ValueError:
            raise RefusalError(400, "Bad Request: can't parse request: invalid JSON") from None
        return given if isinstance(given, dict) else {}
    from urllib.parse import parse_qsl

    def value(said: str) -> Any:
        return json.loads(said) if said[:1] in ("{", "[") else said

    return {name: value(said) for name, said in parse_qsl(raw.decode())}


# What people send that is no text, as Telegram tells of it.
FILE = {"file_id": "BQAC", "file_unique_id": "AgAD"}
CONTENT: dict[str, Json] = {
    "sticker": {
        "sticker": {
            **FILE,
            "type": "regular",
            "width": 512,
            "height": 512,
            "is_animated": False,
            "is_video": False,
        }
    },
    "voice": {"voice": {**FILE, "duration": 3}},
    "audio": {"audio": {**FILE, "duration": 30}},
    "video_note": {"video_note": {**FILE, "length": 240, "duration": 3}},
    "image": {"photo": [{**FILE, "width": 90, "height": 67}]},
    "video": {"video": {**FILE, "width": 640, "height": 360, "duration": 5}},
    "file": {"document": {**FILE, "file_name": "invoice.pdf"}},
    "animation": {
        "animation": {**FILE, "width": 320, "height": 180, "duration": 2},
        "document": {**FILE, "file_name": "cat.mp4"},
    },
    "location": {"location": {"latitude": 59.91, "longitude": 10.75}},
    "venue": {
        "venue": {
            "location": {"latitude": 59.91, "longitude": 10.75},
            "title": "Opera",
            "address": "Kirsten Flagstads plass 1",
        },
        "location": {"latitude": 59.91, "longitude": 10.75},
    },
    "contact": {"contact": {"phone_number": "+4790000000", "first_name": "Ola"}},
    "other": {"dice": {"emoji": "🎲", "value": 4}},
}


class Telegram(Provider):
    """Telegram for the tests of every channel."""

    name: ClassVar[str] = "telegram"
    unreadable: ClassVar[tuple[str, ...]] = all_but("delete")
    tells_of_leaving: ClassVar[bool] = True

    def __init__(self) -> None:
        self.api = BotApi()

    def settings(self) -> dict[str, Any]:
        return {
            "telegram_token": SecretStr(TOKEN),
            "telegram_secret": SecretStr(SECRET),
            "telegram_url": self.api.url,
        }

    def attach(self, url: str) -> None:
        super().attach(url)
        self.api.app_url = url

    def person(self, number: int) -> str:
        return str(5_000_000_000 + number)

    def say(self, person: str, text: str, message_id: str | None = None) -> int:
        number = {"message_id": int(message_id)} if message_id else {}
        return self.api.deliver({"message": self.api.message(int(person), text=text, **number)})

    def press(self, person: str, button: str, title: str) -> int:
        return self.api.deliver(self.api.press(int(person), button, title))

    def send_unreadable(self, person: str, what: str) -> int:
        chat = int(person)
        if what == "reaction":
            return self.api.deliver(self.api.reaction(chat, next(self.api.numbers), "👍"))
        if what == "edit":
            edited = self.api.message(chat, text="mended", edit_date=int(time.time()))
            return self.api.deliver({"edited_message": edited})
        return self.api.deliver({"message": self.api.message(chat, **CONTENT[what])})

    def leave(self, person: str, back: bool = False) -> int:
        return self.api.deliver(self.api.membership(int(person), "member" if back else "kicked"))

    def forge(self, person: str, text: str) -> int:
        message = self.api.message(int(person), text=text)
        return self.api.deliver({"message": message}, secret="a-guess-of-32-signs-that-is-not-right_")

    def sent(self, person: str) -> list[Sent]:
        with self.api.lock:
            return [_sent(given) for chat, _, given in self.api.accepted if chat == int(person)]

    def fail(self, *modes: str) -> None:
        self.api.failures.extend(modes)

    def close(self) -> None:
        self.api.close()


def _sent(given: Json) -> Sent:
    rows = given.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = tuple((one["callback_data"], one["text"]) for row in rows for one in row)
    return Sent(given.get("text", ""), buttons, given.get("photo"), {"message": given["message"]})
