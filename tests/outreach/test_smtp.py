"""The outbox and a real mail server: encrypted, logged in, greylisted, put off, cut off, killed, signed."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dkim
import pytest
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from sqlalchemy import Engine

from rapport.kit import clock
from rapport.kit.database import read_scope
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import ROOT, Settings, get_settings
from rapport.outreach import letter, repository, rules, signing
from rapport.outreach import smtp as smtp_module
from rapport.outreach.mail import InDoubtError, RefusedError
from rapport.outreach.smtp import SmtpMailer
from rapport.outreach.tasks import send_due
from tests.outreach.queueing import ANN, a_customer, queue, row
from tests.outreach.server import PASSWORD, USER, Server, authenticate
from tests.outreach.test_letter import a_row
from tests.ports import free_port
from tests.running import until

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday morning: nobody is asleep


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def server(smtp: tuple[Server, Controller]) -> Server:
    return smtp[0]


@pytest.fixture
def ann(sqlite_engine: Engine) -> int:
    return a_customer(sqlite_engine)


def send_later(engine: Engine, mailer: SmtpMailer, after: timedelta = timedelta(0)) -> int:
    with clock.freeze(NOW + after):
        return send_due(engine, mailer)


# --- what servers do ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_it_is_encrypted_from_the_first_byte(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server = Server()
    # To aiosmtpd TLS from the first byte on is none when it asks whether a login is safe: it warns.
    controller = Controller(
        server,
        "127.0.0.1",
        free_port(),
        ssl_context=context,
        auth_required=True,
        auth_require_tls=False,
        authenticator=authenticate,
    )
    controller.start()
    try:
        trusting = ssl.create_default_context(cafile=certificate / "cert.pem")
        SmtpMailer("localhost", controller.port, "tls", USER, PASSWORD, trusting).send(
            letter.write(get_settings(), a_row())
        )
    finally:
        controller.stop()
    assert server.logged_in == [True]


def test_greylisting_takes_it_the_second_time(
    sqlite_engine: Engine, ann: int, server: Server, smtp_mailer: SmtpMailer
) -> None:
    server.greylisting = True
    queue(sqlite_engine, ann)
    assert send_later(sqlite_engine, smtp_mailer) == 0
    found = row(sqlite_engine)
    assert (found.status, (found.last_error or "")[:9]) == ("queued", "451 4.7.1")
    assert ANN not in (found.last_error or "")
    assert send_later(sqlite_engine, smtp_mailer, rules.FIRST_DELAY) == 1
    [mail] = server.taken
    assert (mail["Message-ID"], mail.get_content_type()) == (found.message_id, "multipart/alternative")
    assert (server.secured, server.logged_in) == ([True], [True])


def test_it_is_put_off_for_hours_and_arrives(
    sqlite_engine: Engine, ann: int, server: Server, smtp_mailer: SmtpMailer
) -> None:
    server.answers.extend(["450 4.2.0 mailbox busy"] * 14)
    queue(sqlite_engine, ann)
    while row(sqlite_engine).status == "queued":
        send_later(sqlite_engine, smtp_mailer, row(sqlite_engine).next_attempt_at - NOW)
    sent = row(sqlite_engine)
    assert (sent.status, sent.attempts, len(server.taken)) == ("sent", 15, 1)
    assert sent.sent_at is not None and sent.sent_at - NOW > timedelta(hours=5)


def test_a_server_that_closes_is_left_alone(
    sqlite_engine: Engine, ann: int, server: Server, smtp_mailer: SmtpMailer
) -> None:
    server.answers.append("421 4.3.2 closing")
    queue(sqlite_engine, ann, keys=["a", "b"])
    assert send_later(sqlite_engine, smtp_mailer) == 0
    assert [row(sqlite_engine, key).attempts for key in "ab"] == [1, 0]
    assert send_later(sqlite_engine, smtp_mailer, rules.FIRST_DELAY) == 2


def test_where_nobody_is_nothing_more_goes(
    sqlite_engine: Engine, ann: int, server: Server, smtp_mailer: SmtpMailer
) -> None:
    server.answer = f"550 5.1.1 <{ANN}>: user unknown"
    queue(sqlite_engine, ann)
    assert send_later(sqlite_engine, smtp_mailer) == 0
    assert row(sqlite_engine).status == "failed"
    with read_scope(sqlite_engine) as session:
        assert repository.unreachable(session, ANN) == "550 5.1.1 … user unknown"


def test_a_line_that_breaks_after_the_mail_is_a_doubt(
    sqlite_engine: Engine, ann: int, server: Server, smtp_mailer: SmtpMailer
) -> None:
    queue(sqlite_engine, ann, "tips", ["unasked"])
    queue(sqlite_engine, ann, "case_answer", ["asked"])
    server.drops = 2
    assert send_later(sqlite_engine, smtp_mailer) == 0
    assert row(sqlite_engine, "unasked").status == "unknown"
    assert send_later(sqlite_engine, smtp_mailer, timedelta(days=1)) == 1
    ids = [mail["Message-ID"] for mail in server.taken]
    asked = row(sqlite_engine, "asked").message_id
    assert sorted(ids) == sorted([row(sqlite_engine, "unasked").message_id, asked, asked])


def test_a_line_that_breaks_before_the_mail_is_none(
    sqlite_engine: Engine, ann: int, server: Server, smtp_mailer: SmtpMailer
) -> None:
    queue(sqlite_engine, ann)
    server.drops_at_mail = True
    assert send_later(sqlite_engine, smtp_mailer) == 0
    assert row(sqlite_engine).status == "queued"
    server.drops_at_mail = False
    assert send_later(sqlite_engine, smtp_mailer, rules.FIRST_DELAY) == 1


def test_a_worker_that_is_killed_while_the_server_has_the_mail(
    sqlite_engine: Engine,
    ann: int,
    server: Server,
    smtp: tuple[Server, Controller],
    smtp_mailer: SmtpMailer,
    tmp_path: Path,
) -> None:
    """kill -9 over two mails at once: what nobody asked for, and what somebody waits for."""
    worker = f"""
