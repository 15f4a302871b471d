"""What the shop's owner changed of the journeys in the console, over what their files say.

An edit is the section `journey.<key>` of `shop_edit`: other contents of some fields. Its `trigger` holds
what is different there, its `steps` are a mapping from a step's key to what is different there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from rapport.edits.rules import merged
from rapport.edits.source import NOTHING, Edits, get_edits
from rapport.outreach.journeys.definition import Journey, load_all

log = logging.getLogger(__name__)

SECTION = "journey."
EDITED = ("active", "control", "audience")
EDITED_OF_TRIGGER = ("days", "minutes", "a_day", "only")
EDITED_OF_STEPS = ("after_days", "offer", "words", "b")

Journeys = dict[str, Journey]


def edited(journeys: Journeys, edits: Edits) -> tuple[Journeys, dict[str, list[str]]]:
    """(the journeys with what was edited in the console, why some of it doesn't fit, by section)."""

    def apply(whole: Journeys, section: str, value: Any) -> Journeys:
        key = section.removeprefix(SECTION)
        return {**whole, key: with_changes(whole, key, value)}

    return merged(journeys, _ours(edits), apply)


def with_changes(journeys: Journeys, key: str, change: Mapping[str, Any]) -> Journey:
    """A journey with other contents of some fields, checked whole.

    Raises ValueError when there is none of that key, or no such step, and pydantic's ValidationError.
    """
    if key not in journeys:
        raise ValueError(f"there is no journey {key}")
    content = journeys[key].model_dump(mode="json")
    content.update({name: value for name, value in change.items() if name in EDITED})
    begins = change.get("trigger", {})
    content["trigger"].update({name: value for name, value in begins.items() if name in EDITED_OF_TRIGGER})
    steps = {step["key"]: step for step in content["steps"]}
    for step_key, value in change.get("steps", {}).items():
        if step_key not in steps:
            raise ValueError(f"the journey {key} has no step {step_key}")
        steps[step_key].update({name: part for name, part in value.items() if name in EDITED_OF_STEPS})
    return Journey.model_validate(content)


def _ours(edits: Edits) -> dict[str, Any]:
    return {section: value for section, value in edits.items() if section.startswith(SECTION)}


class _Edited(NamedTuple):
    edits: dict[str, Any]
    journeys: Journeys


_last: _Edited | None = None


def get_journeys() -> Journeys:
    """The journeys as this process knows them: the files', with what was edited in the console."""
    global _last
    files, edits = load_all(), get_edits()
    if edits is NOTHING or not (ours := _ours(edits)):
        return files
    known = _last
    if known is None or known.edits != ours:
        journeys, broken = edited(files, edits)
        for section, why in broken.items():
            log.warning("What was edited under %s is left out: %s", section, "; ".join(why))
        known = _last = _Edited(ours, journeys)
    return known.journeys
