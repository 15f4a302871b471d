"""The replacements of Rasa's inner parts fit the Rasa that is locked, and do what the originals did."""

import os
import re
from pathlib import Path

import jsonschema
import pytest
import rasa
from rasa.core.actions.action import RemoteAction
from rasa.shared.core.events import BotUttered, Event, SlotSet

from bot import speedups

BOT = Path(__file__).resolve().parents[1]


def test_the_locked_rasa_is_the_one_they_were_written_for() -> None:
    lock = (BOT / "uv.lock").read_text(encoding="utf-8")
    locked = re.search(r'name = "rasa"\nversion = "([^"]+)"', lock)
    assert locked is not None
    assert locked.group(1) == speedups.KNOWN_RASA == rasa.__version__


def test_another_rasa_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasa, "__version__", "3.6.22")
    with pytest.raises(speedups.UnknownRasa, match=r"3\.6\.22"):
        speedups.apply()


def test_action_responses_are_still_checked() -> None:
    action = RemoteAction("action_x", None)
    assert action._validate_action_result(
        {"events": [{"event": "slot", "name": "a", "value": 1}], "responses": []}
    )
    for wrong in ({"events": [{"event": "nonsense"}]}, {"events": "no"}, {"responses": [1]}):
        with pytest.raises(jsonschema.ValidationError):
            action._validate_action_result(wrong)


def test_event_types_are_still_found() -> None:
    assert Event.resolve_by_type("slot") is SlotSet
    assert Event.resolve_by_type("bot") is BotUttered
    assert Event.resolve_by_type("topic") is None
    for _ in range(2):
        with pytest.raises(ValueError, match="nonsense"):
            Event.resolve_by_type("nonsense")


def test_reading_yaml_does_not_lengthen_what_each_value_is_compared_with() -> None:
    import rasa.shared.utils.io
    import ruamel.yaml

    parser = ruamel.yaml.YAML(typ=["safe", "pure"])
    assert parser.load("- true\n" * 50 + "- text\n" * 50) == [True] * 50 + ["text"] * 50
    longest = max(len(known) for known in parser.resolver.versioned_resolver.values())
    assert longest < 10
    assert rasa.shared.utils.io.read_yaml("a: 1\nb: ${HOME}\nc: yes") == {
        "a": 1,
        "b": os.environ["HOME"],
        "c": "yes",
    }
