"""A mail as it comes: charsets, parts, machines and what comes back."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage

import pytest

from rapport.channels.base import Report
from rapport.channels.mail_reading import Mail, read
from tests.channels.fakes.mailbox import USER, a_mail

ANN = "ann@example.com"


def raw(*lines: str | bytes, body: bytes | str = b"Where is my order?") -> bytes:
    head = [line if isinstance(line, bytes) else line.encode() for line in lines]
    given = [b"From: Ann <ann@example.com>", b"Message-ID: <1@example.com>", *head]
    return b"\r\n".join([*given, b"", body if isinstance(body, bytes) else body.encode()])


def parsed(mail: EmailMessage) -> Mail:
    return read(mail.as_bytes(policy=policy.SMTP), {USER})


def test_a_plain_mail() -> None:
    mail = a_mail(
        "Ann.Berg@Example.com", "Hei på deg!\n\n-- \nAnn", subject="Spørsmål – æøå", message_id="<a.1@b.no>"
    )
    mail["Content-Language"] = "nb"
    assert parsed(mail) == Mail(
        id="<a.1@b.no>",
        sender="ann.berg@example.com",
        subject="Spørsmål – æøå",
        text="Hei på deg!",
        language="nb",
        attached=None,
        automatic=False,
    )


def test_alternatives_and_attachments() -> None:
    mail = a_mail(ANN, "Plain words")
    mail.add_alternative("<p>Other <b>words</b></p>", subtype="html")
    assert (parsed(mail).text, parsed(mail).attached) == ("Plain words", None)
    mail.add_attachment(b"%PDF", "application", "pdf", filename="a.pdf")
    mail.add_attachment("read me", filename="a.txt")
    assert (parsed(mail).text, parsed(mail).attached) == ("Plain words", "file")
    html = a_mail(ANN)
    html.set_content("<p>Only&nbsp;<b>this</b></p><blockquote>old</blockquote>", subtype="html")
    assert parsed(html).text == "Only this"
    empty = a_mail(ANN, "")
    empty.add_alternative("<p>Words after all</p>", subtype="html")
    assert parsed(empty).text == "Words after all"


@pytest.mark.parametrize(
    ("main", "sub", "what"),
    [
        ("image", "png", "image"),
        ("audio", "ogg", "voice"),
        ("video", "mp4", "video"),
        ("text", "vcard", "contact"),
        ("application", "zip", "file"),
        ("text", "calendar", "file"),
    ],
)
def test_what_hangs_on_it(main: str, sub: str, what: str) -> None:
    mail = a_mail(ANN, "")
    mail.add_attachment(b"x", main, sub, filename="x")
    assert parsed(mail).attached == what
    mail.add_attachment(b"x", "image", "gif", filename="logo.gif")
    assert parsed(mail).attached == (what if what != "image" else "image")


def test_a_mail_within_a_mail_is_not_read() -> None:
    inner = a_mail("eve@example.com", "Cancel my order!", message_id="<inner@example.com>")
    for _ in range(3):
        outer = a_mail(ANN, "See below")
        outer.add_attachment(inner)
        inner = outer
    assert (parsed(outer).text, parsed(outer).attached) == ("See below", "file")


@pytest.mark.parametrize(
    ("charset", "encoding", "body"),
    [
        ("utf-8", "8bit", "Hvor er pakken på 5 €?".encode()),
        ("iso-8859-1", "8bit", "Hvor er pakken på 5 ¤?".encode("iso-8859-1")),
        ("utf-8", "quoted-printable", b"Hvor er pakken p=C3=A5 5 =E2=82=AC?"),
        ("utf-8", "base64", b"SHZvciBlciBwYWtrZW4gcMOlIDUg4oKsPw=="),
        ("us-ascii", "8bit", "Hvor er pakken på 5 €?".encode()),  # a lie
        ("utf-8", "8bit", "Hvor er pakken på 5 €?".encode("cp1252")),  # another
        ("x-unknown", "8bit", "Hvor er pakken på 5 €?".encode()),
        ("x-unknown", "8bit", "Hvor er pakken på 5 €?".encode("cp1252")),
        ("hex", "8bit", "Hvor er pakken på 5 €?".encode()),
        ("punycode", "8bit", "Hvor er pakken på 5 €?".encode()),
        ("", "8bit", "Hvor er pakken på 5 €?".encode()),
        ("\0", "8bit", "Hvor er pakken på 5 €?".encode()),
        ("utf-16", "base64", b"//5IAHYAbwByACAAZQByACAAcABhAGsAawBlAG4AIABwAOUAIAA1ACAArCA/AA=="),
        ("utf-8", "x-unknown", "Hvor er pakken på 5 €?".encode()),
    ],
)
def test_charsets_true_wrong_and_unknown(charset: str, encoding: str, body: bytes) -> None:
    head = f'Content-Type: text/plain; charset="{charset}"', f"Content-Transfer-Encoding: {encoding}"
    assert read(raw(*head, body=body)).text in ("Hvor er pakken på 5 €?", "Hvor er pakken på 5 ¤?")


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"Subject: =?utf-8?q?=C3=86rlig?=", "Ærlig"),
        (b"Subject: =?iso-8859-1?Q?=C6rlig?= talt", "Ærlig talt"),
        ("Subject: Ærlig".encode(), "Ærlig"),
        ("Subject: Ærlig".encode("cp1252"), "Ærlig"),
        (b"Subject: =?x-unknown?b?w4ZybGln?=", "Ærlig"),
        (b"Subject: =?utf-8?b?not base64!?=", None),
        (b"Subject: a\r\n  b", "a b"),
        (b"X: y", ""),
        (b"Subject:", ""),
    ],
)
def test_subjects(header: bytes, subject: str | None) -> None:
    found = read(raw(header)).subject
    assert subject is None or found == subject


def test_who_it_is_from() -> None:
    assert read(raw("Reply-To: other@example.com")).sender == "other@example.com"
    assert read(raw("Reply-To: nonsense@")).sender == ANN
    assert read(raw("Reply-To: a@example.com, b@example.com")).sender is None
    for line in (b"From: \xff\xfe", b"From: Ann", b"From: <>", b"From: a@b@c", b"To: x"):
        assert read(line + b"\r\n\r\nhello").sender is None
    assert read(b"").sender is None


def test_ids() -> None:
    assert read(raw()).id == "<1@example.com>"
    without = b"From: ann@example.com\r\n\r\nhello"
    assert read(without).id == read(without).id != read(without + b"!").id
    for odd in (b"nonsense", b"<>", b"<a b@c>", b"<" + b"x" * 300 + b"@c>", b"<a\xff@c>"):
        found = read(b"Message-ID: " + odd + b"\r\n" + without).id
        assert found.startswith("sha256:") and len(found) <= 200


@pytest.mark.parametrize(
    "line",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated (holiday)",
        "auto-submitted: AUTO-NOTIFIED; x=y",
        "Precedence: bulk",
        "Precedence: Junk",
        "Precedence: list",
        "List-Id: <news.example.com>",
        "List-Unsubscribe: <mailto:x@example.com>",
        "X-Autoreply: yes",
        "X-Auto-Response-Suppress: DR, OOF, AutoReply",
        "X-Spam-Flag: YES",
        "Return-Path: <>",
        "Sender: mailer-daemon@example.com",
        "Reply-To: noreply@example.com",
        f"Sender: {USER.upper()}",
        "Subject: Automatic reply: Your order",
        "Subject: Respuesta automática: x",
        "Subject: Autosvar: x",
        "Subject: =?utf-8?q?R=C4=83spuns_automat=3A_x?=",
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=x",
    ],
)
def test_what_no_person_wrote(line: str) -> None:
    assert read(raw(line), {USER}).automatic


@pytest.mark.parametrize(
    "sender",
    [
        "MAILER-DAEMON@example.com",
        "noreply@example.com",
        "no-reply@x.example.com",
        "do_not_reply@example.com",
        "bounces+123@example.com",
        "postmaster@example.com",
        USER,
    ],
)
def test_who_is_no_person(sender: str) -> None:
    assert parsed(a_mail(sender, "hello")).automatic


@pytest.mark.parametrize(
    "line",
    [
        "Auto-Submitted: no",
        "Precedence: normal",
        "Return-Path: <ann@example.com>",
        "X-Spam-Flag: NO",
        "X: y",
        "Subject: Out of stock?",
        "Subject: I got no reply",
        "X-Auto-Response-Suppress: None",
    ],
)
def test_what_people_write(line: str) -> None:
    assert not read(raw(line), {USER}).automatic
    assert not parsed(a_mail("noreen@example.com", "hello")).automatic


def bounce(action: str = "failed", status: str = "5.1.1", original: str = "message/rfc822") -> bytes:
    lines = f"""From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: {USER}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-ID: <20260301@mx.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.
