"""The parts and headers of a mail, whatever they are like.

Nothing in a mail can be trusted to be well formed: headers are cut, charsets guessed, depths limited.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Compat32
from email.utils import getaddresses

from rapport.channels import mail_text

# What the library makes of a longer header takes the square of its length, of more parts in parts their
# number times the lines.
LONGEST_HEADER = 2000
MOST_MULTIPARTS = 30
# With what else is kept of a mail's id there is room for so much.
MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,180}>")
MOST_ANSWERED = 50
DEEPEST = 20
# Codecs that are no charset, take time in proportion to the square of the text, or run escapes.
NO_CHARSETS = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"})


class _Bounded(Compat32):
    """Headers are cut where no honest one is as long."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:LONGEST_HEADER]


POLICY = _Bounded()


def parse_head(raw: bytes) -> Message:
    """Never raises."""
    return BytesHeaderParser(policy=POLICY).parsebytes(raw)


def parse(raw: bytes) -> Message:
    """Raises what the parser raises, RecursionError for parts in parts in parts."""
    if raw.lower().count(b"multipart/") > MOST_MULTIPARTS:
        raise RecursionError
    return BytesParser(policy=POLICY).parsebytes(raw)


def message_id(head: Message) -> str | None:
    """The Message-ID, if it is one that can be stored and answered to."""
    found = MESSAGE_ID.fullmatch(raw_header(head, "Message-ID").strip())
    return found.group() if found else None


def answered_ids(head: Message) -> tuple[str, ...]:
    """The ids of what the mail answers, the mail itself first."""
    named = [*raw_headers(head, "In-Reply-To")[:1], *raw_headers(head, "References")[:1]]
    found = [one for value in named for one in MESSAGE_ID.findall(value)]
    return tuple(dict.fromkeys(found[:MOST_ANSWERED]))


def raw_headers(head: Message, name: str) -> list[str]:
    """All headers of a name as they stand; what is no ASCII, which it should be, is decoded."""
    values = [str(value) for key, value in head.raw_items() if key.lower() == name.lower()]
    return [_decoded(value.encode("utf-8", "surrogateescape"), None) for value in values]


def raw_header(head: Message, name: str) -> str:
    return next(iter(raw_headers(head, name)), "")


def header(head: Message, name: str) -> str:
    """A header in plain words, on one line."""
    raw = raw_header(head, name)
    try:
        pieces = decode_header(raw)
    except Exception:  # noqa: BLE001 - many kinds, and all of them mean that it is not encoded as it should be
        pieces = [(raw, None)]
    found = [_decoded(piece, charset) if isinstance(piece, bytes) else piece for piece, charset in pieces]
    return " ".join(mail_text.plain("".join(found)).split())


def addresses(head: Message, name: str) -> list[str]:
    try:
        pairs = getaddresses(raw_headers(head, name))
    except Exception:  # noqa: BLE001 - comments in comments in comments, and what else the parser trips over
        return []
    return [address for _, address in pairs if address]


def leaves(part: Message, depth: int = 0) -> Iterator[Message]:
    """The parts that hold something. A mail within a mail is one of them: nobody here wrote it."""
    children = part.get_payload() if part.is_multipart() else None
    if not isinstance(children, list) or part.get_content_maintype() != "multipart":
        yield part
    elif depth < DEEPEST:
        for child in children:
            if isinstance(child, Message):
                yield from leaves(child, depth + 1)


def text_of(part: Message) -> str:
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
                return _whole(content, codec)
        except (LookupError, ValueError):  # unknown, no charset at all, or not what it says
            continue
    return content.decode("cp1252", "replace")


def _whole(content: bytes, codec: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        if error.start < len(content) - 4:
            raise
        return content[: error.start].decode(codec)  # we have cut a character in two ourselves
