"""Sending a mail: over SMTP, or in development into a folder that the page /dev/mail shows."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from rapport.kit.settings import Settings


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

    @contextmanager
    def batch(self) -> Iterator[Mailer]:
        """One that sends several mails, one after the other, at less cost."""
        yield self


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


def make_mailer(settings: Settings) -> Mailer:
    """The mailer the settings ask for: a folder unless there is a mail server. Raises ConfigurationError."""
    if settings.smtp_host is None:
        return FolderMailer(settings.var_dir / "mail")
    from rapport.outreach import smtp  # it is made of what stands here

    return smtp.make(settings, settings.smtp_host)


def _time_of(mail: EmailMessage) -> datetime:
    at: datetime = mail["Date"].datetime
    return at


def _digest(message_id: str) -> str:
    return hashlib.sha256(message_id.encode()).hexdigest()[:16]
