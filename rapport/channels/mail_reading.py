"""A mail as it came over the wire: who wrote what, what no person wrote, and what came back.

Nothing in a mail can be trusted to be well formed; what cannot be read is left out, and nothing here raises.
"""

from __future__ import annotations

import codecs
import hashlib
import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Compat32
from email.utils import getaddresses

from rapport.channels import mail_text
from rapport.channels.base import Report
from rapport.customers.rules import normalise_email

log = logging.getLogger(__name__)

# What the library makes of a longer header takes the square of its length, of more parts in parts their
# number times the lines.
LONGEST_HEADER = 2000
MOST_MULTIPARTS = 30
MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,198}>")
DEEPEST = 20
# Codecs that are no charset, take time in proportion to the square of the text, or run escapes.
NO_CHARSETS = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"})

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
# RFC 3463: no such mailbox, no such domain, moved, switched off.
NOBODY_THERE = re.compile(r"^5\.(1\.(1|2|3|6|10)|2\.1)$")
KINDS = {"image": "image", "audio": "voice", "video": "video"}
CARDS = frozenset({"text/vcard", "text/x-vcard", "text/directory"})


@dataclass(frozen=True)
class Mail:
    """What a mail says. `sender` is where an answer goes, None when nowhere; `automatic`: no person wrote it.

    `text` is what is new in it. `attached` is what hangs on it, as notices name it.
    """

    id: str
    sender: str | None
    subject: str
    text: str
    language: str | None
    attached: str | None
    automatic: bool
    reports: tuple[Report, ...] = ()


class _Bounded(Compat32):
    """Headers are cut where no honest one is as long."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:LONGEST_HEADER]


POLICY = _Bounded()


def read(raw: bytes, ours: Collection[str] = ()) -> Mail:
    """What a mail says. `ours` are our own addresses: what comes from them is nobody's."""
    head = BytesHeaderParser(policy=POLICY).parsebytes(raw)
    try:
        if raw.lower().count(b"multipart/") > MOST_MULTIPARTS:
            raise RecursionError
        whole = BytesParser(policy=POLICY).parsebytes(raw)
        text, attached = _body(whole)
        reports = tuple(_reports(whole))
    except Exception as error:  # noqa: BLE001 - parts in parts in parts, and what the parser trips over
        log.info("A mail's body could not be read: %s", type(error).__name__)
        text, attached, reports = "", "other", ()
    subject = _header(head, "Subject")
    senders = _addresses(head, "Reply-To") or _addresses(head, "From")
    sender = normalise_email(senders[0]) if len(senders) == 1 else None
    return Mail(
        id=_id(head, raw),
        sender=sender,
        subject=subject[:200],
        text=text,
        language=_header(head, "Content-Language").split(",")[0].strip() or None,
        attached=attached,
        automatic=_automatic(head, subject, {address.lower() for address in ours}),
        reports=reports,
    )


# --- the head ----------------------------------------------------------------------------------------------


def _id(head: Message, raw: bytes) -> str:
    """The Message-ID, or a hash of all of it: the same mail always has the same."""
    found = MESSAGE_ID.fullmatch(_raw(head, "Message-ID").strip())
    return found.group() if found else "sha256:" + hashlib.sha256(raw).hexdigest()


def _raws(head: Message, name: str) -> list[str]:
    """All headers of a name as they stand; what is no ASCII, which it should be, is decoded."""
    values = [str(value) for key, value in head.raw_items() if key.lower() == name.lower()]
    return [_decoded(value.encode("utf-8", "surrogateescape"), None) for value in values]


def _raw(head: Message, name: str) -> str:
    return next(iter(_raws(head, name)), "")


def _header(head: Message, name: str) -> str:
    """A header in plain words, on one line."""
    raw = _raw(head, name)
    try:
        pieces = decode_header(raw)
    except Exception:  # noqa: BLE001 - many kinds, and all of them mean that it is not encoded as it should be
        pieces = [(raw, None)]
    found = [_decoded(piece, charset) if isinstance(piece, bytes) else piece for piece, charset in pieces]
    return " ".join(mail_text.plain("".join(found)).split())


def _addresses(head: Message, name: str) -> list[str]:
    try:
        pairs = getaddresses(_raws(head, name))
    except Exception:  # noqa: BLE001 - comments in comments in comments, and what else the parser trips over
        return []
    return [address for _, address in pairs if address]


