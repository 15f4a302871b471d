"""A journey as its file says it: rapport/outreach/journeys/<key>.yml, readable on one screen."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from rapport.loyalty.offers.rulebook import AudienceRule, Key
from rapport.shop.facts import Facts

FOLDER = Path(__file__).parent
Days = Annotated[float, Field(ge=0, le=730)]


class Words(Facts):
    """What a step says in one language. `short` is what goes to messaging apps and SMS."""

    subject: Annotated[str, Field(min_length=1, max_length=120)]
    text: Annotated[str, Field(min_length=1, max_length=4000)]
    short: Annotated[str, Field(max_length=600)] = ""


class FourLanguages(Facts):
    """The words in each language."""

    en: Words
    es: Words
    nb: Words
    ro: Words


class Trigger(Facts):
    """What begins the journey (`triggers.KINDS`), and what that kind wants to know more.

    `days`: so many after what happened, or before what is coming. `a_day`: how many people enter at most
    in a day.
    """

    on: Key
    days: Days | None = None
    minutes: Annotated[int, Field(ge=1, le=10_080)] | None = None
    a_day: Annotated[int, Field(ge=1, le=100_000)] | None = None


class Step(Facts):
    """Something said, `after_days` after the trigger or the step before it.

    `offer`: a code of this offer goes with it, `{code}` in the words. `template`: WhatsApp's approved one.
    `b`: other words for half of the people, if words are compared.
    """

    key: Key
    after_days: Days = 0
    cost: Literal["low", "medium", "high"] = "low"
    channels: tuple[str, ...] = ("email", "whatsapp", "telegram", "messenger", "sms", "phone")
    offer: Key | None = None
    template: Key | None = None
    words: FourLanguages
    b: FourLanguages | None = None


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
        keys = [step.key for step in self.steps]
        if len(set(keys)) != len(keys):
            raise ValueError("two steps have the same key")
        return self


@cache
def load_all() -> dict[str, Journey]:
    """Every journey of the folder, as its file says it. Raises ValidationError."""
    return {path.stem: _load(path) for path in sorted(FOLDER.glob("*.yml"))}


def _load(path: Path) -> Journey:
    content: Any = yaml.safe_load(path.read_text("utf-8"))
    return Journey.model_validate(content)


def waits(step: Step) -> timedelta:
    """How long after the trigger, or the step before it."""
    return timedelta(days=step.after_days)
