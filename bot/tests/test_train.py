"""The training script tells what is wrong in one line."""

import shutil
from pathlib import Path

import pytest

from bot.train import train, unreadable_file


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    shutil.copytree(project, tmp_path / "copy", ignore=shutil.ignore_patterns("models", "cache"))
    return tmp_path / "copy"


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("domain.yml", "intents: [greet, ", "intents: [", "intents that domain.yml does not list: greet"),
        ("data/stories/rules.yml", "utter_goodbye", "utter_farewell", "do not exist: utter_farewell"),
        ("domain.yml", "required_slots: [complaint_text]", "required_slots: [why]", "why"),
    ],
)
def test_mistakes_are_named(copy: Path, file: str, old: str, new: str, said: str) -> None:
    change(copy / file, old, new)
    with pytest.raises(Exception, match=said):
        train(copy, copy / "models")


def test_a_missing_file(copy: Path) -> None:
    (copy / "domain.yml").unlink()
    with pytest.raises(ValueError, match=r"domain\.yml is missing"):
        train(copy, copy / "models")


def test_a_file_that_is_no_yaml_is_named(copy: Path) -> None:
    assert unreadable_file(copy) is None
    change(copy / "data/stories/rules.yml", "rules:", "rules: [")
    said = unreadable_file(copy)
    assert said is not None
    assert "rules.yml" in said


def test_responses_in_data_are_part_of_the_domain(model: Path) -> None:
    from rasa.core.agent import Agent

    assert "utter_greet" in Agent.load(model).domain.responses