--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
Arrival-Date: Sun, 1 Mar 2026 12:00:00 +0000

Final-Recipient: rfc822; ann@example.com
Action: {action}
Status: {status} (no such user)
Diagnostic-Code: smtp; 550 5.1.1 <ann@example.com>: Recipient address rejected

--B
Content-Type: {original}

Received: from somewhere
Message-ID: <0123abcd@fjordly.example>
From: Fjordly <{USER}>
To: ann@example.com

Your code is 123456
--B--
"""
    return lines.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("original", ["message/rfc822", "text/rfc822-headers", "message/rfc822-headers"])
def test_bounces(original: str) -> None:
    mail = read(bounce(original=original), {USER})
    assert mail.reports == (Report("<0123abcd@fjordly.example>", "failed", "bounced: 5.1.1", gone=True),)
    assert mail.automatic


def complaint(kind: str = "abuse", original: str = "message/rfc822") -> bytes:
    """As a provider writes it of whom its customer called a sender of spam."""
    lines = f"""From: <feedback@mx.example.com>
To: {USER}
Subject: FW: Your weekly offers
Message-ID: <20260302@mx.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="B"

--B
Content-Type: text/plain; charset=us-ascii

This is an email abuse report.
--B
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{USER}>
Original-Rcpt-To: <redacted@example.com>

