"""The replacements of Rasa's inner parts fit the Rasa that is locked, and do what the originals did."""

import os
import re
from pathlib import Path

import jsonschema
import pytest
import rasa
from rasa.core.actions.action import RemoteAction
from rasa.shared.core.events import BotUttered, Event, SlotSet
from rasa.shared.importers.importer import CombinedDataImporter, TrainingDataImporter
from rasa.shared.nlu.training_data.formats.rasa_yaml import RasaYAMLReader
from rasa.shared.nlu.training_data.training_data import TrainingData
from rasa.shared.utils.validation import YamlValidationException

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


def test_what_is_wrong_in_a_file_is_still_told_with_its_line() -> None:
    right = 'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello\n'
    assert len(RasaYAMLReader().reads(right).intent_examples) == 2
    with pytest.raises(YamlValidationException, match=r"Line 7:\n *Key 'exmples' was not defined"):
        RasaYAMLReader().reads(right + "- intent: goodbye\n  exmples: 3\n")


def test_examples_are_read_once_however_they_are_asked_for() -> None:
    class Files(TrainingDataImporter):
        reads = 0

        def get_nlu_data(self, language: "str | None" = "en") -> TrainingData:
            Files.reads += 1
            return TrainingData()

    Files.__abstractmethods__ = frozenset()
    files = CombinedDataImporter([Files()])
    assert files.get_nlu_data() is files.get_nlu_data("en") is files.get_nlu_data(language="en")
    assert Files.reads == 1
