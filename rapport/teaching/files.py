"""Files of training examples as text: what is in them, adding and taking out lines without touching others.

They are edited line by line, so that comments, order and format stay as somebody wrote them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rapport.kit.errors import InvalidInputError

HEAD = re.compile(r"^(?P<indent> *)- (?P<kind>intent|synonym|lookup|regex): (?P<name>\S+)\s*$")
LANGUAGE = re.compile(r"^ +metadata: *\{ *language: *(?P<language>[a-z]{2}) *\}\s*$")
EXAMPLES = re.compile(r"^ +examples: *\|-?\s*$")
EXAMPLE = re.compile(r"^(?P<dash> +- +)(?P<text>.*?)\s*$")
# [tent]{"entity": …} and [tent](category)
MARKED = re.compile(r"\[(?P<words>[^\]]*)\](?:\{[^}]*\}|\([^)]*\))")
NEW_FILE = 'version: "3.1"\n\nnlu:\n'


@dataclass(frozen=True)
class Change:
    """One line in a file of data/nlu: an example of an intent in a language, or a synonym (no language)."""

    file: str
    kind: str
    name: str
    language: str
    text: str

    @classmethod
    def read(cls, stored: Mapping[str, str]) -> Change:
        """What `vars` made of one."""
        return cls(**stored)


@dataclass(frozen=True)
class Block:
    """The examples of an intent in a language, or a list of another kind; lines are counted from 0."""

    kind: str
    name: str
    language: str
    dash: str
    lines: tuple[int, ...]
    examples: tuple[str, ...]
    start: int


def parse(text: str) -> list[Block]:
    """The blocks of a file, in order."""
    lines = text.split("\n")
    heads = [(number, match) for number, line in enumerate(lines) if (match := HEAD.match(line))]
    # A block begins where the first one does; further in it is an example: customers may write "intent: x".
    heads = [(number, match) for number, match in heads if match["indent"] == heads[0][1]["indent"]]
    blocks = []
    for (start, head), end in zip(heads, [*(number for number, _ in heads), len(lines)][1:], strict=True):
        language, dash, listed, inside = "", head["indent"] + "    - ", [], False
        for number in range(start + 1, end):
            line = lines[number]
            if not inside:
                inside = bool(EXAMPLES.match(line))
                language = found["language"] if (found := LANGUAGE.match(line)) else language
            elif match := EXAMPLE.match(line):
                dash = match["dash"]
                listed.append((number, match["text"]))
        blocks.append(
            Block(
                head["kind"],
                head["name"],
                language,
                dash,
                tuple(number for number, _ in listed),
                tuple(words for _, words in listed),
                start,
            )
        )
    return blocks


def examples(text: str) -> dict[tuple[str, str, str], list[str]]:
    """(kind, name, language) → what stands there, as written."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for block in parse(text):
        found.setdefault((block.kind, block.name, block.language), []).extend(block.examples)
    return found


def plain(example: str) -> str:
    """An example as the customer would write it, without marked entities."""
    return MARKED.sub(lambda match: match["words"], example)


Places = Mapping[tuple[str, str, str | None], str]


def places(texts: Mapping[str, str]) -> Places:
    """(kind, name, language) → the file that holds such examples; with None instead of a language, the last
    one that holds any.
    """
    found: dict[tuple[str, str, str | None], str] = {}
    for file, text in sorted(texts.items()):
        for block in parse(text):
            found.setdefault((block.kind, block.name, block.language), file)
            found[block.kind, block.name, None] = file
    return found


def file_for(places: Places, kind: str, name: str, language: str) -> str:
    """The file that holds such examples, or else those of other languages, or else a new one."""
    return places.get((kind, name, language)) or places.get((kind, name, None)) or f"{name}.yml"


def add(text: str, changes: Iterable[Change]) -> str:
    """The file's text with these lines; what it has already is not added again.

    Raises InvalidInputError for a text that would break the format.
    """
    for change in changes:
        text = _added(text or NEW_FILE, change)
    return text


def _added(text: str, change: Change) -> str:
    check_line(change.text)
    key = (change.kind, change.name, change.language)
    same = [block for block in parse(text) if (block.kind, block.name, block.language) == key]
    if any(change.text in block.examples for block in same):
        return text
    lines = text.split("\n")
    if same and same[-1].lines:
        lines.insert(same[-1].lines[-1] + 1, f"{same[-1].dash}{change.text}")
        return "\n".join(lines)
    metadata = [f"  metadata: {{language: {change.language}}}"] if change.language else []
    block = [f"- {change.kind}: {change.name}", *metadata, "  examples: |", f"    - {change.text}"]
    indents = [match["indent"] for line in lines if (match := HEAD.match(line))]
    indent = indents[0] if indents else ""
    head = text.rstrip("\n")
    gap = "\n" if head.endswith("nlu:") else "\n\n"
    return f"{head}{gap}" + "".join(f"{indent}{line}\n" for line in block)


def remove(text: str, changes: Iterable[Change]) -> tuple[str, list[Change]]:
    """(the file's text without these lines, those that were not there any more)."""
    missing = []
    for change in changes:
        key = (change.kind, change.name, change.language)
        for block in parse(text):
            if (block.kind, block.name, block.language) == key and change.text in block.examples:
                text = _without(text, block, change.text)
                break
        else:
            missing.append(change)
    return text, missing


def _without(text: str, block: Block, example: str) -> str:
    lines = text.split("\n")
    if len(block.examples) == 1:
        # It was made for this example. What is between blocks goes with it, but not the file's last line end.
        start = block.start
        while start and not lines[start - 1].strip():
            start -= 1
        del lines[start : block.lines[0] + 1]
        return "\n".join(lines)
    # The last: an example is added below the others.
    at = len(block.examples) - 1 - block.examples[::-1].index(example)
    del lines[block.lines[at]]
    return "\n".join(lines)


def check_line(text: str) -> None:
    """Raises InvalidInputError for what is no single line, or means something to Rasa's format."""
    if not text or text != text.strip() or not text.isprintable() or MARKED.search(text) or text[0] in "/#":
        raise InvalidInputError(f"This cannot be written as an example: {text[:80]!r}")


def diff(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """A unified diff of all files that differ."""
    parts = []
    for file in sorted(before.keys() | after.keys()):
        old, new = before.get(file, ""), after.get(file, "")
        if old != new:
            lines = difflib.unified_diff(
                old.splitlines(), new.splitlines(), f"data/nlu/{file}", f"data/nlu/{file}", n=2, lineterm=""
            )
            parts += list(lines)
    return "\n".join(parts)