--B
Content-Type: {original}

Message-ID: <0123abcd@fjordly.example>
From: Fjordly <{USER}>
Subject: Your weekly offers

Offers
--B--
"""
    return lines.replace("\n", "\r\n").encode()


def test_bounces_that_say_something_else() -> None:
    assert read(bounce("delayed", "4.4.1")).reports == ()
    assert read(bounce("delivered", "2.0.0")).reports == ()
    [full] = read(bounce(status="5.2.2")).reports
    assert (full.reason, full.gone) == ("bounced: 5.2.2", False)
    [odd] = read(bounce(status="nonsense")).reports
    assert (odd.reason, odd.gone) == ("bounced: 5.0.0", False)
    assert read(bounce().replace(b"<0123abcd@fjordly.example>", b"nothing")).reports == ()
    # What claims to be one without being a report is nobody's word.
    assert read(bounce().replace(b"multipart/report", b"multipart/mixed")).reports == ()


@pytest.mark.parametrize("original", ["message/rfc822", "text/rfc822-headers"])
@pytest.mark.parametrize("kind", ["abuse", "Abuse", "fraud", "opt-out"])
def test_complaints(kind: str, original: str) -> None:
    mail = read(complaint(kind, original), {USER})
    assert mail.reports == (Report("<0123abcd@fjordly.example>", "refused", "complaint"),)
    assert mail.automatic


def test_reports_that_complain_of_nothing() -> None:
    for kind in ("not-spam", "auth-failure", "virus", "", "abusive"):
        assert read(complaint(kind)).reports == ()
    assert read(complaint().replace(b"<0123abcd@fjordly.example>", b"gone")).reports == ()
    assert read(complaint().replace(b"message/feedback-report", b"text/plain")).reports == ()


OURS = "0123456789abcdef" * 2


@pytest.mark.parametrize("header", ["To", "Delivered-To", "X-Original-To"])
def test_a_mail_that_came_back_is_known_by_where_to(header: str) -> None:
    """Some servers send nothing of the mail back, or a Message-ID of their own."""
    empty = bounce().replace(b"Message-ID: <0123abcd@fjordly.example>\r\n", b"")
    assert read(empty).reports == ()
    returned = f"{header}: bounces+{OURS}@fjordly.example\r\n".encode()
    if header == "To":
        empty = empty.replace(f"To: {USER}\r\n".encode(), b"", 1)
    assert read(returned + empty).reports == (Report(OURS, "failed", "bounced: 5.1.1", gone=True),)


def test_a_mail_program_that_unsubscribes() -> None:
    for subject in (f"unsubscribe {OURS}", f" Unsubscribe+{OURS.upper()} "):
        assert read(a_mail("ann@example.com", "", subject=subject).as_bytes()).reports == (
            Report(OURS, "refused", "unsubscribed"),
        )
    for subject in ("unsubscribe", f"unsubscribe {OURS} please", f"Re: {OURS}", f"unsubscribe {OURS}0"):
        assert read(a_mail("ann@example.com", "", subject=subject).as_bytes()).reports == ()
