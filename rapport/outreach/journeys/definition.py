"""A journey as its file says it: rapport/outreach/journeys/<key>.yml, readable on one screen."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from actions.words import button_intents
from rapport.kit.errors import ConfigurationError
from rapport.kit.languages import LANGUAGES
from rapport.loyalty.offers.rulebook import AudienceRule, Key
from rapport.outreach.journeys import rules
from rapport.shop import placeholders
from rapport.shop.facts import Facts

FOLDER = Path(__file__).parent
# Words of ours that lie in the same folder.
NO_JOURNEY = frozenset({"texts"})

Days = Annotated[float, Field(ge=0, le=730)]
WayOut = Literal["email", "whatsapp", "telegram", "messenger", "sms", "phone"]
EVERYWHERE: tuple[WayOut, ...] = ("email", "whatsapp", "telegram", "messenger", "sms", "phone")


class Words(Facts):
    """What a step says in one language. `short` is what goes to messaging apps and SMS, else the text.

    What may stand in braces: `rules.PLACEHOLDERS`.
    """

    subject: Annotated[str, Field(min_length=1, max_length=120)]
    text: Annotated[str, Field(min_length=1, max_length=4000)]
    short: Annotated[str, Field(max_length=600)] = ""

    @model_validator(mode="after")
    def _known_placeholders(self) -> Words:
        for name in ("subject", "text", "short"):
            text = placeholders.check(getattr(self, name), rules.PLACEHOLDERS)
            if wrong := rules.misplaced_name(text):
                raise ValueError(f"{name}: {wrong}")
        return self

    def used(self) -> set[str]:
        """The placeholders in all of it."""
        return set().union(*(placeholders.used(text) for text in (self.subject, self.text, self.short)))


class FourLanguages(Facts):
    """The words in each language."""

    en: Words
    es: Words
    nb: Words
    ro: Words

    def of(self, language: str) -> Words:
        """The words in `language` (one of ours)."""
        words: Words = getattr(self, language)
        return words

    def used(self) -> set[str]:
        """The placeholders in any of them."""
        return set().union(*(self.of(language).used() for language in LANGUAGES))


class Trigger(Facts):
    """What begins the journey (`triggers.KINDS`), and what that kind wants to know more.

    `days`: so many after what happened, or before what is coming. `a_day`: how many people enter at most
    in a day. `only`: categories and SKUs it is limited to.
    """

    on: Key
    days: Days | None = None
    minutes: Annotated[int, Field(ge=1, le=10_080)] | None = None
    a_day: Annotated[int, Field(ge=1, le=100_000)] | None = None
    only: tuple[str, ...] = ()


class Step(Facts):
    """Something said, `after_days` after the trigger or the step before it.

    `offer`: a code of this offer goes with it, `{code}` in the words; of two steps with the same offer the
    second tells the first one's code again. `template`: WhatsApp's approved one, with the values of
    `parameters` in their order. `b`: other words for half of the people, if words are compared. Where there
    are buttons, `ask` puts those of a question under the words, `next` those of intents.
    """

    key: Key
    after_days: Days = 0
    cost: Literal["low", "medium", "high"] = "low"
    channels: Annotated[tuple[WayOut, ...], Field(min_length=1)] = EVERYWHERE
    offer: Key | None = None
    template: Key | None = None
    parameters: tuple[str, ...] = ()
    words: FourLanguages
    b: FourLanguages | None = None
    ask: Literal["satisfaction"] | None = None
    next: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Step:
        if unknown := sorted(set(self.parameters) - set(rules.PLACEHOLDERS)):
            raise placeholders.PlaceholderError(unknown[0], rules.PLACEHOLDERS)
        if self.parameters and self.template is None:
            raise ValueError("parameters are for a template, and there is none")
        if unknown := sorted(set(self.next) - button_intents()):
            raise ValueError(f"{unknown[0]} is no intent with a button, see docs/intents.md")
        if self.ask and self.next:
            raise ValueError("either `ask` or `next`: they share the place of the buttons")
        return self

    @property
    def tells_of_code(self) -> bool:
        """Whether a code is needed to say it."""
        return self.offer is not None or bool(self.used() & rules.OF_A_CODE)

    def used(self) -> set[str]:
        """The placeholders in all of its words."""
        return self.words.used() | (self.b.used() if self.b else set()) | set(self.parameters)

    def wordings(self, variant: str) -> FourLanguages:
        """What somebody of this variant gets."""
        return self.b if variant == rules.B and self.b is not None else self.words


class Journey(Facts):
    """A journey. `exits` end it before its next step; `control` is the share (0 to 1) that gets nothing.

    `goal`: what is counted as success, within `goal_days` of the beginning. `again_days`: the same person
    enters it once in this time at most.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    about: Annotated[str, Field(min_length=1, max_length=300)]
    trigger: Trigger
    purpose: Literal["newsletter", "tips", "reminders", "alerts"] | None
    audience: AudienceRule = AudienceRule()
    exits: tuple[Literal["bought", "lost_interest", "returned", "used"], ...] = ()
    goal: Literal["bought", "subscribed", "rated", "none"] = "bought"
    goal_days: Annotated[int, Field(ge=1, le=365)] = 30
    again_days: Annotated[int, Field(ge=0, le=3650)] = 0
    control: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    recovery: bool = False
    active: bool = True
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=6)]

    @model_validator(mode="after")
    def _steps_have_names_of_their_own(self) -> Journey:
        keys = sorted(step.key for step in self.steps)
        if twice := [one for one, next_one in pairwise(keys) if one == next_one]:
            raise ValueError(f"two steps have the key {twice[0]}")
        for step in self.steps:
            if step.offer is None and step.tells_of_code and self.trigger.on not in rules.PRESENTS:
                raise ValueError(f"step {step.key} tells of a code: name the `offer`")
        return self

    @property
    def compares_words(self) -> bool:
        """Whether half of the people get other words at some step."""
        return any(step.b is not None for step in self.steps)

    def step(self, key: str) -> Step | None:
        """The step of that key, if there is one."""
        return next((step for step in self.steps if step.key == key), None)


