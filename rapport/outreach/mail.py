"""Sending a mail: over SMTP, or in development into a folder that the page /dev/mail shows."""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from rapport.kit.settings import Settings
from rapport.outreach import signing

TIMEOUT_SECONDS = 10


class RefusedError(Exception):
    """The server will not take this mail, now or later; `gone`: nor any other to this address.

    The text holds no address.
    """

    def __init__(self, reason: str, gone: bool = False) -> None:
        super().__init__(reason)
        self.gone = gone


class TryAgainError(Exception):
    """It did not work this time; `server`: nor would it have worked with any other mail.

    The text holds no address.
    """

    def __init__(self, reason: str, server: bool = False) -> None:
        super().__init__(reason)
        self.server = server


class InDoubtError(TryAgainError):
    """The line broke while the mail was handed over: it may be on its way."""


HandOver = Callable[[EmailMessage], None]


class Mailer(ABC):
    """Sends mails, one at a time."""

    @abstractmethod
    def send(self, mail: EmailMessage) -> None:
        """Hand over a mail. Raises RefusedError or TryAgainError."""

    @contextmanager
    def line(self) -> Iterator[HandOver]:
        """What hands a mail over at once: all that takes its time before that is done, so that whoever must
        look whether it may still leave looks right then. Raises TryAgainError.
        """
        yield self.send


@dataclass(frozen=True)
class StoredMail:
    """A mail in the development folder; `name` is its file's."""

    name: str
    recipient: str
    subject: str
    at: datetime
    text: str
    html: str | None = None


class FolderMailer(Mailer):
    """Writes each mail as an .eml file. The same Message-ID always lands in the same file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, mail: EmailMessage) -> None:
        name = f"{_time_of(mail):%Y%m%d-%H%M%S}-{_digest(mail['Message-ID'])}.eml"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Readers never see half a file.
            part = self._folder / f".{name}.part"
            part.write_bytes(mail.as_bytes())
            part.chmod(0o600)
            part.replace(self._folder / name)
        except OSError as error:
            raise TryAgainError(f"cannot write to {self._folder}: {error.strerror}", server=True) from None

    def list(self) -> list[StoredMail]:
        """Every mail, the newest first."""
        # By when it was written, as a mail's own date knows no fractions of a second.
        paths = sorted(self._folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [self._load(path) for path in paths]

    def read(self, name: str) -> StoredMail | None:
        """One mail by its file's name, or None. Any other path is none."""
        if not re.fullmatch(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{16}\.eml", name):
            return None
        path = self._folder / name
        return self._load(path) if path.is_file() else None

    def _load(self, path: Path) -> StoredMail:
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
        return StoredMail(
            path.name,
            str(mail["To"]),
            str(mail["Subject"]),
            _time_of(mail),
            plain.get_content() if plain else "",
            html.get_content() if html else None,
        )


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
        try:
            server = self._connect()
        except (smtplib.SMTPException, OSError) as error:
            # Whatever it is (down, no STARTTLS, wrong password), it is not this mail's fault.
            raise TryAgainError(_reason(error), server=True) from None
        try:
            yield lambda mail: self._hand_over(server, mail)
        finally:
            _leave(server)

    def _hand_over(self, server: _Plain, mail: EmailMessage) -> None:
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

    def check(self) -> None:
        """Connect and log in without sending anything. Raises TryAgainError with the reason."""
        try:
            _leave(self._connect())
        except (smtplib.SMTPException, OSError) as error:
            raise TryAgainError(_reason(error), server=True) from None

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


def make_mailer(settings: Settings) -> Mailer:
    """The mailer the settings ask for: a folder unless there is a mail server. Raises ConfigurationError."""
    if settings.smtp_host is None:
        return FolderMailer(settings.var_dir / "mail")
    password = settings.smtp_password
    return SmtpMailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_user,
        password.get_secret_value() if password else None,
        sign=signing.make(settings),
        return_path=settings.mail_return_path,
    )


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


def _time_of(mail: EmailMessage) -> datetime:
    at: datetime = mail["Date"].datetime
    return at


def _digest(message_id: str) -> str:
    return hashlib.sha256(message_id.encode()).hexdigest()[:16]