import datetime, ssl, threading
from rapport.kit import clock
from rapport.kit.database import make_engine
from rapport.outreach.smtp import SmtpMailer
from rapport.outreach.tasks import send_due
still = clock.freeze(datetime.datetime.fromisoformat("{NOW.isoformat()}"))
still.__enter__()
engine = make_engine("sqlite:///{tmp_path / "rapport.db"}")
trusting = ssl._create_unverified_context()
mailer = SmtpMailer("localhost", {smtp[1].port}, "starttls", "{USER}", "{PASSWORD}", trusting)
for _ in range(2):
    threading.Thread(target=send_due, args=(engine, mailer)).start()
"""
    environment = os.environ | {"RAPPORT_VAR_DIR": str(tmp_path)}
    server.holds = True
    for purpose in ("tips", "case_answer"):
        queue(sqlite_engine, ann, purpose, [purpose])
    process = subprocess.Popen([sys.executable, "-c", worker], env=environment, cwd=ROOT)
    try:
        until(lambda: len(server.taken) == 2, 60)
    finally:
        process.kill()
        process.wait()
    server.holds = False
    assert send_later(sqlite_engine, smtp_mailer) == 0, "both leases still hold"
    assert send_later(sqlite_engine, smtp_mailer, rules.LEASE) == 1
    assert row(sqlite_engine, "tips").status == "unknown"
    asked = row(sqlite_engine, "case_answer").message_id
    assert sorted(mail["Message-ID"] == asked for mail in server.taken) == [False, True, True]


def test_a_batch_goes_over_one_connection_as_long_as_that_lasts(
    sqlite_engine: Engine,
    ann: int,
    server: Server,
    smtp_mailer: SmtpMailer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp_module, "MAILS_PER_CONNECTION", 4)
    queue(sqlite_engine, ann, keys=[f"k{number}" for number in range(6)])
    assert send_later(sqlite_engine, smtp_mailer) == 6
    assert len(server.connections) == 2
    mail = letter.write(get_settings(), a_row())
    server.connections.clear()
    with smtp_mailer.batch() as batch:
        batch.send(mail)
        server.drops = 1  # it hangs up, and that mail is in doubt; the next one takes another connection
        with pytest.raises(InDoubtError):
            batch.send(mail)
        batch.send(mail)
    assert len(server.connections) == 2


def test_mails_come_back_to_an_address_that_names_them(
    server: Server, make_smtp_mailer: Callable[..., SmtpMailer]
) -> None:
    mail = letter.write(get_settings(), a_row())
    for return_path in (None, "bounces@fjordly.example", "bounces+@fjordly.example"):
        make_smtp_mailer(return_path=return_path).send(mail)
    assert server.senders == [
        "hello@fjordly.example",
        "bounces@fjordly.example",
        f"bounces+{'ab' * 16}@fjordly.example",
    ]


def test_domains_in_other_scripts(smtp_mailer: SmtpMailer, server: Server) -> None:
    smtp_mailer.send(letter.write(get_settings(), a_row(recipient="ann@bærum.example")))
    assert server.taken[0]["To"] == "ann@bærum.example"
    server.answer = "550 5.7.1 no"
    with pytest.raises(RefusedError):
        smtp_mailer.send(letter.write(get_settings(), a_row()))


# --- signatures --------------------------------------------------------------------------------------------


@pytest.fixture(params=["rsa", "ed25519"])
def signed(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a shop that signs."""
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = (
        rsa.generate_private_key(65537, 2048)
        if request.param == "rsa"
        else ed25519.Ed25519PrivateKey.generate()
    )
    return with_key(settings, tmp_path, private)


