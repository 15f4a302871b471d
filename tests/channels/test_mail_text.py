"""What is new in a mail: programs, languages and habits."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.channels import mail_text

ASKED = "Where is my order?"

HEADERS = {
    "Gmail, en": "On Tue, 3 Mar 2026 at 10:00, Fjordly <hello@fjordly.example> wrote:",
    "Gmail, es": "El mar, 3 mar 2026 a las 10:00, Fjordly (<hello@fjordly.example>) escribió:",
    "Gmail, nb": "tir. 3. mars 2026 kl. 10:00 skrev Fjordly <hello@fjordly.example>:",
    "Gmail, ro": "mar., 3 mar. 2026 la 10:00, Fjordly <hello@fjordly.example> a scris:",
    "Apple, en": "On 3 Mar 2026, at 10:00, Fjordly <hello@fjordly.example> wrote:",
    "Apple, es": "El 3 mar 2026, a las 10:00, Fjordly <hello@fjordly.example> escribió:",
    "Apple, nb": "3. mars 2026 kl. 10:00 skrev Fjordly <hello@fjordly.example>:",
    "Apple, ro": "Pe 3 mar. 2026, la 10:00, Fjordly <hello@fjordly.example> a scris:",
    "Thunderbird, en": "On 03/03/2026 10:00, Fjordly wrote:",
    "Thunderbird, es": "El 3/3/26 a las 10:00, Fjordly escribió:",
    "Thunderbird, nb": "Den 03.03.2026 10:00, skrev Fjordly:",
    "Thunderbird, ro": "Pe 03.03.2026 10:00, Fjordly a scris:",
    "in two lines": "On Tue, 3 Mar 2026 at 10:00, The Fjordly Shop\n<hello@fjordly.example> wrote:",
    "in three lines": "On Tue, 3 Mar 2026\nat 10:00, The Fjordly Shop\n<hello@fjordly.example> wrote:",
    "Outlook, en": "From: Fjordly <hello@fjordly.example>\nSent: Tuesday\nTo: Ann\nSubject: Hi",
    "Outlook, es": "De: Fjordly <hello@fjordly.example>\nEnviado: martes\nPara: Ann\nAsunto: Hola",
    "Outlook, nb": "Fra: Fjordly <hello@fjordly.example>\nSendt: tirsdag\nTil: Ann\nEmne: Hei",
    "Outlook, ro": "De la: Fjordly <hello@fjordly.example>\nTrimis: marți\nCătre: Ann\nSubiect: Salut",
    "old Outlook": "-----Original Message-----\nFrom: Fjordly",
    "old Outlook, es": "-----Mensaje original-----",
    "old Outlook, nb": "-----Opprinnelig melding-----",
    "old Outlook, ro": "-----Mesajul original-----",
    "forwarded": "---------- Forwarded message ---------\nFrom: Somebody <x@example.com>",
    "forwarded, nb": "---------- Videresendt melding ---------",
    "forwarded by Apple": "Begin forwarded message:\n\nFrom: Somebody <x@example.com>",
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("mark", ["", "> "])
def test_only_what_is_new(name: str, mark: str) -> None:
    quoted = "\n".join(f"{mark}{line}" for line in ("It is on its way.", "", "Anything else?"))
    assert mail_text.new_part(f"{ASKED}\r\n\r\n{HEADERS[name]}\r\n{quoted}\r\n") == ASKED


def test_what_stands_right_above_a_header_stays() -> None:
    for name in ("Gmail, en", "in two lines", "in three lines", "Gmail, nb"):
        text = f"I looked\nin the box\n{HEADERS[name]}\n> What?"
        assert mail_text.new_part(text) == "I looked\nin the box", name


def test_answers_below_and_between() -> None:
    header = HEADERS["Gmail, en"]
    assert mail_text.new_part(f"{header}\n> Which one?\n\nThe blue one.\n-- \nAnn") == "The blue one."
    between = f"{header}\n> Which one?\nThe blue one.\n> And the size?\nM, please."
    assert mail_text.new_part(between) == "The blue one.\nM, please."
    assert mail_text.new_part(f"{header}\nIt is on its way.") == ""


@pytest.mark.parametrize(
    "ending",
    [
        "-- \nAnn Berg\nOslo",
        "--\nAnn",
        "Sent from my iPhone",
        "Sendt fra min iPhone",
        "Enviado desde mi iPad",
        "Trimis de pe iPhone-ul meu",
        "Get Outlook for Android <https://aka.ms/x>",
    ],
)
def test_signatures(ending: str) -> None:
    assert mail_text.new_part(f"{ASKED}\n\n{ending}") == ASKED


@pytest.mark.parametrize(
    "text",
    [
        "On the box it says 20 cm.\nIs that right?",
        "Your colleague wrote:\nit comes on Monday. Does it?",
        "From: Oslo, to: Bergen. How long does that take?",
        "I ordered:\n- a bag\n- a hat",
        "De: la pregunta de ayer",
        "As I wrote at 10:30:\nthe hat is too small.",
        "a -- b",
    ],
)
def test_what_only_looks_like_a_quote_stays(text: str) -> None:
    assert mail_text.new_part(text) == text


def test_html() -> None:
    html = """<html><head><title>x</title><style>p {color: red}</style></head><body>
    <p>Hei &amp; hallo,</p><p>hvor er <b>pakken</b>&nbsp;min?<br>Jeg venter.</p><ul><li>en<li>to</ul>
    <script>alert(1)</script><div class="gmail_quote"><div>On Tue, 3 Mar 2026 at 10:00, Fjordly
    &lt;<a href="x">hello@fjordly.example</a>&gt; wrote:<br></div><blockquote><p>Old &lt;words&gt;</p>
    <blockquote>older</blockquote></blockquote></div></body></html>"""
    found = mail_text.html_to_text(html)
    assert "> Old <words>" in found and "alert" not in found and "color" not in found
    assert mail_text.new_part(found) == "Hei & hallo,\n\nhvor er pakken min?\nJeg venter.\n\n- en\n- to"
    gmail = "<div>one</div><div>two</div><div><br></div><div>three<!-- no --></div>"
    assert mail_text.html_to_text(gmail) == "one\ntwo\n\nthree"


@pytest.mark.parametrize(
    ("subject", "topic", "answer"),
    [
        ("Where is it?", "Where is it?", "Re: Where is it?"),
        ("Re: Where is it?", "", "Re: Where is it?"),
        ("SV: RE: Hei", "", "Re: Hei"),
        ("Fwd: Your order 10023", "Your order 10023", "Re: Fwd: Your order 10023"),
        ("", "", "Fjordly"),
        ("Re:", "", "Fjordly"),
        ("Re[2]: a\r\nBcc: x@y.no", "", "Re: a Bcc: x@y.no"),
    ],
)
def test_subjects(subject: str, topic: str, answer: str) -> None:
    assert mail_text.topic(subject) == topic
    assert mail_text.reply_subject(subject, "Fjordly") == answer


@given(st.text(max_size=2000))
@settings(max_examples=200, deadline=None)
def test_any_text_and_any_html_can_be_read(text: str) -> None:
    for found in (mail_text.new_part(text), mail_text.new_part(mail_text.html_to_text(text))):
        assert "\0" not in found
        found.encode()


HOSTILE = ["> " * 50_000, "On " * 40_000, "<" * 100_000, "<!--" * 25_000, "<div>" * 20_000, "<a b='" * 20_000]
HOSTILE += ["Re: " * 30_000, "\n" * 100_000, "On 2026 10:00 x\n" * 6_000 + "wrote:", "wrote " * 20_000 + ":"]
HOSTILE += ["<![CDATA[" * 10_000, "<!DOCTYPE " * 10_000, "&" * 100_000, "</" * 50_000, "- " * 50_000]
HOSTILE += ["<blockquote>" * 8_000 + "x", "<p" + " a" * 50_000, "<?" * 50_000, "From: a\n" * 12_000]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_nobody_can_keep_us_busy(number: int) -> None:
    started = time.monotonic()
    mail_text.new_part(HOSTILE[number])
    mail_text.new_part(mail_text.html_to_text(HOSTILE[number]))
    mail_text.reply_subject(HOSTILE[number], "x")
    mail_text.topic(HOSTILE[number])
    assert time.monotonic() - started < 3
