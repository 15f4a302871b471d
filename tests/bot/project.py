"""The bot's project files as plain data, without Rasa."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("en", "es", "nb", "ro")
RASA_ACTIONS = {"action_listen", "action_deactivate_loop", "action_default_fallback"}

Yaml = dict[str, Any]


def read(path: Path) -> Yaml:
    loaded: Yaml = yaml.safe_load(path.read_text("utf-8"))
    return loaded


@cache
def domain() -> Yaml:
    return read(ROOT / "domain.yml")


def intents() -> list[str]:
    """The intents of the domain; one with properties is a mapping of its name. Rasa's own is left out."""
    named = [next(iter(intent)) if isinstance(intent, dict) else intent for intent in domain()["intents"]]
    return [intent for intent in named if intent != "nlu_fallback"]


@cache
def responses() -> dict[str, list[Yaml]]:
    """All responses by name; a name in two files is a mistake, as one would silently replace the other."""
    found: dict[str, list[Yaml]] = {}
    for path in sorted((ROOT / "data" / "responses").glob("*.yml")):
        content = read(path)
        assert set(content) == {"version", "responses"}, path.name
        for name, variations in content["responses"].items():
            assert name not in found, f"{name} is in two files, one of them {path.name}"
            found[name] = variations
    return found


@cache
def rules() -> dict[str, Yaml]:
    """All rules by name."""
    found: dict[str, Yaml] = {}
    for path in sorted((ROOT / "data" / "stories").glob("*.yml")):
        for rule in read(path)["rules"]:
            assert rule["rule"] not in found, f"two rules are called {rule['rule']}"
            found[rule["rule"]] = rule
    return found


def steps(rule: Yaml) -> Iterator[Yaml]:
    """A rule's steps, each alternative of an `or` by itself."""
    for step in rule["steps"]:
        yield from step.get("or", [step])


def rule_intents() -> set[str]:
    return {step["intent"] for rule in rules().values() for step in steps(rule) if "intent" in step}


def rule_actions() -> set[str]:
    return {step["action"] for rule in rules().values() for step in steps(rule) if "action" in step}


@cache
def examples() -> dict[tuple[str, str], list[str]]:
    """The training examples by intent and language."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted((ROOT / "data" / "nlu").glob("*.yml")):
        for item in read(path).get("nlu", []):
            if "intent" not in item:
                continue
            language = item.get("metadata", {}).get("language", "")
            lines = [line[2:].strip() for line in item["examples"].splitlines() if line.startswith("- ")]
            found.setdefault((item["intent"], language), []).extend(lines)
    return found


def language_of(variation: Yaml) -> str:
    """The language a variation is for; English stands without a condition, as the default."""
    condition = variation.get("condition")
    if condition is None:
        return "en"
    [only] = condition
    assert only["type"] == "slot" and only["name"] == "language", only
    language: str = only["value"]
    return language


def variables(text: str) -> set[str]:
    return set(re.findall(r"(?<!{){(\w+)}(?!})", text))


def sources(*folders: str) -> Iterator[Path]:
    """The project's own code in these folders, without environments and tests."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {".venv", "tests"} & set(path.relative_to(ROOT).parts):
                yield path
