"""What customers who wait for a person are told by the app itself, in their language."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from babel.dates import format_datetime

from rapport.kit.format import LOCALES

FILE = Path(__file__).parent / "texts.yml"
# A weekday and a time; who reads it need not know which day it is.
PATTERNS = {
    "en": "EEEE d MMMM, HH:mm",
    "es": "EEEE d 'de' MMMM, H:mm",
    "nb": "EEEE d. MMMM 'kl.' HH:mm",
    "ro": "EEEE, d MMMM, HH:mm",
}


@cache
def _texts() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = yaml.safe_load(FILE.read_text("utf-8"))
    return found


def text(name: str, language: str, **values: str) -> str:
    """A text, filled in."""
    return _texts()[name][language].format(**values)


def moment(at: datetime, language: str, timezone: str) -> str:
    """When somebody is there again, by the shop's clock: `Monday 23 November, 09:00`."""
    local = at.astimezone(ZoneInfo(timezone))
    return format_datetime(local, PATTERNS[language], locale=LOCALES[language])
