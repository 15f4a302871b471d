"""Both mailers: one suite for what they share, and the SMTP server's moods for the real one."""

from __future__ import annotations

import ssl
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from rapport.kit.settings import Settings
from rapport.outreach.letter import build_mail
from rapport.outreach.mail import (
    FolderMailer,
    Mailer,
    RefusedError,
    TryAgainError,
    make_mailer,
)
from rapport.outreach.smtp import SmtpMailer
from tests.outreach.server import Server

AT = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


def a_mail(subject: str = "Codul tău – ærlig", message_id: str = "<1@fjordly.example>") -> EmailMessage:
    return build_mail(
        sender='"Fjordly, på nett" <hello@fjordly.example>',
        recipient="ann@example.com",
        subject=subject,
        text="Hei på deg!\n\n    123456\n.\nȘtefan, ¿qué tal?\n",
        language="nb",
        message_id=message_id,
        at=AT,
    )


@pytest.fixture(params=["folder", "smtp"])
def mailer_and_sent(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[Mailer, Callable[[], list[EmailMessage]]]:
    """A mailer and a way to see what arrived."""
    if request.param == "smtp":
        server: Server = request.getfixturevalue("smtp")[0]
        return request.getfixturevalue("smtp_mailer"), lambda: server.taken
    folder = tmp_path / "mail"
    return FolderMailer(folder), lambda: [
        message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(folder.glob("*.eml"))
    ]


def test_a_mail_arrives_as_it_was_written(
    mailer_and_sent: tuple[Mailer, Callable[[], list[EmailMessage]]],
) -> None:
    mailer, sent = mailer_and_sent
    mailer.send(a_mail())
    [mail] = sent()
    assert mail["Subject"] == "Codul tău – ærlig"
    assert mail["To"] == "ann@example.com"
    assert mail["From"].addresses[0].display_name == "Fjordly, på nett"
    assert mail["From"].addresses[0].addr_spec == "hello@fjordly.example"
    assert mail["Date"].datetime == AT
    assert mail["Message-ID"] == "<1@fjordly.example>"
    assert mail["Content-Language"] == "nb"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().splitlines() == ["Hei på deg!", "", "    123456", ".", "Ștefan, ¿qué tal?"]


def test_two_mails_are_two(mailer_and_sent: tuple[Mailer, Callable[[], list[EmailMessage]]]) -> None:
    mailer, sent = mailer_and_sent
    mailer.send(a_mail())
    mailer.send(a_mail(message_id="<2@fjordly.example>"))
    assert {mail["Message-ID"] for mail in sent()} == {"<1@fjordly.example>", "<2@fjordly.example>"}


def test_nothing_can_be_smuggled_into_headers() -> None:
    mail = a_mail("Hi\r\nBcc: eve@example.com\r\n\r\nbody")
    assert mail["Bcc"] is None
    assert b"\nBcc:" not in mail.as_bytes()
    for recipient in ["a@b.no, eve@example.com", "a@b.no\r\nBcc: eve@example.com", "", "Ann <a@b.no>"]:
        with pytest.raises(ValueError):
            build_mail(
                sender="Shop <s@shop.no>",
                recipient=recipient,
                subject="s",
                text="t",
                language="en",
                message_id="<1@x>",
                at=AT,
            )


def test_the_folder_lists_and_reads(tmp_path: Path) -> None:
    mailer = FolderMailer(tmp_path / "mail")
    assert mailer.list() == []
    mailer.send(a_mail())
    mailer.send(a_mail())  # a repeat of the same mail
    [stored] = mailer.list()
    assert (stored.recipient, stored.subject, stored.at) == ("ann@example.com", "Codul tău – ærlig", AT)
    assert "123456" in stored.text
    assert mailer.read(stored.name) == stored
    assert stat.S_IMODE((tmp_path / "mail" / stored.name).stat().st_mode) == 0o600


def test_the_newest_mail_comes_first(tmp_path: Path) -> None:
    mailer = FolderMailer(tmp_path / "mail")
    for number in range(10):
        mailer.send(a_mail(subject=str(number), message_id=f"<{number}@fjordly.example>"))
        time.sleep(0.01)  # a file's time is no finer than the kernel's clock tick
    assert [stored.subject for stored in mailer.list()] == [str(number) for number in reversed(range(10))]


@pytest.mark.parametrize(
    "name", ["../secret.eml", "/etc/passwd", "", "x.eml", "20260301-120005-0.eml\n", "\0"]
)
def test_the_folder_reads_nothing_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.eml").write_text("To: x@y.no\n\nsecret")
    assert FolderMailer(tmp_path / "mail").read(name) is None


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("in the way")
    with pytest.raises(TryAgainError):
        FolderMailer(tmp_path / "mail").send(a_mail())


def test_smtp_is_encrypted(smtp: tuple[Server, Controller], smtp_mailer: SmtpMailer) -> None:
    smtp_mailer.check()
    smtp_mailer.send(a_mail())
    assert smtp[0].secured == [True]


@pytest.mark.parametrize("stage", ["answer", "data_answer"])
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("451 4.7.1 ann@example.com: come back later", TryAgainError),
        ("421 too busy", TryAgainError),
        ("550 5.1.1 <ann@example.com>: no such user", RefusedError),
        ("554 no", RefusedError),
    ],
)
def test_the_servers_answer_decides(
    smtp: tuple[Server, Controller],
    smtp_mailer: SmtpMailer,
    stage: str,
    reply: str,
    error: type[Exception],
) -> None:
    setattr(smtp[0], stage, reply)
    with pytest.raises(error) as caught:
        smtp_mailer.send(a_mail())
    assert str(caught.value).startswith(reply[:3])
    assert "ann@" not in str(caught.value)
    assert smtp[0].taken == []


def test_trouble_before_the_mail_is_tried_again(smtp: tuple[Server, Controller], certificate: Path) -> None:
    port = smtp[1].port
    trusting = ssl.create_default_context(cafile=certificate / "cert.pem")
    for mailer in [
        SmtpMailer("localhost", port, "starttls", "shop", "wrong", trusting),
        SmtpMailer("localhost", port, "starttls", "shop", "secret"),  # a certificate nobody vouches for
        SmtpMailer("localhost", port, "tls", "shop", "secret", trusting),
        SmtpMailer("localhost", 1, "none"),
        SmtpMailer("no-such-host.invalid", port, "none"),
    ]:
        with pytest.raises(TryAgainError):
            mailer.send(a_mail())
        with pytest.raises(TryAgainError):
            mailer.check()
    assert smtp[0].taken == []


def test_settings_choose_the_mailer(settings: Settings) -> None:
    assert isinstance(make_mailer(settings), FolderMailer)
    assert isinstance(make_mailer(settings.model_copy(update={"smtp_host": "mail.example"})), SmtpMailer)