def _automatic(head: Message, subject: str, ours: Collection[str]) -> bool:
    """Whether a machine wrote this, or it went to many: RFC 3834, and what machines do instead."""
    says = _raw(head, "Auto-Submitted").strip().lower()
    if says and not re.match(r"no\b", says):
        return True
    if re.match(r"\s*(bulk|junk|list|auto_reply)\b", _raw(head, "Precedence"), re.IGNORECASE):
        return True
    if any(name in head for name in ("List-Id", "List-Unsubscribe", "X-Autoreply", "X-Autorespond")):
        return True
    if re.search(r"\b(all|autoreply|oof)\b", _raw(head, "X-Auto-Response-Suppress"), re.IGNORECASE):
        return True
    if re.match(r"\s*yes\b", _raw(head, "X-Spam-Flag"), re.IGNORECASE):
        return True
    if _raw(head, "Return-Path").strip() == "<>" or head.get_content_type() == "multipart/report":
        return True
    senders = [*_addresses(head, "From"), *_addresses(head, "Sender"), *_addresses(head, "Reply-To")]
    if any(ROBOTS.match(address) or address.lower() in ours for address in senders):
        return True
    return AWAY.match(subject) is not None


# --- the body ----------------------------------------------------------------------------------------------


def _body(mail: Message) -> tuple[str, str | None]:
    """(what is new in it, what hangs on it)."""
    words: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    attached: list[str] = []
    for part in _leaves(mail):
        kind = part.get_content_type()
        if kind in words and part.get_content_disposition() != "attachment":
            words[kind].append(_text_of(part))
        else:
            attached.append(_kind(kind))
    # Pictures in a signature say less than a file.
    found = min(attached, key=lambda what: what == "image") if attached else None
    text = mail_text.new_part("\n\n".join(words["text/plain"]))
    if mail_text.says_something(text):
        return text, found
    html = mail_text.new_part("\n\n".join(mail_text.html_to_text(each) for each in words["text/html"]))
    return html or text, found


def _leaves(part: Message, depth: int = 0) -> Iterator[Message]:
    """The parts that hold something. A mail within a mail is one of them: nobody here wrote it."""
    children = part.get_payload() if part.is_multipart() else None
    if not isinstance(children, list) or part.get_content_maintype() != "multipart":
        yield part
    elif depth < DEEPEST:
        for child in children:
            if isinstance(child, Message):
                yield from _leaves(child, depth + 1)


def _text_of(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    return _decoded(payload[: 4 * mail_text.LONGEST], part.get_content_charset())


def _decoded(content: bytes, charset: str | None) -> str:
    """As its charset says; else as UTF-8 if it is that, else as what old Windows programs write."""
    for name in (charset, "utf-8"):
        try:
            codec = codecs.lookup(name or "utf-8").name
            if codec not in NO_CHARSETS:
                return content.decode(codec)
        except (LookupError, ValueError):  # unknown, no charset at all, or not what it says
            continue
    return content.decode("cp1252", "replace")


def _kind(content_type: str) -> str:
    if content_type in CARDS:
        return "contact"
    return KINDS.get(content_type.partition("/")[0], "file")


# --- what came back ----------------------------------------------------------------------------------------


def _reports(mail: Message) -> Iterator[Report]:
    """RFC 3464: which mail of ours did not arrive."""
    if mail.get_content_type() != "multipart/report":
        return
    status, ours = "", ""
    for part in _leaves(mail):
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            status = status or _failed_status(part)
        elif kind in {"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers"}:
            ours = ours or _id_within(part)
    if status and ours:
        yield Report(ours, "failed", f"bounced: {status}", NOBODY_THERE.match(status) is not None)


def _failed_status(part: Message) -> str:
    """The status of the first recipient it did not reach; "" when all that failed may still arrive."""
    blocks = part.get_payload()
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, Message) and _raw(block, "Action").strip().lower() == "failed":
            found = re.match(r"\s*(\d\.\d{1,3}\.\d{1,3})", _raw(block, "Status"))
            return found.group(1) if found else "5.0.0"
    return ""


def _id_within(part: Message) -> str:
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        head = inner[0]
    else:
        payload = part.get_payload(decode=True)
        head = BytesHeaderParser(policy=POLICY).parsebytes(payload if isinstance(payload, bytes) else b"")
    found = MESSAGE_ID.fullmatch(_raw(head, "Message-ID").strip())
    return found.group() if found else ""
