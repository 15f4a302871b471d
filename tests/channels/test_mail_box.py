"""The mailbox: nothing lost, nothing twice, whatever server and database do."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymap.config import BackendCapability

from rapport.channels import mail_box
from rapport.channels.mail_box import Fetcher
from tests.channels.fakes.mailbox import PASSWORD, USER, Mailbox, a_mail
from tests.running import until


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    running = Mailbox()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_box, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(mail_box, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(mail_box, "SLICE_SECONDS", 0.05)


@contextmanager
def fetching(mailbox: Mailbox, take: Callable[[bytes], None], **changes: str) -> Iterator[Fetcher]:
    given = {"security": "none", "user": USER, "password": PASSWORD, "folder": "INBOX"} | changes
    fetcher = Fetcher("127.0.0.1", mailbox.port, **given)
    fetcher.start(take)
    try:
        yield fetcher
    finally:
        started = time.monotonic()
        fetcher.stop()
        assert time.monotonic() - started < 2


def subjects(taken: list[bytes]) -> list[str]:
    return [line[9:].decode() for raw in taken for line in raw.splitlines() if line.startswith(b"Subject: ")]


def test_new_mails_are_taken_in_order_and_marked(mailbox: Mailbox) -> None:
    taken: list[bytes] = []
    mailbox.deliver(a_mail("ann@example.com", "seen", subject="seen"), r"(\Seen)")
    mailbox.deliver(a_mail("ann@example.com", "gone", subject="gone"), r"(\Deleted)")
    for number in range(12):
        mailbox.deliver(a_mail("ann@example.com", "hi", subject=f"number {number}"))
    with fetching(mailbox, taken.append):
        until(lambda: len(taken) == 12, 10)
        mailbox.deliver(a_mail("ann@example.com", "hi", subject="late"))  # it is told of at once
        started = time.monotonic()
        until(lambda: len(taken) == 13, 10)
        assert time.monotonic() - started < 3
        until(lambda: mailbox.unseen() == 1, 5)
    assert subjects(taken) == [*(f"number {number}" for number in range(12)), "late"]
    assert mailbox.all() == 15  # nothing was removed


def test_without_idle_it_is_looked_for(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_box, "POLL_SECONDS", 0.1)
    no_idle = property(lambda self: BackendCapability(idle=False, object_id=True, multi_append=True))
    monkeypatch.setattr("pymap.backend.dict.Config.backend_capability", no_idle)
    taken: list[bytes] = []
    with fetching(mailbox, taken.append):
        mailbox.deliver(a_mail("ann@example.com", "hi"))
        until(lambda: len(taken) == 1, 10)


def test_a_mail_that_nobody_told_of_is_found_soon(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imap_tools.idle.IdleManager.poll", lambda self, timeout: time.sleep(timeout))
    taken: list[bytes] = []
    with fetching(mailbox, taken.append):
        for number in (1, 2):
            mailbox.deliver(a_mail("ann@example.com", "hi"))
            until(lambda: len(taken) == number, mail_box.POLL_SECONDS / 4)  # noqa: B023


def test_what_cannot_be_stored_stays_unread_and_keeps_nobody_waiting(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[bytes] = []
    broken = True

    def take(raw: bytes) -> None:
        if broken and b"Subject: odd" in raw:
            raise RuntimeError("a secret of the database")
        taken.append(raw)

    for subject in ("one", "odd", "two"):
        mailbox.deliver(a_mail("ann@example.com", "hi", subject=subject))
    with fetching(mailbox, take):
        until(lambda: len(taken) == 2, 10)
        time.sleep(0.3)
        assert mailbox.unseen() == 1
        broken = False
        until(lambda: len(taken) == 3, 10)
        until(lambda: mailbox.unseen() == 0, 5)
    assert subjects(taken) == ["one", "two", "odd"]
    assert "RuntimeError" in caplog.text and "secret" not in caplog.text
    assert caplog.text.count("could not be stored") == 1


def test_a_kill_between_storing_and_marking_brings_it_again(mailbox: Mailbox) -> None:
    taken: list[bytes] = []
    gone = threading.Event()

    def take(raw: bytes) -> None:
        taken.append(raw)
        if len(taken) == 1:
            mailbox.stop()
            gone.set()

    mailbox.deliver(a_mail("ann@example.com", "hi", message_id="<1@example.com>"))
    with fetching(mailbox, take):
        assert gone.wait(10)
        mailbox.start()
        until(lambda: len(taken) == 2, 10)
        until(lambda: mailbox.unseen() == 0, 5)
    assert taken[0] == taken[1]


def test_a_server_that_goes_away_and_comes_back(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    taken: list[bytes] = []
    mailbox.stop()
    with fetching(mailbox, taken.append):
        until(lambda: "cannot be reached" in caplog.text, 5)
        for number in range(3):
            mailbox.start()
            mailbox.deliver(a_mail("ann@example.com", "hi", subject=f"number {number}"))
            until(lambda: len(taken) == number + 1, 10)  # noqa: B023
            until(lambda: mailbox.unseen() == 0, 5)
            mailbox.stop()
            time.sleep(0.3)
    assert subjects(taken) == ["number 0", "number 1", "number 2"]
    # Once for each time, not once for each attempt.
    assert caplog.text.count("cannot be fetched") <= 8
    assert USER not in caplog.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": "wrong"}, "RAPPORT_IMAP_PASSWORD"),
        ({"password": "wrông"}, "RAPPORT_IMAP_PASSWORD"),
        ({"folder": "Shop/None"}, "RAPPORT_IMAP_FOLDER"),
        ({"security": "tls"}, "encryption"),
        ({"security": "starttls"}, "RAPPORT_IMAP_SECURITY"),
    ],
)
def test_what_is_set_up_wrongly_is_said_once(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture, changes: dict[str, str], said: str
) -> None:
    taken: list[bytes] = []
    mailbox.deliver(a_mail("ann@example.com", "hi"))
    with fetching(mailbox, taken.append, **changes):
        until(lambda: said in caplog.text, 10)
        time.sleep(0.5)
    assert caplog.text.count("cannot be fetched") == 1
    assert USER not in caplog.text and "wrong" not in caplog.text
    assert taken == [] and mailbox.unseen() == 1


def test_huge_mails_are_read_in_part(mailbox: Mailbox) -> None:
    taken: list[bytes] = []
    mail = a_mail("ann@example.com", "Where is my order?")
    mail.add_attachment(b"\0" * 3_000_000, "application", "pdf", filename="a.pdf")
    mailbox.deliver(mail)
    with fetching(mailbox, taken.append):
        until(lambda: taken, 15)
    assert len(taken[0]) == mail_box.MAX_BYTES
    assert b"Where is my order?" in taken[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*request.split(), *names, *files], check=True, capture_output=True)
    return folder


def test_starttls(certificate: Path, caplog: pytest.LogCaptureFixture) -> None:
    mailbox = Mailbox(certificate=(str(certificate / "cert.pem"), str(certificate / "key.pem")))
    try:
        mailbox.deliver(a_mail("ann@example.com", "hi"))
        taken: list[bytes] = []
        with fetching(mailbox, taken.append, security="starttls"):  # a certificate nobody vouches for
            until(lambda: "encryption or certificate" in caplog.text, 10)
            assert taken == []
        trusting = ssl.create_default_context(cafile=certificate / "cert.pem")
        fetcher = Fetcher("127.0.0.1", mailbox.port, "starttls", USER, PASSWORD, context=trusting)
        fetcher.start(taken.append)
        until(lambda: taken, 10)
        fetcher.stop()
    finally:
        mailbox.close()


def test_stopping_does_not_wait_for_a_hanging_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fetcher = Fetcher("127.0.0.1", silent.getsockname()[1], "none", USER, PASSWORD)
        fetcher.start(lambda raw: None)
        time.sleep(0.1)
        started = time.monotonic()
        fetcher.stop(0.2)
        assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"* OK\r\n" + b"x" * 100000,
        b"\xff\xfe\r\n" * 100,
        b"* PREAUTH hello\r\n",
        b"* BYE go away\r\n",
        b"* OK [CAPABILITY IMAP4rev1\r\n* ( {99999999999}\r\n",
    ],
)
def test_a_server_that_speaks_nonsense(said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    taken: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(3):
                try:
                    with server.accept()[0] as connection:
                        connection.sendall(said)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        fetcher = Fetcher("127.0.0.1", server.getsockname()[1], "none", USER, PASSWORD)
        fetcher.start(taken.append)
        until(lambda: "cannot be fetched" in caplog.text, 10)
        time.sleep(0.2)
        assert fetcher._thread is not None and fetcher._thread.is_alive()
        fetcher.stop()
    assert taken == []
