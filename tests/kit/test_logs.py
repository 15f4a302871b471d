"""What never reaches the log, whatever its level."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

ASK = """
import sys
from rapport.channels.telegram_api import TelegramApi
from rapport.kit import logs
logs.configure(sys.argv[1])
print(TelegramApi("123456789:THE-TOKEN", sys.argv[2]).call("getMe"))
"""


class Odd(BaseHTTPRequestHandler):
    """Answers with a header that cannot be parsed, as proxies do."""

    def do_POST(self) -> None:
        body = b'{"ok": true, "result": "well"}'
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed\r\nno header at all\r\n")
        self.wfile.write(b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("level", ["WARNING", "DEBUG"])
def test_no_address_with_a_token_in_it(level: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        # In a process of its own: pytest's way of logging stays as it is.
        done = subprocess.run(
            [sys.executable, "-c", ASK, level, f"http://127.0.0.1:{server.server_port}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        server.shutdown()
        server.server_close()
    assert "THE-TOKEN" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
