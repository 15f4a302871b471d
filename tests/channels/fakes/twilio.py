"""A stand-in for Twilio: its Messages API with its checks and error bodies, and webhooks as it signs them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections import deque
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote
from uuid import uuid4

import requests

from tests.channels.harness import Provider, Sent

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
NUMBER = "+15005550006"
LONGEST = 1600
Fields = dict[str, str]

# What Twilio says to what (https://www.twilio.com/docs/api/errors): its message and HTTP status.
ERRORS: dict[int, tuple[str, int]] = {
    20003: ("Authenticate", 401),
    20404: ("The requested resource {path} was not found", 404),
    20429: ("Too Many Requests", 429),
    20500: ("An internal server error has occurred", 500),
    21211: ("Invalid 'To' Phone Number: {to}", 400),
    21603: ("A 'From' phone number is required.", 400),
    21604: ("A 'To' phone number is required.", 400),
    21606: ("The 'From' phone number provided is not a valid message-capable Twilio phone number.", 400),
    21609: ("The 'StatusCallback' URL is not a valid URL.", 400),
    21610: ("Attempt to send to unsubscribed recipient", 400),
    21614: ("'To' number is not a valid mobile number", 400),
    21617: ("The concatenated message body exceeds the 1600 character limit", 400),
    21619: ("A text message body or media urls must be specified.", 400),
    21620: ("Invalid media URL(s)", 400),
    21655: ("The ContentSid is Invalid", 400),
    21656: ("The ContentVariables Parameter is invalid", 400),
    30034: ("Message from an Unregistered Number", 400),
}
MODES = {"again": 20500, "slow_down": 20429, "refuse": 30034, "gone": 21610, "credentials": 20003}


class FakeTwilio:
    """`accepted` are the forms it took, in order. `mode(...)` says how the next requests end."""

    def __init__(self) -> None:
        self.accepted: list[Fields] = []
        self.failures: deque[str] = deque()
        self.opted_out: set[str] = set()
        self.account = {"sid": ACCOUNT, "status": "active", "type": "Full"}
        # Where the number's messages are brought.
        self.number = {"phone_number": NUMBER, "sms_url": "", "sms_method": "POST"}
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, form: Fields) -> tuple[int, dict[str, Any], str | None]:
        """(status, body, mode) of one request with the right address and credentials."""
        with self.lock:
            mode = self.failures.popleft() if self.failures else None
            error = MODES.get(mode or "") or self._fault(form)
            if error is not None:
                return *_error(error, to=form.get("To", "")), mode
            form["sid"] = ("MM" if "MediaUrl" in form else "SM") + uuid4().hex
            self.accepted.append(form)
            return 201, _resource(form), mode

    def _fault(self, form: Fields) -> int | None:
        to, origin = form.get("To"), form.get("From") or form.get("MessagingServiceSid")
        if not to:
            return 21604
        if not origin:
            return 21603
        number, whatsapp = to.removeprefix("whatsapp:"), to.startswith("whatsapp:")
        if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
            return 21211
        if origin not in {f"whatsapp:{NUMBER}" if whatsapp else NUMBER, "MG" + "0" * 32}:
            return 21606
        if to in self.opted_out:
            return 21610
        if not form.get("StatusCallback", "http://x").startswith(("http://", "https://")):
            return 21609
        if "ContentSid" in form:
            return _content_fault(form)
        if not form.get("Body") and not form.get("MediaUrl"):
            return 21619
        if len(form.get("Body", "")) > LONGEST:
            return 21617
        return None if form.get("MediaUrl", "https://x").startswith(("http://", "https://")) else 21620

    def _handler(fake) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def _knows(self) -> bool:
                wanted = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
                return self.headers["Authorization"] == wanted

            def do_GET(self) -> None:
                if not self._knows():
                    return self._send(*_error(20003))
                path, _, query = self.path.partition("?")
                if path == f"/2010-04-01/Accounts/{ACCOUNT}.json":
                    return self._send(200, fake.account)
                if path == f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json":
                    asked = dict(parse_qsl(query)).get("PhoneNumber")
                    found = [fake.number] if asked == fake.number["phone_number"] else []
                    return self._send(200, {"incoming_phone_numbers": found, "page": 0})
                return self._send(*_error(20404, path=self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not self._knows():
                    return self._send(*_error(20003))
                if self.path != f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
                    return self._send(*_error(20404, path=self.path))
                assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
                status, answer, mode = fake.take(dict(parse_qsl(body.decode(), strict_parsing=True)))
                if mode == "slow":
                    time.sleep(0.5)
                if mode == "drop":  # accepted, and then the line is dead
                    self.close_connection = True
                    return None
                return self._send(status, answer)

            def _send(self, status: int, content: dict[str, Any]) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json;charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                if status == 429:
                    self.send_header("Retry-After", "1")
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(body)
                    self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _content_fault(form: Fields) -> int | None:
    if not re.fullmatch("HX[0-9a-f]{32}", form["ContentSid"]):
        return 21655
    try:
        variables = json.loads(form.get("ContentVariables", "{}"))
    except ValueError:
        return 21656
    named = isinstance(variables, dict) and all(isinstance(value, str) for value in variables.values())
    return None if named else 21656


def _error(code: int, **values: str) -> tuple[int, dict[str, Any]]:
    message, status = ERRORS[code]
    more = f"https://www.twilio.com/docs/errors/{code}"
    return status, {
        "code": code,
        "message": message.format(**values),
        "more_info": more,
        "status": status,
    }


def _resource(form: Fields) -> dict[str, Any]:
    return {
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": form.get("Body", ""),
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": form.get("From"),
        "messaging_service_sid": form.get("MessagingServiceSid"),
        "num_media": str(int("MediaUrl" in form)),
        "sid": form["sid"],
        "status": "queued",
        "to": form["To"],
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{form['sid']}.json",
    }


def sign(url: str, fields: Fields, token: str = TOKEN) -> str:
    """As the documentation says: the address, then each field's name and value in order of the names."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def form_of(fields: Fields) -> bytes:
    """The body; Twilio writes a blank as a plus."""
    return "&".join(f"{quote(n)}={quote(v, safe='').replace('%20', '+')}" for n, v in fields.items()).encode()


