"""A text without what only dresses it up: markup, odd letters and digits, and what nobody sees. Pure."""

from __future__ import annotations

import html
import re
import unicodedata

_UNSEEN = (*range(0xE0000, 0xE0080), *range(0xFE00, 0xFE10), 0x20E3)


def _alike() -> dict[int, str | None]:
    """Dashes of all kinds are one, digits of all scripts ours; what nobody sees is nothing."""
    found: dict[int, str | None] = dict.fromkeys(_UNSEEN)
    for point in range(0x80, 0x1FC00):
        letter = chr(point)
        match unicodedata.category(letter):
            case "Nd":
                found[point] = str(unicodedata.digit(letter))
            case "Cf":
                found[point] = None
    return found | dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－⁃"), "-") | dict.fromkeys(map(ord, "⁄∕"), "/")


_ALIKE = _alike()
# What may be in there; not so the letters of our languages.
_ODD = re.compile("[^\x00-\xac\xae-\u024f]")
# Letters of other scripts that look like ours.
_LOOK_ALIKE = str.maketrans(
    "АВЕКМНОРСТУХЅІЈԚԜавекмнорстухѕіјԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧϜΚαικνορυχϝϳ",
    "ABEKMHOPCTYXSIJQWabekmhopctyxsijqwABEZHIKMNOPTYXFKaiknopuxfj",
)
_OTHER_SCRIPTS = re.compile("[\u0300-\u052f]")
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]{0,10})((?:\s[^<>]*)?)/?>")
_LINE_ENDS = frozenset(
    {"br", "p", "div", "li", "ul", "ol", "tr", "td", "th", "table", "h1", "h2", "h3", "hr"}
)
_MARKDOWN = str.maketrans("", "", "*`~")
_IN_URL = re.compile(r"https?://\S+")


def written(text: str) -> str:
    """The text as it is read: entities resolved, no tags, no marks for bold, letters and digits plain.

    What stands in a tag's attributes is put behind the text: nothing is lost.
    """
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        attributes = [match[2] for match in _TAG.finditer(text) if match[2].strip()]
        text = _TAG.sub(lambda match: "\n" if match[1].lower() in _LINE_ENDS else "", text)
        text = "\n".join([text, *attributes])
    if "*" in text or "`" in text or "~" in text:
        text = text.translate(_MARKDOWN)
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return text.translate(_ALIKE) if _ODD.search(text) else text


def collapsed(text: str) -> str:
    """The text with single blanks; lines stay lines."""
    return re.sub(r"[^\S\n]+", " ", text) if "  " in text or "\t" in text else text


def in_latin(text: str) -> str:
    """The text with letters that only look like ours made ours, without accents put on top."""
    if text.isascii() or not _OTHER_SCRIPTS.search(text):
        return text
    decomposed = unicodedata.normalize("NFKD", text.translate(_LOOK_ALIKE))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def without_escapes(text: str) -> str:
    """Without the `%20` of links, which are no percentages."""
    if "://" not in text:
        return text
    return _IN_URL.sub(lambda url: re.sub(r"%[0-9a-fA-F]{2}", " ", url[0]), text)
