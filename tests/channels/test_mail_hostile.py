"""Any bytes at all as a mail: nothing raises, nothing harms the database, and nobody keeps us busy."""

from __future__ import annotations

import time
from email import policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.channels import mail_text
from rapport.channels.mail_reading import Mail, read
from tests.channels.fakes.mailbox import USER, a_mail

ANN = "ann@example.com"

HEADERS = ["From", "To", "Subject", "Message-ID", "Reply-To", "Content-Type", "Content-Transfer-Encoding"]
HEADERS += ["Return-Path", "Auto-Submitted", "Precedence", "Content-Disposition", "MIME-Version", "Sender"]
VALUES = [
    "ann@example.com",
    "=?utf-8?b?w4Y=?=",
    "=?",
    "<>",
    '"',
    "text/plain; charset*=x''%ff",
    "multipart/mixed",
]
VALUES += [
    "multipart/report; boundary=b",
    'multipart/mixed; boundary="b"',
    "message/rfc822",
    "text/html",
    "base64",
]
VALUES += [
    "message/delivery-status",
    "(",
    "a:b;",
    "quoted-printable",
    "x-uuencode",
    "multipart/alternative;",
    "@",
]
lines = st.builds(
    lambda name, value: f"{name}: {value}".encode("utf-8", "surrogatepass"),
    st.sampled_from(HEADERS),
    st.one_of(st.sampled_from(VALUES), st.text(max_size=60)),
)
blocks = st.lists(
    st.one_of(lines, st.binary(max_size=60), st.sampled_from([b"", b"--b", b"--b--", b"begin 644 x"])),
    max_size=25,
)


def check(mail: Mail) -> None:
    """Nothing in it harms the database or the answer."""
    assert len(mail.id) <= 200 and mail.id.isascii() and len(mail.subject) <= 200
    for text in (mail.text, mail.subject, mail.id, mail.sender or "", mail.language or ""):
        text.encode()
        assert "\0" not in text
    assert "\n" not in mail.subject


@given(st.binary(max_size=3000))
@settings(max_examples=300, deadline=None)
def test_no_bytes_harm_the_reader(content: bytes) -> None:
    check(read(content))


@given(blocks)
@settings(max_examples=500, deadline=None)
def test_no_mail_harms_the_reader(content: list[bytes]) -> None:
    check(read(b"\r\n".join(content), {USER}))


def test_parts_in_parts_in_parts() -> None:
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(3000)
    )
    mail = read(b"From: ann@example.com\r\n" + deep + b"\r\nhello")
    check(mail)
    assert mail.sender == ANN
    check(read(b"From: ann@example.com\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 5000))


HOSTILE: dict[str, bytes] = {
    "comments": b"From: " + b"(" * 100_000,
    "angles": b"From: " + b"<" * 100_000,
    "addresses": b"From: " + b"a@b.no, " * 50_000,
    "encoded words": b"Subject: " + b"=?a?q?" * 80_000,
    "quotes": b"Content-Type: text/plain; " + b'a="\\";' * 60_000,
    "continuations": b"Content-Type: text/plain; " + b"; ".join(b"a*%d*=x" % n for n in range(40_000)),
    "charset": b"Content-Type: text/plain; charset=" + b"x" * 400_000,
    "lines in parts in parts": b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(200)
    )
    + b"\n" * 500_000,
    "parts": b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\n" * 60_000,
    "headers": b"X: y\r\n" * 80_000,
    "folds": b"Subject: x\r\n" + b" y\r\n" * 120_000,
    "blocks": b'Content-Type: multipart/report; boundary="b"\r\n\r\n--b\r\n'
    b"Content-Type: message/delivery-status\r\n\r\n" + b"Action: x\r\n\r\n" * 40_000,
    "soft breaks": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\n" * 250_000,
    "a letter from the archive": b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\n"
    + b"M\n" * 200_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nobody_can_keep_us_busy(name: str) -> None:
    started = time.monotonic()
    check(read(b"To: x\r\n" + HOSTILE[name][: 512 * 1024]))
    assert time.monotonic() - started < 5


def test_half_a_mail_is_read_as_far_as_it_goes() -> None:
    mail = a_mail(ANN, "Where is my order?")
    mail.add_attachment(b"\0" * 100_000, "application", "pdf", filename="a.pdf")
    whole = mail.as_bytes(policy=policy.SMTP)
    assert read(whole[:20_000]).text == "Where is my order?"
    for end in range(0, 3000, 37):
        check(read(whole[:end]))


def test_what_comes_after_our_limit_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_text, "LONGEST", 100)
    assert len(read(a_mail(ANN, "word " * 1000).as_bytes(policy=policy.SMTP)).text) <= 100
    # A character that our limit cuts in two changes nothing about the others.
    head = b"From: ann@example.com\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    assert read(head + b"x" + "å".encode() * 1000).text.startswith("xåå")
