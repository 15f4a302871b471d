"""Pure rules of edits: what they make of a file's content, and what is different between two versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

Content = TypeVar("Content")
Step = str | int


@dataclass(frozen=True)
class Change:
    """What is different at a place; None where nothing was or is."""

    path: tuple[Step, ...]
    before: Any
    after: Any


def merged(
    base: Content,
    edits: Mapping[str, Any],
    apply: Callable[[Content, str, Any], Content],
) -> tuple[Content, dict[str, list[str]]]:
    """(the content with the edits, why some of them do not fit it any more).

    Each edit is taken over only if the whole makes sense with it: one that an older version of Rapport or
    another file made sense of is left out, and the others count.
    """
    broken: dict[str, list[str]] = {}
    for section in sorted(edits):
        try:
            base = apply(base, section, edits[section])
        except ValidationError as error:
            broken[section] = [_line(item["loc"], item["msg"]) for item in error.errors()]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            broken[section] = [str(error)]
    return base, broken


def _line(loc: tuple[Step, ...], message: str) -> str:
    return ": ".join([".".join(str(part) for part in loc), message] if loc else [message])


def differences(before: Any, after: Any) -> list[Change]:
    """What was changed, in the order of the newer version. Entries of lists are known by their `key`."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    paths = [*new, *(path for path in old if path not in new)]
    return [Change(path, old.get(path), new.get(path)) for path in paths if old.get(path) != new.get(path)]


def _leaves(value: Any, path: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], Any]]:
    match value:
        case dict():
            for key, part in value.items():
                yield from _leaves(part, (*path, key))
        case list() if value and all(isinstance(part, str) for part in value):
            yield path, ", ".join(value)
        case list():
            for number, part in enumerate(value, 1):
                named = part.get("key") if isinstance(part, dict) else None
                yield from _leaves(part, (*path, named or number))
        case None:
            return
        case _:
            yield path, value
