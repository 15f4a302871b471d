"""A real IMAP server (pymap) and a real SMTP server (aiosmtpd), and people who write mails."""

from __future__ import annotations

import asyncio
import imaplib
import threading
import time
from argparse import Namespace
from collections import deque
from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any, ClassVar, TypeVar

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from proxyprotocol.reader import ProxyProtocolReader
from pydantic import SecretStr
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer

from tests.channels.harness import Provider, Sent
from tests.ports import free_port

USER, PASSWORD = "hello@fjordly.example", "mailbox-password"
T = TypeVar("T")


class Mailbox:
    """An IMAP server with one mailbox; `stop` and `start` are a server that goes away and comes back."""

    def __init__(self, certificate: tuple[str, str] | None = None) -> None:
        self.port = free_port()
        self.connections: set[asyncio.StreamWriter] = set()
        cert, key = certificate or (None, None)
        self._arguments = Namespace(
            host="127.0.0.1",
            port=self.port,
            debug=False,
            cert=cert,
            key=key,
            tls=certificate is not None,
            demo_data=False,
            demo_user=USER,
            demo_password=PASSWORD,
            passlib_cfg=None,
            proxy_protocol=None,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._backend, self._config = self._do(
            lambda: DictBackend.init(self._arguments, invalid_user_sleep=0.0)
        )
        self._lock = threading.Lock()
        self._client: imaplib.IMAP4 | None = None
        self.start()

    def _do(self, make: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await make()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(20)

    def start(self) -> None:
        async def start() -> asyncio.AbstractServer:
            self._config.apply_context()
            imap = IMAPServer(self._backend.login, self._config)
            proxied = ProxyProtocolReader(self._config.proxy_protocol).get_callback(imap)

            async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                self.connections.add(writer)
                await proxied(reader, writer)  # returns at once: a task of its own goes on

            return await asyncio.start_server(connected, "127.0.0.1", self.port)

        self._server = self._do(start)

    def stop(self) -> None:
        """The server goes away, and all connections with it."""

        async def stop() -> None:
            self._server.close()
            for writer in list(self.connections):
                writer.transport.abort()
            self.connections.clear()
            await asyncio.sleep(0.05)

        if self._client is not None:
            self._client.shutdown()
            self._client = None
        self._do(stop)

    def close(self) -> None:
        async def end() -> None:
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.stop()
        self._do(end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _logged_in(self) -> imaplib.IMAP4:
        if self._client is None:
            self._client = imaplib.IMAP4("127.0.0.1", self.port, timeout=10)
            self._client.login(USER, PASSWORD)
        return self._client

    def deliver(self, mail: EmailMessage | bytes, flags: str = "", days_ago: int = 0) -> None:
        """Put a mail into the mailbox, as the mail server does."""
        raw = mail if isinstance(mail, bytes) else mail.as_bytes(policy=policy.SMTP)
        with self._lock:
            done, answer = self._logged_in().append(
                "INBOX",
                flags,
                imaplib.Time2Internaldate(time.time() - days_ago * 86400),
                raw,
            )
        assert done == "OK", answer

    def unseen(self) -> int:
        return self._count("UNSEEN")

    def all(self) -> int:
        return self._count("ALL")

    def _count(self, what: str) -> int:
        with self._lock:
            client = self._logged_in()
            client.select("INBOX", readonly=True)
            _, found = client.search(None, what)
            client.close()
        return len(found[0].split())


class Post:
    """A mail server that takes what we send, or does not."""

    ANSWERS: ClassVar[dict[str, str]] = {
        "again": "451 4.3.0 Try again later",
        "slow_down": "450 4.7.1 Too much mail from you, <{address}> gets no more for now",
        "refuse": "554 5.7.1 <{address}>: message refused by policy",
        "gone": "550 5.1.1 <{address}>: Recipient address rejected: User unknown",
        "full": "552 5.2.2 <{address}>: Mailbox full",
        "ok": "250 OK",
    }

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.failures: deque[str] = deque()
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self._controller.start()
        self.port: int = self._controller.port

    def stop(self) -> None:
        self._controller.stop()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        mode = self.failures[0] if self.failures else "ok"
        if mode not in {"ok", "drop"}:
            self.failures.popleft()
            return self.ANSWERS[mode].format(address=address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.failures and self.failures.popleft() == "drop":
            assert server.transport is not None
            server.transport.abort()
        return "250 OK"


def a_mail(person: str, text: str | None = None, **headers: str) -> EmailMessage:
    """A mail as a program of our days writes it."""
    mail = EmailMessage(policy=policy.SMTP)
    given = {"from": f"Somebody <{person}>", "to": USER, "subject": "A question", "message_id": make_msgid()}
    for name, value in (given | headers).items():
        if value:
            mail[name.replace("_", "-").title().replace("-Id", "-ID")] = value
    if text is not None:
        mail.set_content(text)
    return mail


ATTACHED = {
    "file": ("application", "pdf"),
    "image": ("image", "jpeg"),
    "voice": ("audio", "mpeg"),
    "video": ("video", "mp4"),
    "contact": ("text", "vcard"),
}


class MailProvider(Provider):
    """People with mail programs."""

    name: ClassVar[str] = "email"
    unreadable: ClassVar[tuple[str, ...]] = tuple(ATTACHED)
    calls_us: ClassVar[bool] = False

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.post = Post()

    def settings(self) -> dict[str, Any]:
        return {
            "imap_host": "127.0.0.1",
            "imap_port": self.mailbox.port,
            "imap_security": "none",
            "imap_user": USER,
            "imap_password": SecretStr(PASSWORD),
            "smtp_host": "127.0.0.1",
            "smtp_port": self.post.port,
            "smtp_security": "none",
            "mail_from": f"Fjordly <{USER}>",
        }

    def person(self, number: int) -> str:
        return f"person.{number}@example.com"

    def say(self, person: str, text: str, message_id: str | None = None) -> int:
        self.mailbox.deliver(
            a_mail(person, text, message_id=f"<{message_id}@example.com>" if message_id else make_msgid())
        )
        return 200

    def press(self, person: str, button: str, title: str) -> int:
        return self.say(person, title)

    def send_unreadable(self, person: str, what: str) -> int:
        mail = a_mail(person, "", subject="")
        main, sub = ATTACHED[what]
        mail.add_attachment(b"\x00\x01" * 100, main, sub, filename=f"a.{sub}")
        self.mailbox.deliver(mail)
        return 200

    def forge(self, person: str, text: str) -> int:
        raise NotImplementedError

    def sent(self, person: str) -> list[Sent]:
        return [
            Sent(mail.get_content().replace("\r\n", "\n").rstrip("\n"), details=dict(mail.items()))
            for mail in self.post.taken
            if mail["To"] == person
        ]

    def fail(self, *modes: str) -> None:
        self.post.failures.extend(modes)

    def close(self) -> None:
        self.mailbox.close()
        self.post.stop()
