"""A plain text cut into what HTML shows: paragraphs, lists, what stands apart, and links. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_WEB = re.compile(r"https?://[^\s<>\"]+")
_NAMED = re.compile(r"\s*(?P<name>[^\s:][^:]{0,79}): (?P<url>https?://[^\s<>\"]+)\s*")
_ITEM = re.compile(r"\s*[-–•*] +(?=\S)")
# What ends a sentence, or closes a bracket, is no part of an address.
_AFTER = ".,;:!?)]»”’'"


@dataclass(frozen=True)
class Piece:
    """Words, a link if there is a `url`."""

    text: str
    url: str | None = None


Line = tuple[Piece, ...]


@dataclass(frozen=True)
class Block:
    """Lines that belong together; a `box` is what the text sets apart by spaces before it (a code)."""

    kind: Literal["paragraph", "list", "box"]
    lines: tuple[Line, ...]


def blocks(text: str) -> tuple[Block, ...]:
    """What is between empty lines, in its order."""
    parts = [part for part in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").strip("\n")) if part.strip()]
    return tuple(_block(part.strip("\n").split("\n")) for part in parts)


def _block(lines: list[str]) -> Block:
    if all(_ITEM.match(line) for line in lines):
        return Block("list", tuple(_pieces(_ITEM.sub("", line, count=1)) for line in lines))
    if all(line.startswith(("  ", "\t")) for line in lines):
        return Block("box", tuple(_pieces(line) for line in lines))
    return Block("paragraph", tuple(_pieces(line) for line in lines))


def _pieces(line: str) -> Line:
    """The words of a line; "Name: https://…" alone on a line is a link of that name."""
    if named := _NAMED.fullmatch(line):
        return (Piece(named["name"], named["url"]),)
    found: list[Piece] = []
    line, at = line.strip(), 0
    for match in _WEB.finditer(line):
        url = match.group().rstrip(_AFTER)
        found += [Piece(line[at : match.start()]), Piece(url, url)]
        at = match.start() + len(url)
    found.append(Piece(line[at:]))
    return tuple(piece for piece in found if piece.text)
