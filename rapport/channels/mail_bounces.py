"""Mails that came back (RFC 3464), that somebody complained of (RFC 5965), or asked to be the last."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message

from rapport.channels.base import Report
from rapport.channels.mail_parts import leaves, message_id, parse_head, raw_header, raw_headers

# RFC 3463: no such mailbox, no such domain, moved, switched off.
NOBODY_THERE = re.compile(r"^5\.(1\.(1|2|3|6|10)|2\.1)$")


COMPLAINT, UNSUBSCRIBED = "complaint", "unsubscribed"
# RFC 5965, and the types registered since. That something is no spam, or badly signed, is no complaint.
_COMPLAINTS = frozenset({"abuse", "fraud", "other", "opt-out", "opt-out-list"})
# What a List-Unsubscribe of ours has mail programs write; and our mail's id in the address it came back to.
_LAST_ONE = re.compile(r"\s*unsubscribe[\s+]+([0-9a-f]{32})\s*", re.IGNORECASE)
_RETURNED = re.compile(r"\+([0-9a-f]{32}|[0-9a-f]{40})@", re.IGNORECASE)
_RETURNED_TO = ("X-Original-To", "Delivered-To", "Envelope-To", "To")


def reports(mail: Message) -> Iterator[Report]:
    """Which mail of ours did not arrive, or is not wanted.

    Where no more is told than what stands before the @ of its Message-ID, that is the report's id.
    """
    if last := _LAST_ONE.fullmatch(raw_header(mail, "Subject")):
        yield Report(last[1].lower(), "refused", UNSUBSCRIBED)
        return
    if mail.get_content_type() != "multipart/report":
        return
    status, ours, complaint = "", "", False
    for part in leaves(mail):
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            status = status or _failed_status(part)
        elif kind == "message/feedback-report":
            complaint = complaint or _is_complaint(part)
        elif kind in {"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers"}:
            ours = ours or _id_within(part)
    ours = ours or _returned_to(mail)
    if complaint and ours:
        yield Report(ours, "refused", COMPLAINT)
    elif status and ours:
        yield Report(ours, "failed", f"bounced: {status}", NOBODY_THERE.match(status) is not None)


def _is_complaint(part: Message) -> bool:
    inner = part.get_payload()
    told = inner[0] if isinstance(inner, list) and inner else None
    return isinstance(told, Message) and raw_header(told, "Feedback-Type").strip().lower() in _COMPLAINTS


def _returned_to(mail: Message) -> str:
    """Our mail's id out of the address that it came back to."""
    named = (value for name in _RETURNED_TO for value in raw_headers(mail, name))
    return next((found[1].lower() for value in named if (found := _RETURNED.search(value))), "")


def _failed_status(part: Message) -> str:
    """The status of the first recipient it did not reach; "" when all that failed may still arrive."""
    blocks = part.get_payload()
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, Message) and raw_header(block, "Action").strip().lower() == "failed":
            found = re.match(r"\s*(\d\.\d{1,3}\.\d{1,3})", raw_header(block, "Status"))
            return found.group(1) if found else "5.0.0"
    return ""


def _id_within(part: Message) -> str:
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        head = inner[0]
    else:
        payload = part.get_payload(decode=True)
        head = parse_head(payload if isinstance(payload, bytes) else b"")
    return message_id(head) or ""
