"""The mailbox whose mails are answered: a thread that fetches what is new.

A mail is marked as seen only after it was stored. What was stored and not marked comes again and changes
nothing; so nothing is lost, and nothing is taken twice.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from imap_tools import AND, BaseMailBox

from rapport.channels.mail_connection import Account, reason
from rapport.kit import clock

log = logging.getLogger(__name__)

# How often to look where the server does not tell, and at the latest where it does.
POLL_SECONDS = 20.0
# How soon to look again after a mail: one that came while we asked to be told of the next is told to nobody.
AGAIN_SECONDS = 1.0
# How soon a server that tells hears that we are about to stop.
SLICE_SECONDS = 0.5
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
# Of each mail only so much is fetched: words come before what hangs on them.
MAX_BYTES = 512 * 1024
# An older one that nobody has read stays as it is, for people: most likely it was there before us.
OLDEST = timedelta(days=7)


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
        context = context or ssl.create_default_context()
        self._account = Account(host, port, security, user, password, folder, context)
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
            with self._account.open():
                return None
        except Exception as error:  # noqa: BLE001 - whatever a server may do
            return reason(error)

    def stop(self, timeout: float = 2.0) -> None:
        """End after the mail in hand."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, take: Callable[[bytes], None]) -> None:
        pause = FIRST_PAUSE
        quiet = AGAIN_SECONDS
        while not self._stopping.is_set():
            try:
                with self._account.open() as box:
                    while not self._stopping.is_set():
                        found = self._take_new(box, take)
                        self._tell(None)
                        pause = FIRST_PAUSE
                        quiet = AGAIN_SECONDS if found else min(2 * quiet, POLL_SECONDS)
                        self._wait(box, quiet)
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a server may do
                self._tell(reason(error))
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _take_new(self, box: BaseMailBox, take: Callable[[bytes], None]) -> bool:
        """Whether there was any."""
        found = False
        since = (clock.now() - OLDEST).date()
        new = AND(seen=False, deleted=False, date_gte=since)
        for uid in sorted(box.uids(new, charset=None), key=int):
            if self._stopping.is_set():
                break
            now = time.monotonic()
            if self._put_off.get(uid, (0.0, 0.0))[0] > now:
                continue
            found = True
            raw = _fetch(box, uid)
            if raw is not None and self._stored(uid, raw, take):
                _mark(box, uid)
        return found

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

    def _wait(self, box: BaseMailBox, longest: float) -> None:
        """Until something may be new, or for `longest` seconds."""
        _, answer = box.client.capability()  # some servers tell what they can only after the login
        seconds = min([longest, *(delay for _, delay in self._put_off.values())])
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
