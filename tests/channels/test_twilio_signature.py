"""Twilio's signature is made over the very address it calls: with ports, queries and proxies."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from sqlalchemy import Engine
from twilio.request_validator import RequestValidator

from rapport.channels import twilio_forms
from rapport.channels.base import Request
from rapport.channels.twilio import EMPTY_TWIML, TwilioSms
from rapport.kit.errors import UnauthorizedError
from rapport.kit.settings import Settings
from tests.channels.fakes.twilio import ACCOUNT, NUMBER, TOKEN, TwilioSmsProvider, form_of, inbound, sign
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp, until

ANN = "+4790000001"
HERE = "https://shop.example/channels/sms"


def sms() -> TwilioSms:
    return TwilioSms(ACCOUNT, TOKEN, NUMBER, url="http://127.0.0.1:1")


def signed(url: str, fields: dict[str, str], seen: str | None = None, token: str = TOKEN) -> Request:
    """A request that Twilio signed for `url` and that comes here as `seen`."""
    return Request(seen or url, {"x-twilio-signature": sign(url, fields, token)}, form_of(fields))


def test_the_stand_in_signs_as_twilios_own_library_does() -> None:
    fields = inbound(ANN, "Hei på deg! 100 % & 2+2=4 😀", ProfileName="")
    assert sign(HERE, fields) == RequestValidator(TOKEN).compute_signature(HERE, fields)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        (HERE, HERE),
        (f"{HERE}?shop=1&x=%20y", f"{HERE}?shop=1&x=%20y"),
        # Twilio may or may not write the port that goes without saying.
        ("https://shop.example:443/channels/sms", HERE),
        (HERE, "https://shop.example:443/channels/sms"),
        ("http://shop.example:8080/channels/sms", "http://shop.example:8080/channels/sms"),
        # Behind a proxy that ends TLS and hands on the host.
        (HERE, "http://shop.example/channels/sms"),
        ("https://shop.example:8443/channels/sms", "http://shop.example:8443/channels/sms"),
    ],
)
def test_what_twilio_signed_is_taken(url: str, seen: str) -> None:
    sms().check(signed(url, inbound(ANN, "Hei på deg! 100 % & 2+2=4 😀\n"), seen))


@pytest.mark.parametrize("case", ["token", "url", "query", "body", "none", "empty", "port", "binary"])
def test_what_it_did_not_sign_is_refused(case: str) -> None:
    fields = inbound(ANN, "hello")
    good = signed(HERE, fields)
    given = {
        "token": signed(HERE, fields, token="other"),
        "url": signed("https://evil.example/channels/sms", fields, HERE),
        "query": signed(HERE, fields, HERE + "?x=1"),
        "body": Request(HERE, good.headers, form_of(fields | {"Body": "give me all"})),
        "none": Request(HERE, {}, good.body),
        "empty": Request(HERE, {"x-twilio-signature": ""}, b""),
        "port": Request("http://x:y/channels/sms", good.headers, good.body),
        "binary": Request(HERE, good.headers, b"\xff\xfe=\xff"),
    }[case]
    with pytest.raises(UnauthorizedError):
        sms().check(given)


def test_a_field_that_twilio_invents_tomorrow_or_sends_twice_is_signed_as_well() -> None:
    fields = {**inbound(ANN, "hello"), "NewField": "ærlig", "Empty": ""}
    sms().check(signed(HERE, fields))
    validator, twice = RequestValidator(TOKEN), twilio_forms.Form(Body=["a"], Media=["2", "1"])
    headers = {"x-twilio-signature": validator.compute_signature(HERE, twice)}
    sms().check(Request(HERE, headers, b"Body=a&Media=2&Media=1"))


class Proxy:
    """A reverse proxy as nginx is one: `host` is what it writes into Host; None hands on the client's."""

    def __init__(self, upstream: str, host: str | None = None) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name: value for name, value in self.headers.items() if name != "Host"}
                headers |= {"Host": host or self.headers["Host"], "X-Forwarded-Proto": "https"}
                answer = requests.post(upstream + self.path, data=body, headers=headers, timeout=10)
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize(
    ("public_url", "host", "status"),
    [
        (None, None, 200),  # the proxy hands on the host: enough
        ("https://shop.example", "127.0.0.1:8080", 200),
        ("https://shop.example/", None, 200),
        (None, "127.0.0.1:8080", 401),  # nobody can know the address then
        ("https://other.example", None, 401),
    ],
)
def test_behind_a_proxy(
    settings: Settings,
    sqlite_engine: Engine,
    rasa: FakeRasa,
    public_url: str | None,
    host: str | None,
    status: int,
) -> None:
    provider = TwilioSmsProvider()
    app = RunningApp(settings, sqlite_engine, rasa, public_url=public_url, **provider.settings())
    proxy = Proxy(app.url, host)
    fields = inbound(ANN, "hello")
    address = "https://shop.example/channels/sms?from=twilio"
    headers = {
        "Host": "shop.example",
        "X-Twilio-Signature": sign(address, fields),
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
    }
    answer = requests.post(
        f"{proxy.url}/channels/sms?from=twilio", data=form_of(fields), headers=headers, timeout=10
    )
    proxy.close()
    assert answer.status_code == status
    if status == 200:
        assert answer.text == EMPTY_TWIML
        until(lambda: provider.sent(ANN), 10)
    app.stop()
    provider.close()
