"""The languages Rapport speaks, all alike."""

from __future__ import annotations

LANGUAGES = ("en", "es", "nb", "ro")
DEFAULT_LANGUAGE = "en"
# What those who speak them call them.
NAMES = {"en": "English", "es": "Español", "nb": "Norsk bokmål", "ro": "Română"}
SPANISH = "ES MX CO AR PE VE CL EC GT CU BO DO HN PY SV NI CR PA UY PR GQ"
COUNTRIES = {"NO": "nb", "SJ": "nb", "RO": "ro", "MD": "ro", **dict.fromkeys(SPANISH.split(), "es")}


def normalise(tag: str | None) -> str | None:
    """The language of ours that a BCP 47 tag means (`es-MX` → `es`, `no`/`nn` → `nb`), or None."""
    if not tag:
        return None
    base = tag.strip().lower().replace("_", "-").split("-")[0]
    base = {"no": "nb", "nn": "nb", "mo": "ro"}.get(base, base)
    return base if base in LANGUAGES else None


def of_country(code: str) -> str | None:
    """The language of ours that most people of a country speak (`NO` → `nb`), or None."""
    return COUNTRIES.get(code.upper())
