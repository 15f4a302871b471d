"""The languages Rapport speaks, all alike."""

from __future__ import annotations

LANGUAGES = ("en", "es", "nb", "ro")
DEFAULT_LANGUAGE = "en"


def normalise(tag: str | None) -> str | None:
    """The language of ours that a BCP 47 tag means (`es-MX` → `es`, `no`/`nn` → `nb`), or None."""
    if not tag:
        return None
    base = tag.strip().lower().replace("_", "-").split("-")[0]
    base = {"no": "nb", "nn": "nb", "mo": "ro"}.get(base, base)
    return base if base in LANGUAGES else None
