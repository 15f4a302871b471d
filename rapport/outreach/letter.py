"""A mail as it goes over the wire: its words, below them the ways out, the same as HTML, and its headers.

Mails somebody asked for are plain text. What nobody asked for is text and HTML of the same words, says why it
comes, and can be ended with one click (RFC 8058), by a link or by a mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email import policy
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry, MessageIDHeader, UnstructuredHeader
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from rapport.kit import templates
from rapport.kit.settings import Settings
from rapport.outreach.blocks import blocks
from rapport.outreach.compose import shop_name
from rapport.outreach.models import OutboxMessage
from rapport.preferences.links import (
    PREFERENCES,
    no_ones_url,
    preferences_url,
    unsubscribe_url,
    with_own_url,
)

FOLDER = Path(__file__).parent
OTHER = "other"
_WEB_ADDRESS = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9.:-]*(/[!#$&-;=?-Z_a-z~]*)?")

_templates = templates.environment(FOLDER / "templates")


class _Addresses(UnstructuredHeader):
    """Addresses in angle brackets: programs act on them, so none is broken or encoded, however long it is."""

    name: str  # what it is when the registry has made a header of it

    def fold(self, *, policy: EmailPolicy) -> str:
        lines = f",{policy.linesep} ".join(str(self).split(", "))
        return f"{self.name}: {lines}{policy.linesep}"


# Another mail's id is never broken or encoded either: programs compare it as it stands.
_HEADERS = HeaderRegistry()
for _names, _kind in (
    (("In-Reply-To", "References"), MessageIDHeader),
    (("List-Unsubscribe", "List-ID"), _Addresses),
):
    for _name in _names:
        # Half a header, as the registry's own are: it makes a whole one of it.
        _HEADERS.map_to_type(_name, _kind)  # type: ignore[arg-type]
# Seven bits: a signature does not outlive a server that rewrites eight (RFC 6376, 5.3).
_POLICY = policy.SMTP.clone(header_factory=_HEADERS, cte_type="7bit")


class NotReadyError(Exception):
    """Nothing unasked can be sent as things are set up."""


@dataclass(frozen=True)
class Footer:
    """What stands below a mail that nobody asked for."""

    shop: str
    address: str
    why: str
    preferences: str
    preferences_url: str
    unsubscribe: str
    unsubscribe_url: str
    questions: str

    @property
    def text(self) -> str:
        """As plain text. Below no "-- ": programs hide what follows that."""
        return (
            f"--\n{self.why}\n{self.preferences}: {self.preferences_url}\n"
            f"{self.unsubscribe}: {self.unsubscribe_url}\n{self.shop} · {self.questions} {self.address}\n"
        )


@dataclass(frozen=True)
class Letter:
    """A mail's words as they are read."""

    subject: str
    text: str
    html: str


def trouble(settings: Settings) -> str | None:
    """Why nothing unasked is sent as things are set up, or None.

    Nobody could leave by links to a machine they cannot reach, or read who does on the way. Without a mail
    server nothing leaves this machine: that is development, and the demo.
    """
    if settings.smtp_host is None:
        return None
    if not settings.public_url:
        return "RAPPORT_PUBLIC_URL is not set: the links to leave would lead nowhere"
    if not _WEB_ADDRESS.fullmatch(settings.public_url):
        return "RAPPORT_PUBLIC_URL is no https address: the links to leave must be safe"
    return None


def unasked(
    settings: Settings, customer_id: int, purpose: str, subject: str, text: str, language: str
) -> Letter:
    """What nobody asked for as the customer reads it. `purpose` is what they agreed to, or "other"."""
    text = with_own_url(settings, text, customer_id, language)
    return _letter(footer(settings, customer_id, purpose, language), subject, text, language)


def preview(settings: Settings, purpose: str, subject: str, text: str, language: str) -> Letter:
    """The same for staff to look at: nobody leaves by its links."""
    below = replace(
        footer(settings, 0, purpose, language),
        preferences_url=no_ones_url(settings),
        unsubscribe_url=f"{settings.base_url}/u/…",
    )
    return _letter(below, subject, text, language)


def _letter(below: Footer, subject: str, text: str, language: str) -> Letter:
    html = _templates.get_template("letter.html").render(
        subject=" ".join(subject.split()), language=language, blocks=blocks(text), footer=below
    )
    return Letter(subject, f"{text.rstrip()}\n\n{below.text}", html)


