"""The way to a mailbox: a connection that is encrypted, logged in and has the folder open."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from imap_tools import (
    BaseMailBox,
    ImapToolsError,
    MailBox,
    MailboxFolderSelectError,
    MailBoxStartTls,
    MailBoxUnencrypted,
)

TIMEOUT_SECONDS = 10


class WrongLoginError(OSError):
    """The server does not know user and password."""


class NoEncryptionError(OSError):
    """The server offers no STARTTLS."""


class _StartTls(MailBoxStartTls):
    def _get_mailbox_client(self) -> imaplib.IMAP4:
        """As the library does it, but the connection is closed when it cannot be encrypted."""
        client = imaplib.IMAP4(self._host, self._port, timeout=self._timeout)
        try:
            if "STARTTLS" not in client.capabilities:
                raise NoEncryptionError
            client.starttls(self._ssl_context)
        except BaseException:
            with suppress(OSError):
                client.shutdown()
            raise
        return client


@dataclass(frozen=True)
class Account:
    """A mailbox at a server; `security` is tls, starttls or none."""

    host: str
    port: int
    security: str
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    @contextmanager
    def open(self) -> Iterator[BaseMailBox]:
        """A connection that is logged in and has the folder open."""
        box = self._connect()
        try:
            self._log_in(box)
            box.folder.set(self.folder)
            yield box
        finally:
            # Not LOGOUT first: a server that hangs would keep us.
            with suppress(Exception):
                box.client.shutdown()

    def _log_in(self, box: BaseMailBox) -> None:
        user, password = self.user, self.password
        try:
            login = box.login if (user + password).isascii() else box.login_utf8
            login(user, password, initial_folder=None)
        except imaplib.IMAP4.abort:  # the connection broke
            raise
        except (ImapToolsError, imaplib.IMAP4.error):
            raise WrongLoginError from None

    def _connect(self) -> BaseMailBox:
        if self.security == "tls":
            return MailBox(self.host, self.port, timeout=TIMEOUT_SECONDS, ssl_context=self.context)
        if self.security == "starttls":
            return _StartTls(self.host, self.port, timeout=TIMEOUT_SECONDS, ssl_context=self.context)
        return MailBoxUnencrypted(self.host, self.port, timeout=TIMEOUT_SECONDS)


def reason(error: Exception) -> str:
    """In words without addresses: what a server says may hold them."""
    if isinstance(error, NoEncryptionError):
        return "the server offers no STARTTLS: see RAPPORT_IMAP_SECURITY"
    if isinstance(error, WrongLoginError):
        return "the server does not take RAPPORT_IMAP_USER and RAPPORT_IMAP_PASSWORD"
    if isinstance(error, MailboxFolderSelectError):
        return "there is no folder as RAPPORT_IMAP_FOLDER names it"
    if isinstance(error, ssl.SSLError):
        return f"the server's encryption or certificate ({error.reason or type(error).__name__})"
    if isinstance(error, OSError):
        return f"the server cannot be reached ({type(error).__name__})"
    return f"the server breaks off ({type(error).__name__})"