def inbound(number: str, text: str = "", **more: str) -> Fields:
    """The fields of a message that came in."""
    sid = more.pop("MessageSid", "SM" + uuid4().hex)
    to = f"whatsapp:{NUMBER}" if number.startswith("whatsapp:") else NUMBER
    return {
        "ToCountry": "US",
        "ToState": "",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ToCity": "",
        "FromZip": "",
        "SmsSid": sid,
        "FromState": "",
        "SmsStatus": "received",
        "FromCity": "",
        "Body": text,
        "FromCountry": "NO",
        "To": to,
        "ToZip": "",
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": ACCOUNT,
        "From": number,
        "ApiVersion": "2010-04-01",
        **more,
    }


MEDIA = {
    "sticker": "image/webp",
    "voice": "audio/ogg",
    "image": "image/jpeg",
    "video": "video/mp4",
    "file": "application/pdf",
    "contact": "text/vcard",
}


class TwilioProvider(Provider):
    """What both channels share."""

    prefix: ClassVar[str] = ""
    unreadable: ClassVar[tuple[str, ...]] = ("voice", "image", "video", "file", "contact")
    takes_long_texts: ClassVar[bool] = False

    def __init__(self) -> None:
        self.fake = FakeTwilio()

    def settings(self) -> dict[str, Any]:
        from pydantic import SecretStr

        return {
            "twilio_account": ACCOUNT,
            "twilio_token": SecretStr(TOKEN),
            f"twilio_{self.name}_from": NUMBER,
            "twilio_url": self.fake.url,
        }

    def person(self, number: int) -> str:
        return f"+47900{number:05}"

    def post(self, fields: Fields, token: str = TOKEN, **headers: str) -> int:
        url = f"{self.url}/channels/{self.name}"
        headers = {
            "X-Twilio-Signature": sign(url, fields, token),
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            **headers,
        }
        return requests.post(url, data=form_of(fields), headers=headers, timeout=10).status_code

    def say(self, person: str, text: str, message_id: str | None = None) -> int:
        more = {"MessageSid": f"SM{message_id:0>32}"} if message_id else {}
        return self.post(inbound(self.prefix + person, text, **more))

    def press(self, person: str, button: str, title: str) -> int:
        return self.say(person, title)

    def send_unreadable(self, person: str, what: str) -> int:
        if what == "location":
            more = {"Latitude": "59.91", "Longitude": "10.75"}
        else:
            more = {"NumMedia": "1", "MediaUrl0": f"{self.fake.url}/x", "MediaContentType0": MEDIA[what]}
        return self.post(inbound(self.prefix + person, **more))

    def forge(self, person: str, text: str) -> int:
        return self.post(inbound(self.prefix + person, text), token="a guess")

    def report(self, person: str, sid: str, status: str, error: str | None = None) -> int:
        """A status callback."""
        fields = {
            "SmsSid": sid,
            "SmsStatus": status,
            "MessageStatus": status,
            "To": self.prefix + person,
            "MessageSid": sid,
            "AccountSid": ACCOUNT,
            "From": self.prefix + NUMBER,
            "ApiVersion": "2010-04-01",
        }
        return self.post(fields | ({"ErrorCode": error} if error else {}))

    def sent(self, person: str) -> list[Sent]:
        with self.fake.lock:
            mine = [form for form in self.fake.accepted if form["To"] == self.prefix + person]
        return [Sent(form.get("Body", ""), (), form.get("MediaUrl"), dict(form)) for form in mine]

    def fail(self, *modes: str) -> None:
        self.fake.failures.extend(modes)

    def close(self) -> None:
        self.fake.stop()


class TwilioSmsProvider(TwilioProvider):
    name: ClassVar[str] = "sms"


class TwilioWhatsAppProvider(TwilioProvider):
    name: ClassVar[str] = "whatsapp"
    prefix: ClassVar[str] = "whatsapp:"
    unreadable: ClassVar[tuple[str, ...]] = (*TwilioProvider.unreadable, "sticker", "location")
