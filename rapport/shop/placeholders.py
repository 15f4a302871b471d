"""Texts with `{names}` in braces that facts are put into. Nothing but a plain known name may stand there.

Python's own formatting would take `{price.__class__}` or `{price:>99999999}` as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_BRACED = re.compile(r"\{([^{}]*)\}")


class PlaceholderError(ValueError):
    """A name in braces that is not known; `name` is None when a brace stands alone."""

    def __init__(self, name: str | None, known: Collection[str]) -> None:
        self.name, self.known = name, tuple(known)
        if name is None:
            super().__init__("a brace { or } without its other half")
        else:
            super().__init__(f"unknown placeholder {{{name}}}; there are {', '.join(known) or 'none'}")


def used(text: str) -> set[str]:
    """The names in braces."""
    return set(_BRACED.findall(text))


def check(text: str, known: Collection[str]) -> str:
    """The text; raises PlaceholderError when it holds other braces than those around known names."""
    if unknown := sorted(used(text) - set(known)):
        raise PlaceholderError(unknown[0], known)
    rest = _BRACED.sub("", text)
    if "{" in rest or "}" in rest:
        raise PlaceholderError(None, known)
    return text


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its names replaced, once: what is put in is not looked at again."""
    return _BRACED.sub(lambda found: values[found[1]], text)
