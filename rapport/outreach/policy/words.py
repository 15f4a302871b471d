"""A decision in words for the customer it is about: texts.yml, in four languages."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rapport.kit.format import day
from rapport.outreach.journeys import definition
from rapport.outreach.policy.models import ContactDecision

TEXTS = Path(__file__).parent / "texts.yml"
OTHER = "other"
PHONE = "phone"


@cache
def texts() -> dict[str, dict[str, dict[str, str]]]:
    """section → key → language → words."""
    content: Any = yaml.safe_load(TEXTS.read_text("utf-8"))
    return dict(content)


def sentence(decision: ContactDecision, language: str, timezone: str) -> str:
    """What was decided, when and why; the day is that of the shop's timezone."""
    date = day(decision.at, language, timezone)
    if decision.outcome != "send":
        why = _words("reasons", decision.reason, "left", language)
        return _words("sentences", decision.outcome, "never", language).format(date=date, why=why)
    because = _words("because", _begun_by(decision.journey), OTHER, language)
    if decision.channel == PHONE:
        return _words("sentences", "call", "wrote", language).format(date=date, because=because)
    how = _words("ways", decision.channel or "email", "email", language)
    return _words("sentences", "wrote", "wrote", language).format(date=date, how=how, because=because)


def _begun_by(journey: str) -> str:
    """What begins that journey, by its file."""
    known = definition.load_all().get(journey)
    return known.trigger.on if known is not None else OTHER


def _words(section: str, key: str, otherwise: str, language: str) -> str:
    known = texts()[section]
    return known.get(key, known[otherwise])[language]
