"""Sending a mail: over SMTP, or in development into a folder that the page /dev/mail shows."""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path

from rapport.kit.settings import Settings

TIMEOUT_SECONDS = 10

# Another mail's id is never broken or encoded, however long it is: programs compare it as it stands.
_HEADERS = HeaderRegistry()
for _name in ("In-Reply-To", "References"):
    _HEADERS.map_to_type(_name, MessageIDHeader)  # type: ignore[arg-type]  # what it is for all others
_POLICY = policy.SMTP.clone(header_factory=_HEADERS)


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


class Mailer(ABC):
    """Sends mails, one at a time."""

    @abstractmethod
    def send(self, mail: EmailMessage) -> None:
        """Hand over a mail. Raises RefusedError or TryAgainError."""


@dataclass(frozen=True)
class StoredMail:
    """A mail in the development folder; `name` is its file's."""

    name: str
    recipient: str
    subject: str
    at: datetime
    text: str


def build_mail(
    *,
    sender: str,
    recipient: str,
    subject: str,
    text: str,
    language: str,
    message_id: str,
    at: datetime,
    answers: str | None = None,
) -> EmailMessage:
    """A mail as it goes over the wire; `answers` is the Message-ID of the one it answers.

    Raises ValueError when a header cannot be written safely.
    """
    mail = EmailMessage(policy=_POLICY)
    # Addresses are built from parts, so that "a@b.no, c@d.no" is an error and not two recipients.
    name, address = parseaddr(sender)
    try:
        mail["From"] = Address(name, addr_spec=address)
        mail["To"] = Address(addr_spec=recipient)
    except (MessageError, IndexError):  # what the parser raises beside ValueError
        raise ValueError("not an address") from None
    mail["Subject"] = " ".join(subject.split())
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id
    if answers is not None:
        mail["In-Reply-To"] = mail["References"] = answers
    # No holiday reply comes back, and no mailing list repeats it.
    mail["Auto-Submitted"] = "auto-generated" if answers is None else "auto-replied"
    mail.set_content(text, charset="utf-8")
    mail["Content-Language"] = language  # after the content, which takes all Content- headers with it
    return mail


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
        body = mail.get_body(("plain",))
        text = body.get_content() if body else ""
        return StoredMail(path.name, str(mail["To"]), str(mail["Subject"]), _time_of(mail), text)


class SmtpMailer(Mailer):
    """Sends over SMTP; `security` is starttls, tls or none. Certificates are checked unless a context says
    otherwise.
    """

    def __init__(
        self,
        host: str,
        port: int,
        security: str = "starttls",
        user: str | None = None,
        password: str | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._security = security
        self._user = user
        self._password = password
        self._context = context or ssl.create_default_context()

    def send(self, mail: EmailMessage) -> None:
        try:
            server = self._connect()
        except (smtplib.SMTPException, OSError) as error:
            # Whatever it is (down, no STARTTLS, wrong password), it is not this mail's fault.
            raise TryAgainError(_reason(error), server=True) from None
        try:
            server.send_message(mail)
        except smtplib.SMTPNotSupportedError as error:  # an address only SMTPUTF8 can carry
            raise RefusedError(_reason(error)) from None
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = next(iter(error.recipients.values()))
            raise _refusal(code, _plain(f"{code} {_text(answer)}")) from None
        except smtplib.SMTPResponseException as error:
            raise _refusal(error.smtp_code, _reason(error)) from None
        except (smtplib.SMTPException, OSError) as error:
            raise InDoubtError(_reason(error)) from None
        finally:
            _leave(server)

    def check(self) -> None:
        """Connect and log in without sending anything. Raises TryAgainError with the reason."""
        try:
            _leave(self._connect())
        except (smtplib.SMTPException, OSError) as error:
            raise TryAgainError(_reason(error), server=True) from None

    def _connect(self) -> smtplib.SMTP:
        server: smtplib.SMTP
        if self._security == "tls":
            server = smtplib.SMTP_SSL(self._host, self._port, timeout=TIMEOUT_SECONDS, context=self._context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_SECONDS)
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
    """The mailer the settings ask for: a folder unless there is a mail server."""
    if settings.smtp_host is None:
        return FolderMailer(settings.var_dir / "mail")
    password = settings.smtp_password
    return SmtpMailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_user,
        password.get_secret_value() if password else None,
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
        return TryAgainError(reason)
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
