"""What the checks of `rapport doctor` find."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What one check found; `advice` says what to do when it is not fine."""

    name: str
    state: str  # ok, warning or wrong
    detail: str
    advice: str = ""
