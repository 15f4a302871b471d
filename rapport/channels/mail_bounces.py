"""Mails that came back: RFC 3464."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message

from rapport.channels.base import Report
from rapport.channels.mail_parts import leaves, message_id, parse_head, raw_header

# RFC 3463: no such mailbox, no such domain, moved, switched off.
NOBODY_THERE = re.compile(r"^5\.(1\.(1|2|3|6|10)|2\.1)$")


def reports(mail: Message) -> Iterator[Report]:
    """Which mail of ours did not arrive."""
    if mail.get_content_type() != "multipart/report":
        return
    status, ours = "", ""
    for part in leaves(mail):
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
