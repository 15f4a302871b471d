"""What somebody wrote in a mail, without what they answered to and how they signed. Pure functions.

Whoever sends a mail chooses every byte of it: each step takes time in proportion to the text at most.
"""

from __future__ import annotations

import re
from html import unescape

# No mail to a shop is longer; a newsletter's HTML is.
LONGEST = 100_000
# A quote's header may be broken over so many lines.
HEADER_LINES = 3

# "On Tue, 3 Mar 2026 at 10:00, Fjordly <hello@…> wrote:" in our languages and a few neighbours'.
WROTE = re.compile(
    r"\b(wrote|escribió|escribio|skrev|a scris|schrieb|a écrit|ha scritto|escreveu|schreef)\b[^\n]{0,300}:$",
    re.IGNORECASE,
)
OPENING = re.compile(r"^(on|el|den|pe|în|in|le|am|il|op|em|\d{1,2}\.|\w{2,4}\.,? \d{1,2})\W", re.IGNORECASE)
WHEN = re.compile(r"\b20\d\d\b|\b\d{1,2}[:.]\d\d\b")
# -----Original Message-----, and what stands above a forwarded mail
DIVIDER = re.compile(
    r"^[-_*\s]{3,20}(original message|forwarded message|mensaje original|mensaje reenviado"
    r"|opprinnelig melding|videresendt melding|mesaj(ul)? original|mesaj redirecționat|mesaj redirectionat"
    r"|oprindelig meddelelse|ursprüngliche nachricht|message d'origine)[-_*\s:]{0,20}$",
    re.IGNORECASE,
)
APPLE_FORWARD = re.compile(
    r"^(begin forwarded message|inicio del mensaje reenviado|videresendt melding"
    r"|începutul mesajului redirecționat):$",
    re.IGNORECASE,
)
# Outlook's block: From:, then Sent:, To: and Subject: on the lines that follow.
FROM = re.compile(r"^[*>\s]{0,5}(from|de|fra|de la|från|von)\s?:\*?\s?\S", re.IGNORECASE)
SENT = re.compile(
    r"^[*>\s]{0,5}(sent|date|to|subject|enviado( el)?|fecha|para|asunto|sendt|dato|til|emne|trimis|data|către"
    r"|catre|subiect|gesendet|datum|an|betreff)\s?:",
    re.IGNORECASE,
)
PHONE = re.compile(
    r"^(sent from my |get outlook for |enviado desde mi |obtener outlook para |sendt fra min "
    r"|hent outlook for |trimis de pe |trimis din |obțineți outlook pentru |von meinem )[^\n]{0,80}$",
    re.IGNORECASE,
)
REPLY = re.compile(r"^\s*((re|sv|aw|rv|vs|ref|răsp|rasp)(\s?\[\d{1,3}\])?\s?:\s*)+", re.IGNORECASE)
FORWARD = re.compile(r"^\s*((fwd?|vs|rv|wg|vb|tr|reenviado)\s?:\s*)+", re.IGNORECASE)


def new_part(text: str) -> str:
    """What is new in a mail's text: nothing quoted, no signature.

    Where somebody answers between or below the quoted lines, what stands between them.
    """
    lines = [line.rstrip() for line in plain(text)[:LONGEST].split("\n")]
    above: list[str] = []
    for number, line in enumerate(lines):
        if line in {"--", "—"} or PHONE.match(line):
            return _joined(above)
        if length := _header(lines, number):
            return _joined(above) or _between(lines[number + length :])
        if not line.startswith(">"):
            above.append(line)
    return _joined(above)


def _between(rest: list[str]) -> str:
    """Answers below a header; without marks nobody can tell them from what is quoted."""
    if not next((line for line in rest if line), "").startswith(">"):
        return ""
    kept: list[str] = []
    for line in rest:
        if line in {"--", "—"} or PHONE.match(line):
            break
        if not line.startswith(">"):
            kept.append(line)
    return _joined(kept)


