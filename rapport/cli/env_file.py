"""Writing settings into `.env`: only these lines change, and nobody else may read the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import dotenv

from rapport.kit.errors import ConfigurationError


def write(path: Path, values: Mapping[str, str]) -> list[str]:
    """Set these variables in the file and leave its other lines; the names of those that were changed.

    Raises ConfigurationError when one could not be read back as it is, or the file cannot be written.
    """
    for name, value in values.items():
        if not value.isprintable() or "'" in value or "\\" in value or "$" in value:
            raise ConfigurationError(f"{name}: has characters that cannot stand in {path.name}.")
    try:
        before = dotenv.dotenv_values(path, interpolate=False) if path.is_file() else {}
        changed = [name for name, value in values.items() if before.get(name) != value]
        if changed and not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        for name in changed:
            quotes = "never" if _plain(values[name]) else "always"
            dotenv.set_key(path, name, values[name], quote_mode=quotes, follow_symlinks=True)
        if changed:
            path.chmod(0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from None
    return changed


def overruled(values: Mapping[str, str]) -> list[str]:
    """Which of these the environment sets to something else: that wins over the file."""
    return [name for name, value in values.items() if os.environ.get(name, value) != value]


def _plain(value: str) -> bool:
    return not set(value) & set(' #"`')
