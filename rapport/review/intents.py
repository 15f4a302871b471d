"""The intents that the bot knows, read from `domain.yml` again as soon as it changes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

from rapport.conversations.answers import NOT_UNDERSTOOD
from rapport.kit.settings import get_settings


def names() -> tuple[str, ...]:
    """By the alphabet, with those that stand for what was not understood; none without the file."""
    file = get_settings().project_dir / "domain.yml"
    try:
        return _names(file, file.stat().st_mtime_ns)
    except OSError:
        return tuple(sorted(NOT_UNDERSTOOD))


@lru_cache(maxsize=4)
def _names(file: Path, _changed: int) -> tuple[str, ...]:
    found = yaml.safe_load(file.read_text(encoding="utf-8")).get("intents") or []
    known = {next(iter(one)) if isinstance(one, dict) else str(one) for one in found}
    return tuple(sorted(known | NOT_UNDERSTOOD))
