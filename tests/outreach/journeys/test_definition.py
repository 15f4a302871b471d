"""Journeys' files, their mistakes, and what the shop changes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.edits import service as edits
from rapport.edits import source
from rapport.kit.database import session_scope
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings
from rapport.outreach.journeys import definition, edited, service
from rapport.outreach.journeys.triggers import KINDS
from tests.outreach.journeys.walk import journey, step, words

FILE = """\
name: Thank you
about: Thanks.
trigger: {on: delivered, days: 4}
purpose: tips
steps:
  - key: thanks
    words:
"""
LANGUAGE = """\
      %s:
        subject: "Hello"
        text: "Hello {name}"
"""
GOOD = FILE + "".join(LANGUAGE % language for language in ("en", "es", "nb", "ro"))


def load(folder: Path, text: str) -> definition.Journey:
    (folder / "one.yml").write_text(text, "utf-8")
    return definition.load(folder / "one.yml")


def test_a_file_is_read_and_on_is_a_word(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).trigger.on == "delivered"


@pytest.mark.parametrize(
    ("good", "wrong", "told"),
    [
        ("purpose: tips", "purpose: spam", "line 4: purpose: Input should be"),
        ("days: 4", "days: -4", "line 3: trigger.days: "),
        ("  - key: thanks", "  - kee: thanks\n    key: thanks", "line 6: steps.thanks.kee: "),
        ("ro:\n        subject", "ro:\n        subjekt", "subjekt: Extra inputs"),
        ("Hello {name}", "Hello {nome}", "line 9: steps.thanks.words.en: unknown placeholder {nome}"),
        ("Hello {name}", "{name}, hello", "text: {name} must follow"),
        ("Hello {name}", "Use {code}", "step thanks tells of a code: name the `offer`"),
        ("purpose: tips", "purpose: tips\ncontrol: 0.9", "line 5: control: "),
        ("purpose: tips", "purpose: [", "no valid YAML"),
    ],
)
def test_a_mistake_is_told_with_its_file_line_and_field(
    tmp_path: Path, good: str, wrong: str, told: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, GOOD.replace(good, wrong))
    assert str(tmp_path / "one.yml") in str(error.value)
    assert told in str(error.value)


def test_our_own_journeys_are_right_and_begin_with_something_there_is() -> None:
    found = definition.load_all()
    assert found
    for key, one in found.items():
        assert one.trigger.on in KINDS, key
        assert len(key) <= 40


def test_two_steps_need_two_keys() -> None:
    with pytest.raises(ValueError, match="two steps have the key first"):
        journey(step("first"), step("first"))


def test_parameters_belong_to_a_template() -> None:
    with pytest.raises(ValueError, match="there is none"):
        journey(step(parameters=["name"]))
    with pytest.raises(ValueError, match="unknown placeholder"):
        journey(step(template="news", parameters=["nome"]))


def test_the_shops_changes_count_before_the_file() -> None:
    files = {"test": journey()}
    change = {
        "active": False,
        "control": 0.2,
        "audience": {"min_orders": 2},
        "trigger": {"days": 9, "on": "refill"},
        "steps": {"second": {"after_days": 3, "words": words("Other words.")}},
        "purpose": None,  # not to be changed
    }
    found, broken = edited.edited(files, {"journey.test": change, "offer.x": {"percent": 1}})
    assert broken == {}
    one = found["test"]
    assert (one.active, one.control, one.audience.min_orders, one.purpose) == (False, 0.2, 2, "newsletter")
    assert (one.trigger.on, one.trigger.days) == ("delivered", 9)
    assert [s.after_days for s in one.steps] == [0, 3]
    assert one.steps[1].words.en.text == "en: Other words."
    assert files["test"].active


@pytest.mark.parametrize(
    ("section", "change", "why"),
    [
        ("journey.gone", {"active": False}, "there is no journey gone"),
        ("journey.test", {"steps": {"third": {"after_days": 1}}}, "no step third"),
        ("journey.test", {"control": 2}, "control: "),
        ("journey.test", {"steps": {"first": {"words": words("{nonsense}")}}}, "unknown placeholder"),
    ],
)
def test_a_change_that_does_not_fit_is_left_out(section: str, change: dict[str, object], why: str) -> None:
    files = {"test": journey()}
    found, broken = edited.edited(files, {section: change})
    assert found == files
    assert why in broken[section][0]


def test_changes_are_versions_with_a_way_back(session: Session, settings: Settings) -> None:
    key = next(iter(service.journeys()))
    edits.save(session, f"journey.{key}", 0, {"active": False}, None, "a pause")
    assert not service.journeys(session)[key].active
    edits.save(session, f"journey.{key}", 1, None, None, "back")
    assert service.journeys(session)[key].active
    assert [edit.version for edit in edits.history(session, f"journey.{key}")] == [2, 1]


def test_a_process_follows_the_changes(sqlite_engine: Engine, settings: Settings) -> None:
    source.follow(lambda: sqlite_engine)
    key = next(iter(service.journeys()))
    with session_scope(sqlite_engine) as session:
        edits.save(session, f"journey.{key}", 0, {"control": 0.3}, None)
    assert service.journeys()[key].control == 0.3
