"""A real mail server (aiosmtpd) that answers as it is told to."""

from __future__ import annotations

import asyncio
from collections import deque
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "shop", "secret"


class Server:
    """Answers RCPT and DATA as told and keeps what it took, and as it came over the wire.

    `answers`: what it says to one RCPT after the other, then `answer`. `drops`: after how many more mails it
    has read it hangs up without a word. `holds`: it has a mail and says nothing. `greylisting`: who it does
    not know yet is to come again.
    """

    def __init__(self) -> None:
        self.answer = "250 OK"
        self.answers: deque[str] = deque()
        self.data_answer = "250 OK"
        self.drops = 0
        self.drops_at_mail = False
        self.holds = False
        self.greylisting = False
        self.connections: set[object] = set()
        self.known: set[tuple[str, str]] = set()
        self.taken: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.senders: list[str] = []
        self.secured: list[bool] = []
        self.logged_in: list[bool] = []

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        if self.drops_at_mail:
            assert server.transport is not None
            server.transport.abort()
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.popleft() if self.answers else self.answer
        pair = (envelope.mail_from or "", address)
        if self.greylisting and pair not in self.known:
            self.known.add(pair)
            answer = f"451 4.7.1 <{address}>: greylisted, come again in 5 minutes"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.connections.add(session.peer)
            self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
            self.raw.append(envelope.content)
            self.senders.append(envelope.mail_from or "")
            self.secured.append(session.ssl is not None)
            self.logged_in.append(bool(session.authenticated))
        while self.holds:
            await asyncio.sleep(0.01)
        if self.drops:
            self.drops -= 1
            assert server.transport is not None
            server.transport.abort()
        return self.data_answer


def authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
) -> AuthResult:
    wanted = (USER.encode(), PASSWORD.encode())
    good = isinstance(data, LoginPassword) and (data.login, data.password) == wanted
    return AuthResult(success=good, handled=False)
