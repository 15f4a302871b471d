"""An OpenID provider: the real one of `oidc-provider-mock`, and a hostile one that answers as it is told."""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import RSAKey

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it still uses what Authlib calls deprecated
    import oidc_provider_mock

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


@contextmanager
def real_provider() -> Iterator[str]:
    """Its address. Whoever it is asked for exists; `set_user` says what is known of them."""
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


def set_user(issuer: str, subject: str, **claims: object) -> None:
    requests.put(f"{issuer}/users/{subject}", json=claims, timeout=5).raise_for_status()


def consent(url: str, subject: str) -> str:
    """Logs in at the real provider's page; where it sends the browser back to."""
    answer = requests.post(url, data={"sub": subject}, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


class HostileProvider:
    """Says what the test wants it to: `claims` over right ones, another algorithm, other metadata, errors."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.key: Any = KEY
        self.keys: list[Any] = [KEY]
        self.token: str | None = None
        self.userinfo: dict[str, Any] | None = None
        self.status = 200
        self.asked: list[str] = []
        self.verifiers: list[str] = []
        self.nonce = ""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._answer(self, "")

            def do_POST(self) -> None:
                provider._answer(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *_arguments: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler, body: str) -> None:
        path = urlsplit(request.path).path
        self.asked.append(path)
        found: dict[str, Any] = {}
        if path == "/.well-known/openid-configuration":
            found = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
                **({"userinfo_endpoint": f"{self.issuer}/userinfo"} if self.userinfo is not None else {}),
                **self.metadata,
            }
        elif path == "/keys":
            found = {"keys": [key.as_dict(private=False) for key in self.keys]}
        elif path == "/token":
            self.verifiers += parse_qs(body)["code_verifier"]
            found = {"access_token": "a", "token_type": "Bearer", "id_token": self.token or self._id_token()}
        elif path == "/userinfo":
            found = self.userinfo or {}
        content = json.dumps(found).encode()
        request.send_response(self.status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _id_token(self) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": "rapport",
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "email": "ada@fjordly.example",
            "email_verified": True,
        }
        claims.update(self.claims)
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(self.header, claims, self.key, algorithms=[self.header["alg"]])