def footer(settings: Settings, customer_id: int, purpose: str, language: str) -> Footer:
    """Who writes, why, and the ways out."""
    words = footer_words()[language]
    shop = shop_name()
    why: dict[str, str] = words["why"]
    return Footer(
        shop=shop,
        address=parseaddr(settings.mail_from)[1],
        why=why.get(purpose, why[OTHER]).format(shop=shop),
        preferences=words["preferences"],
        preferences_url=preferences_url(settings, customer_id, language),
        unsubscribe=words["unsubscribe"],
        unsubscribe_url=unsubscribe_url(settings, customer_id, language),
        questions=words["questions"],
    )


def last_line(settings: Settings, customer_id: int, text: str, language: str) -> str:
    """What stands below a text that nobody asked for in a messaging app: where they choose what they hear
    from us; "" when the text says so itself.
    """
    if f"{settings.base_url}{PREFERENCES}/" in text:
        return ""
    words = footer_words()[language]["preferences"]
    return f"{words}: {preferences_url(settings, customer_id, language)}"


@cache
def footer_words() -> dict[str, Any]:
    """What stands in footer.yml, by language."""
    content: dict[str, Any] = yaml.safe_load((FOLDER / "footer.yml").read_text("utf-8"))
    return content


def write(settings: Settings, message: OutboxMessage) -> EmailMessage:
    """The mail of a row of the outbox.

    Raises ValueError when a header cannot be written safely or nobody could unsubscribe, and NotReadyError.
    """
    subject, text, html, headers = message.subject or "", message.text or "", None, None
    if not message.asked:
        if message.customer_id is None:
            raise ValueError("nobody could unsubscribe")
        if why := trouble(settings):
            raise NotReadyError(why)
        letter = unasked(settings, message.customer_id, message.purpose, subject, text, message.language)
        text, html = letter.text, letter.html
        headers = list_headers(settings, message)
    return build_mail(
        sender=settings.mail_from,
        recipient=message.recipient or "",
        subject=subject,
        text=text,
        language=message.language,
        message_id=message.message_id,
        at=message.created_at,
        html=html,
        headers=headers,
    )


def list_headers(settings: Settings, message: OutboxMessage) -> dict[str, str]:
    """How mail programs offer to leave (RFC 2369, RFC 8058), and what keeps robots from answering."""
    assert message.customer_id is not None
    ways = [f"<{unsubscribe_url(settings, message.customer_id, message.language)}>"]
    address = parseaddr(settings.mail_from)[1]
    if settings.imap_host and address.isascii():  # else nobody would read it
        own = message.message_id.strip("<>").partition("@")[0]
        ways.append(f"<mailto:{quote(address, safe='@')}?subject=unsubscribe%20{quote(own)}>")
    domain = address.rpartition("@")[2].encode("idna").decode() or "localhost"
    return {
        "List-ID": f"<{message.purpose.replace('_', '-')}.{domain}>",
        "List-Unsubscribe": ", ".join(ways),
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Precedence": "bulk",
    }


def build_mail(
    *,
    sender: str,
    recipient: str,
    subject: str,
    text: str,
    language: str,
    message_id: str,
    at: datetime,
    answers: str | None = None,
    html: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> EmailMessage:
    """A mail as it goes over the wire; `answers` is the Message-ID of the one it answers.

    Raises ValueError when a header cannot be written safely.
    """
    mail = EmailMessage(policy=_POLICY)
    # Addresses are built from parts, so that "a@b.no, c@d.no" is an error and not two recipients.
    name, address = parseaddr(sender)
    try:
        mail["From"] = Address(name, addr_spec=address)
        mail["To"] = Address(addr_spec=recipient)
    except (MessageError, IndexError):  # what the parser raises beside ValueError
        raise ValueError("not an address") from None
    mail["Subject"] = " ".join(subject.split())
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id
    if answers is not None:
        mail["In-Reply-To"] = mail["References"] = answers
    # No holiday reply comes back, and no mailing list repeats it.
    mail["Auto-Submitted"] = "auto-generated" if answers is None else "auto-replied"
    for header, value in (headers or {}).items():
        mail[header] = value
    mail.set_content(text, charset="utf-8")
    if html is not None:
        mail.add_alternative(html, subtype="html", charset="utf-8")
    mail["Content-Language"] = language  # after the content, which takes all Content- headers with it
    return mail