def with_key(
    settings: Settings, folder: Path, private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
) -> Settings:
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "dkim.pem").write_bytes(pem)
    names = {"dkim_domain": "fjordly.example", "dkim_selector": "s1", "imap_host": "mail.fjordly.example"}
    return settings.model_copy(update=names | {"dkim_key_file": str(folder / "dkim.pem")})


def is_right(raw: bytes, key: signing.Key) -> bool:
    """Whether a receiving server, which asks the DNS, believes it."""

    def dns(name: bytes, timeout: int = 5) -> bytes:
        assert name.rstrip(b".").decode() == key.name
        return key.record.encode()

    return bool(dkim.verify(raw, dnsfunc=dns))


def test_what_arrives_is_signed(
    signed: Settings, server: Server, make_smtp_mailer: Callable[..., SmtpMailer]
) -> None:
    key = signing.load(signed)
    assert key is not None
    mailer = make_smtp_mailer(sign=signing.make(signed))
    mailer.send(letter.write(signed, a_row(subject="Så ærlig – ¿qué tal, Ștefan?")))
    [raw] = server.raw
    assert is_right(raw, key)
    [mail] = server.taken
    names = {name.strip().lower() for name in mail["DKIM-Signature"].split("h=")[1].split(";")[0].split(":")}
    assert {"from", "to", "subject", "list-unsubscribe", "list-unsubscribe-post"} <= names
    # Nothing of it can be changed, and no other way to "unsubscribe" be added.
    for before, after in [
        (b"List-Unsubscribe: <https://", b"List-Unsubscribe: <https://evil.example/"),
        (b"List-Unsubscribe: <http://", b"List-Unsubscribe: <https://evil.example/"),
        (b"WOOL-1234", b"WOOL-9999"),
        (b"Precedence: ", b"List-Unsubscribe: <https://evil.example>\r\nPrecedence: "),
        (b"Precedence: ", b"From: Eve <eve@evil.example>\r\nPrecedence: "),
    ]:
        assert before not in raw or not is_right(raw.replace(before, after), key)
    assert b"List-Unsubscribe: <http" in raw and b"WOOL-1234" in raw


def test_keys_that_will_not_do(settings: Settings, tmp_path: Path) -> None:
    assert signing.make(settings) is None
    good = with_key(settings, tmp_path, rsa.generate_private_key(65537, 1024))
    key = signing.load(good)
    assert key is not None and key.bits < signing.GOOD_RSA
    assert signing.is_aligned(key, "Shop <hello@news.fjordly.example>")
    assert not signing.is_aligned(key, "Shop <hello@notfjordly.example>")
    (tmp_path / "none.pem").write_text("no key")
    for wrong in (
        {"dkim_selector": ""},
        {"dkim_domain": "fjordly.example; l=1"},
        {"dkim_key_file": str(tmp_path / "none.pem")},
        {"dkim_key_file": str(tmp_path / "nowhere.pem")},
        {"dkim_key_file": str(tmp_path)},
    ):
        with pytest.raises(ConfigurationError) as caught:
            signing.make(good.model_copy(update=wrong))
        assert "RAPPORT_DKIM_" in str(caught.value)