def waits(step: Step) -> timedelta:
    """How long after the trigger, or the step before it."""
    return timedelta(days=step.after_days)


class _Loader(yaml.SafeLoader):
    """YAML in which `on`, `no` and the like are words: only true and false are yes and no."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:bool"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


@cache
def load_all(folder: Path = FOLDER) -> dict[str, Journey]:
    """Every journey of the folder, as its file says it.

    Raises ConfigurationError with one line per mistake: which file, which line, which field.
    """
    paths = [path for path in sorted(folder.glob("*.yml")) if path.stem not in NO_JOURNEY]
    return {path.stem: load(path) for path in paths}


def load(path: Path) -> Journey:
    """The journey in a file. Raises ConfigurationError."""
    try:
        text = path.read_text("utf-8")
        return Journey.model_validate(yaml.load(text, Loader=_Loader))  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigurationError(f"Cannot read the journey {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no valid YAML: {error}") from None
    except ValidationError as error:
        root = yaml.compose(text, Loader=_Loader)
        lines = [_mistake(root, item["loc"], item["msg"]) for item in error.errors()]
        raise ConfigurationError(f"{path} is wrong:\n  " + "\n  ".join(lines)) from None


def _mistake(root: yaml.Node | None, loc: tuple[str | int, ...], message: str) -> str:
    """One mistake with its line, a step by its key rather than its number."""
    node, names = root, []
    for part in loc:
        name = str(part)
        below = _below(node, part)
        if isinstance(part, int) and isinstance(below, yaml.MappingNode):
            key = _below(below, "key")
            name = key.value if isinstance(key, yaml.ScalarNode) else name
        names.append(name)
        node = below or node
    line = f"line {node.start_mark.line + 1}: " if node else ""
    return f"{line}{'.'.join(names)}{': ' if names else ''}{message.removeprefix('Value error, ')}"


def _below(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        found: yaml.Node | None = next((value for key, value in node.value if key.value == part), None)
        return found
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        entry: yaml.Node = node.value[part]
        return entry
    return None
