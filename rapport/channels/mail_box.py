"""The mailbox whose mails are answered: a thread that fetches what is new.

A mail is marked as seen only after it was stored. What was stored and not marked comes again and changes
nothing; so nothing is lost, and nothing is taken twice.
"""

from __future__ import annotations

import imaplib
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from imap_tools import (
    AND,
    BaseMailBox,
    ImapToolsError,
    MailBox,
    MailboxFolderSelectError,
    MailBoxStartTls,
    MailBoxUnencrypted,
)

from rapport.kit import clock

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
# How often to look where the server does not tell, and at the latest where it does.
POLL_SECONDS = 20.0
# How soon a server that tells hears that we are about to stop.
SLICE_SECONDS = 0.5
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
# Of each mail only so much is fetched: words come before what hangs on them.
MAX_BYTES = 512 * 1024
# An older one that nobody has read stays as it is, for people: most likely it was there before us.
OLDEST = timedelta(days=7)

TROUBLES = (ImapToolsError, imaplib.IMAP4.error, OSError, ValueError)


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


class Fetcher:
    """Gives each new mail in the folder to `take`, which stores it or raises; then marks it as seen."""

    def __init__(
        self,
        host: str,
        port: int,
        security: str,
        user: str,
        password: str,
        folder: str = "INBOX",
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._address = host, port
        self._security = security
        self._login = user, password
        self._folder = folder
        self._context = context or ssl.create_default_context()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: str | None = None
        # Mails that could not be stored: uid → (not before, for how long).
        self._put_off: dict[str, tuple[float, float]] = {}

    def start(self, take: Callable[[bytes], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(take,), name="mailbox", daemon=True)
        self._thread.start()

    def trouble(self) -> str | None:
        """Log in once and open the folder: what is wrong, or None."""
        try:
            with self._open():
                return None
        except TROUBLES as error:
            return _reason(error)

    def stop(self, timeout: float = 2.0) -> None:
        """End after the mail in hand."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, take: Callable[[bytes], None]) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                with self._open() as box:
                    while not self._stopping.is_set():
                        self._take_new(box, take)
                        self._tell(None)
                        pause = FIRST_PAUSE
                        self._wait(box)
            except TROUBLES as error:
                self._tell(_reason(error))
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    @contextmanager
    def _open(self) -> Iterator[BaseMailBox]:
        """A connection that is logged in and has the folder open. Raises what TROUBLES lists."""
        box = self._connect()
        try:
            self._log_in(box)
            box.folder.set(self._folder)
            yield box
        finally:
            # Not LOGOUT first: a server that hangs would keep us.
            with suppress(*TROUBLES):
                box.client.shutdown()

    def _log_in(self, box: BaseMailBox) -> None:
        user, password = self._login
        try:
            login = box.login if (user + password).isascii() else box.login_utf8
            login(user, password, initial_folder=None)
        except imaplib.IMAP4.abort:  # the connection broke
            raise
        except (ImapToolsError, imaplib.IMAP4.error):
            raise WrongLoginError from None

    def _connect(self) -> BaseMailBox:
        host, port = self._address
        if self._security == "tls":
            return MailBox(host, port, timeout=TIMEOUT_SECONDS, ssl_context=self._context)
        if self._security == "starttls":
            return _StartTls(host, port, timeout=TIMEOUT_SECONDS, ssl_context=self._context)
        return MailBoxUnencrypted(host, port, timeout=TIMEOUT_SECONDS)

    def _take_new(self, box: BaseMailBox, take: Callable[[bytes], None]) -> None:
        since = (clock.now() - OLDEST).date()
        new = AND(seen=False, deleted=False, date_gte=since)
        for uid in sorted(box.uids(new, charset=None), key=int):
            if self._stopping.is_set():
                return
            now = time.monotonic()
            if self._put_off.get(uid, (0.0, 0.0))[0] > now:
                continue
            raw = _fetch(box, uid)
            if raw is not None and self._stored(uid, raw, take):
                _mark(box, uid)

    def _stored(self, uid: str, raw: bytes, take: Callable[[bytes], None]) -> bool:
        """Whether it is stored; one that cannot be must not keep the others waiting."""
        try:
            take(raw)
        except Exception as error:  # noqa: BLE001 - the database is away, or a fault of ours
            _, last = self._put_off.get(uid, (0.0, 0.0))
            if not last:
                log.error(
                    "A mail could not be stored (%s); it stays unread and is tried again.",
                    type(error).__name__,
                )
            delay = min(max(2 * last, FIRST_PAUSE), LONGEST_PAUSE)
            self._put_off[uid] = time.monotonic() + delay, delay
            return False
        self._put_off.pop(uid, None)
        return True

    def _wait(self, box: BaseMailBox) -> None:
        """Until something may be new."""
        _, answer = box.client.capability()  # some servers tell what they can only after the login
        seconds = min([POLL_SECONDS, *(delay for _, delay in self._put_off.values())])
        if b"IDLE" not in b" ".join(answer).upper().split():
            self._stopping.wait(seconds)
            return
        end = time.monotonic() + seconds
        with box.idle as idle:
            while not self._stopping.is_set() and (asked := time.monotonic()) < end:
                told = idle.poll(timeout=SLICE_SECONDS)
                # Nothing, and at once: the line is dead, which the next command will say.
                if told or time.monotonic() - asked < SLICE_SECONDS / 2:
                    return

    def _tell(self, trouble: str | None) -> None:
        """Say once what is wrong, and once that it is right again."""
        if trouble == self._told:
            return
        if trouble is not None:
            log.error("Mails cannot be fetched: %s. Trying again until it works; nothing is lost.", trouble)
        else:
            log.info("Mails are being fetched again.")
        self._told = trouble


def _fetch(box: BaseMailBox, uid: str) -> bytes | None:
    """A mail's first part; None when it has gone."""
    status, answer = box.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MAX_BYTES}>)")
    if status != "OK":
        raise OSError(f"FETCH: {status}")
    return next((item[1] for item in answer if isinstance(item, tuple)), None)


def _mark(box: BaseMailBox, uid: str) -> None:
    # Not the library's own flag(): it also expunges what people have marked as deleted.
    status, _ = box.client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)")
    if status != "OK":
        raise OSError(f"STORE: {status}")


def _reason(error: Any) -> str:
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
