"""Sending mails over SMTP."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from typing import Any

from rapport.kit.settings import Settings
from rapport.outreach import signing
from rapport.outreach.mail import HandOver, InDoubtError, Mailer, RefusedError, TryAgainError

TIMEOUT_SECONDS = 10
# Servers take only so many mails over one connection.
MAILS_PER_CONNECTION = 50


class _Plain(smtplib.SMTP):
    """A connection that knows whether a mail is being handed over at this moment."""

    in_hand = False

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.in_hand = True
        answer = super().data(msg)
        self.in_hand = False
        return answer


class _Encrypted(_Plain, smtplib.SMTP_SSL):
    """The same, encrypted from its first byte on."""


class SmtpMailer(Mailer):
    """Sends over SMTP; `security` is starttls, tls or none. Certificates are checked unless a context says
    otherwise.

    `sign` adds a signature to a mail as it goes over the wire. `return_path` is where it comes back to if it
    cannot be delivered, the sender's address if None; after a `+` at the end of its name the mail's own id is
    put in.
    """

    def __init__(
        self,
        host: str,
        port: int,
        security: str = "starttls",
        user: str | None = None,
        password: str | None = None,
        context: ssl.SSLContext | None = None,
        sign: Callable[[bytes], bytes] | None = None,
        return_path: str | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._security = security
        self._user = user
        self._password = password
        self._context = context or ssl.create_default_context()
        self._sign = sign
        self._return_path = return_path

    def send(self, mail: EmailMessage) -> None:
        with self.line() as hand_over:
            hand_over(mail)

    @contextmanager
    def line(self) -> Iterator[HandOver]:
        with self.batch() as batch, batch.line() as hand_over:
            yield hand_over

    @contextmanager
    def batch(self) -> Iterator[Mailer]:
        batch = _Batch(self)
        try:
            yield batch
        finally:
            batch.end()

    def check(self) -> None:
        """Connect and log in without sending anything. Raises TryAgainError with the reason."""
        _leave(self.connect())

    def connect(self) -> _Plain:
        """A connection that is encrypted and logged in as it should be. Raises TryAgainError."""
        try:
            return self._connect()
        except (smtplib.SMTPException, OSError) as error:
            # Whatever it is (down, no STARTTLS, wrong password), it is not this mail's fault.
            raise TryAgainError(_reason(error), server=True) from None

    def hand_over(self, server: _Plain, mail: EmailMessage) -> None:
        """Give a mail to a connected server. Raises RefusedError or TryAgainError."""
        try:
            sender, recipient = self._envelope_sender(mail), mail["To"].addresses[0].addr_spec
            options: list[str] = []
            if not f"{sender}{recipient}{mail['From'].addresses[0].addr_spec}".isascii():
                server.ehlo_or_helo_if_needed()
                if not server.has_extn("smtputf8"):
                    raise smtplib.SMTPNotSupportedError("SMTPUTF8 is needed for an address")
                options = ["SMTPUTF8", "BODY=8BITMIME"]
            raw = mail.as_bytes(policy=policy.SMTPUTF8 if options else None)
            server.sendmail(sender, [recipient], self._sign(raw) if self._sign else raw, options)
        except smtplib.SMTPNotSupportedError as error:  # an address only SMTPUTF8 can carry
            raise RefusedError(_reason(error)) from None
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = next(iter(error.recipients.values()))
            raise _refusal(code, _plain(f"{code} {_text(answer)}")) from None
        except smtplib.SMTPResponseException as error:
            raise _refusal(error.smtp_code, _reason(error)) from None
        except (smtplib.SMTPException, OSError) as error:
            kind = InDoubtError if server.in_hand else TryAgainError
            raise kind(_reason(error)) from None

    def _envelope_sender(self, mail: EmailMessage) -> str:
        if self._return_path is None:
            return str(mail["From"].addresses[0].addr_spec)
        name, _, domain = self._return_path.rpartition("@")
        own = str(mail["Message-ID"]).strip("<>").partition("@")[0] if name.endswith("+") else ""
        return f"{name}{own}@{domain}"

    def _connect(self) -> _Plain:
        server: _Plain
        if self._security == "tls":
            server = _Encrypted(self._host, self._port, timeout=TIMEOUT_SECONDS, context=self._context)
        else:
            server = _Plain(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            if self._security == "starttls":
                server.starttls(context=self._context)
            if self._user is not None:
                server.login(self._user, self._password or "")
        except BaseException:
            server.close()
            raise
        return server


class _Batch(Mailer):
    """Several mails over one connection, as long as nothing goes wrong on it."""

    def __init__(self, mailer: SmtpMailer) -> None:
        self._mailer = mailer
        self._server: _Plain | None = None
        self._left = 0

    def send(self, mail: EmailMessage) -> None:
        with self.line() as hand_over:
            hand_over(mail)

    @contextmanager
    def line(self) -> Iterator[HandOver]:
        server = self._connected()
        try:
            yield lambda mail: self._mailer.hand_over(server, mail)
        except BaseException:
            self.end()  # whatever it was, the next one begins anew
            raise

    def end(self) -> None:
        if self._server is not None:
            _leave(self._server)
            self._server = None

    def _connected(self) -> _Plain:
        if self._left <= 0 or not _is_alive(self._server):
            self.end()
        if self._server is None:
            self._server, self._left = self._mailer.connect(), MAILS_PER_CONNECTION
        self._left -= 1
        return self._server


def make(settings: Settings, host: str) -> SmtpMailer:
    """The mailer of the settings. Raises ConfigurationError."""
    password = settings.smtp_password
    return SmtpMailer(
        host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_user,
        password.get_secret_value() if password else None,
        sign=signing.make(settings),
        return_path=settings.mail_return_path,
    )


def _is_alive(server: smtplib.SMTP | None) -> bool:
    """Whether a server still listens: it may have hung up on a connection that was kept."""
    try:
        return server is not None and server.noop()[0] == 250
    except (smtplib.SMTPException, OSError):
        return False


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye; what has been sent stays sent even if the server is gone by now."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


# RFC 3463: no such mailbox, no such domain, moved, switched off.
_NOBODY_THERE = re.compile(r"^5\d\d[ -]+5\.(1\.(1|2|3|6|10)|2\.1)\b")


def _refusal(code: int, reason: str) -> Exception:
    if code < 500:
        return TryAgainError(reason, server=code == 421)  # it closes, whatever it was asked
    return RefusedError(reason, gone=_NOBODY_THERE.match(reason) is not None)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _plain(f"{error.smtp_code} {_text(error.smtp_error)}")
    return _plain(f"{type(error).__name__}: {error}")


def _text(answer: bytes | str) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer


def _plain(text: str) -> str:
    """One line without addresses, short enough to store."""
    return re.sub(r"\S+@\S+", "…", " ".join(text.split()))[:300]