def _joined(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _header(lines: list[str], number: int) -> int:
    """How many lines the header of a quote takes that starts here; 0 when none does."""
    line = lines[number].lstrip("> ")
    if not line or len(line) > 500:
        return 0
    if DIVIDER.match(line) or APPLE_FORWARD.match(line):
        return 1
    if FROM.match(line):
        following = lines[number + 1 : number + 4]
        return 1 if any(SENT.match(other) for other in following) else 0
    for length in range(1, HEADER_LINES + 1):
        here = lines[number : number + length]
        if len(here) < length or not all(here) or len(here[-1]) > 500:
            return 0
        joined = " ".join(part.lstrip("> ") for part in here)
        if here[-1].endswith(":"):
            later = any(OPENING.match(part.lstrip("> ")) for part in here[1:])
            begins_here = length == 1 or (OPENING.match(line) and not later)
            return length if begins_here and _announces(joined, lines[number + length :][:3]) else 0
    return 0


def _announces(line: str, following: list[str]) -> bool:
    """Whether a line that ends in a colon says that a quote comes, and is no sentence of the writer's."""
    if not WROTE.search(line):
        return False
    marked = next((other for other in following if other), "").startswith(">")
    return marked or "@" in line or bool(OPENING.match(line) and WHEN.search(line))


def says_something(text: str) -> bool:
    return any(character.isalnum() for character in text)


def topic(subject: str) -> str:
    """A subject as something said: nothing for that of an answer, which is ours."""
    if REPLY.match(subject):
        return ""
    return FORWARD.sub("", subject, count=1).strip()


def reply_subject(subject: str | None, otherwise: str) -> str:
    """The subject of an answer."""
    bare = REPLY.sub("", " ".join((subject or "").split()), count=1).strip()
    return f"Re: {bare[:200]}" if bare else otherwise


def plain(text: str) -> str:
    """Text that can be stored: one kind of line break, no control characters, no halves of characters."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").replace("\u2028", "\n")
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u200e\u200f\u2060\ufeff\ufffe\uffff]", "", text)


# Not html.parser: what is left open there costs the square of the text.
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})(?:[\s/][^<>]{0,5000})?>|(<!--)|<[!?/][^<>]{0,5000}>")
UNSEEN = frozenset({"script", "style", "head", "title", "template"})
BLOCKS = frozenset({"p", "div", "tr", "table", "ul", "ol", "li", "hr", *(f"h{n}" for n in range(1, 7))})


def html_to_text(html: str) -> str:
    """HTML as plain text; what is quoted gets a mark in front of each line."""
    html, page = html[:LONGEST], _Page()
    at, unseen = 0, ""
    while (tag := TAG.search(html, at)) is not None:
        if not unseen:
            page.words(html[at : tag.start()])
        at = tag.end()
        if tag[3]:
            end = html.find("-->", at)
            at = end + 3 if end >= 0 else len(html)
            continue
        closing, name = bool(tag[1]), (tag[2] or "").lower()
        if unseen:
            if (closing and name == unseen) or name == "body":
                unseen = ""
        elif name in UNSEEN and not closing:
            unseen = name
        else:
            page.tag(name, closing)
    if not unseen:
        page.words(html[at:])
    return page.text()


class _Page:
    """Lines as they are built up."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quoted = 0

    def words(self, text: str) -> None:
        self._line.append(unescape(text))

    def tag(self, name: str, closing: bool) -> None:
        if name == "br":
            self._break(blank=True)
        elif name == "blockquote":
            self._break()
            self._quoted = max(0, self._quoted + (-1 if closing else 1))
        elif name in BLOCKS:
            self._break()
            if name == "p":
                self._lines.append("")
            elif name == "li" and not closing:
                self._line.append("- ")
        elif name in {"td", "th"}:
            self._line.append(" ")

    def _break(self, blank: bool = False) -> None:
        words = " ".join("".join(self._line).split())
        self._line = []
        if words or blank:
            self._lines.append(f"> {words}" if self._quoted else words)

    def text(self) -> str:
        self._break()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip()
