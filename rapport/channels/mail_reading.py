"""A mail as it came over the wire: who wrote what, what no person wrote, and what came back.

Nothing in a mail can be trusted to be well formed; what cannot be read is left out, and nothing here raises.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from email.message import Message

from rapport.channels import mail_bounces, mail_parts, mail_text
from rapport.channels.base import Report
from rapport.channels.mail_parts import addresses, header, leaves, raw_header, text_of
from rapport.customers.rules import normalise_email

log = logging.getLogger(__name__)

ROBOTS = re.compile(
    r"^(mailer-daemon|postmaster|(do)?[-_.]?not?[-_.]?reply|bounces?|auto-?(reply|confirm|mailer)|notifications?"
    r"|listserv|majordomo)([-_+.=].*)?@",
    re.IGNORECASE,
)
AWAY = re.compile(
    r"^\s*(automatic reply|auto(matic)?[- ]?reply|autoreply|out of (the )?office|respuesta automática"
    r"|fuera de (la )?oficina|autosvar|automatisk svar|fravær|răspuns automat|raspuns automat)\b",
    re.IGNORECASE,
)
KINDS = {"image": "image", "audio": "voice", "video": "video"}
CARDS = frozenset({"text/vcard", "text/x-vcard", "text/directory"})


@dataclass(frozen=True)
class Mail:
    """What a mail says. `sender` is where an answer goes, None when nowhere; `automatic`: no person wrote it.

    `text` is what is new in it. `attached` is what hangs on it, as notices name it. `answers` are the ids of
    the mails that it says it answers.
    """

    id: str
    sender: str | None
    subject: str
    text: str
    language: str | None
    attached: str | None
    automatic: bool
    reports: tuple[Report, ...] = ()
    answers: tuple[str, ...] = ()


def read(raw: bytes, ours: Collection[str] = ()) -> Mail:
    """What a mail says. `ours` are our own addresses: what comes from them is nobody's."""
    head = mail_parts.parse_head(raw)
    try:
        whole = mail_parts.parse(raw)
        text, attached = _body(whole)
        reports = tuple(mail_bounces.reports(whole))
    except Exception as error:  # noqa: BLE001 - parts in parts in parts, and what the parser trips over
        log.info("A mail's body could not be read: %s", type(error).__name__)
        text, attached, reports = "", "other", ()
    subject = header(head, "Subject")
    senders = addresses(head, "Reply-To") or addresses(head, "From")
    sender = normalise_email(senders[0]) if len(senders) == 1 else None
    return Mail(
        # Without an id of its own, a hash: the same mail always has the same.
        id=mail_parts.message_id(head) or "sha256:" + hashlib.sha256(raw).hexdigest(),
        sender=sender,
        subject=subject[:200],
        text=text,
        language=header(head, "Content-Language").split(",")[0].strip() or None,
        attached=attached,
        automatic=_automatic(head, subject, {address.lower() for address in ours}),
        reports=reports,
        answers=mail_parts.answered_ids(head),
    )


# --- the head ----------------------------------------------------------------------------------------------


def _automatic(head: Message, subject: str, ours: Collection[str]) -> bool:
    """Whether a machine wrote this, or it went to many: RFC 3834, and what machines do instead."""
    says = raw_header(head, "Auto-Submitted").strip().lower()
    if says and not re.match(r"no\b", says):
        return True
    if re.match(r"\s*(bulk|junk|list|auto_reply)\b", raw_header(head, "Precedence"), re.IGNORECASE):
        return True
    if any(name in head for name in ("List-Id", "List-Unsubscribe", "X-Autoreply", "X-Autorespond")):
        return True
    if re.search(r"\b(all|autoreply|oof)\b", raw_header(head, "X-Auto-Response-Suppress"), re.IGNORECASE):
        return True
    if re.match(r"\s*yes\b", raw_header(head, "X-Spam-Flag"), re.IGNORECASE):
        return True
    if raw_header(head, "Return-Path").strip() == "<>" or head.get_content_type() == "multipart/report":
        return True
    senders = [*addresses(head, "From"), *addresses(head, "Sender"), *addresses(head, "Reply-To")]
    if any(ROBOTS.match(address) or address.lower() in ours for address in senders):
        return True
    return AWAY.match(subject) is not None


# --- the body ----------------------------------------------------------------------------------------------


def _body(mail: Message) -> tuple[str, str | None]:
    """(what is new in it, what hangs on it)."""
    words: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    attached: list[str] = []
    for part in leaves(mail):
        kind = part.get_content_type()
        if kind in words and part.get_content_disposition() != "attachment":
            words[kind].append(text_of(part))
        else:
            attached.append(_kind(kind))
    # Pictures in a signature say less than a file.
    found = min(attached, key=lambda what: what == "image") if attached else None
    text = mail_text.new_part("\n\n".join(words["text/plain"]))
    if mail_text.says_something(text):
        return text, found
    html = mail_text.new_part("\n\n".join(mail_text.html_to_text(each) for each in words["text/html"]))
    return html or text, found


def _kind(content_type: str) -> str:
    if content_type in CARDS:
        return "contact"
    return KINDS.get(content_type.partition("/")[0], "file")
