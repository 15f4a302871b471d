"""Segments: which scores belong to which, from `segments.yml` beside the shop's file. Checked whole."""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import ROOT, get_settings
from rapport.shop.facts import Texts

FILE = "segments.yml"
SCORES = range(1, 6)
# Of a mistake repeated in many combinations, so many are named.
NAMED = 8

Scores = tuple[int, int, int]


class Box(BaseModel):
    """A block of scores, as (lowest, highest) of each; written `4-5` or `3`, and 1 to 5 when left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recency: tuple[int, int] = (1, 5)
    frequency: tuple[int, int] = (1, 5)
    monetary: tuple[int, int] = (1, 5)

    @field_validator("*", mode="before")
    @classmethod
    def _range(cls, value: object) -> object:
        found = re.fullmatch(r"\s*([1-5])\s*(?:-\s*([1-5])\s*)?", str(value))
        if not found:
            raise ValueError("must be a score from 1 to 5, or two with a hyphen, such as 4-5")
        low, high = int(found[1]), int(found[2] or found[1])
        if low > high:
            raise ValueError(f"goes from high to low; write {high}-{low}")
        return low, high

    def holds(self, scores: Scores) -> bool:
        """Whether these (recency, frequency, monetary) lie in the box."""
        ranges = (self.recency, self.frequency, self.monetary)
        return all(low <= score <= high for (low, high), score in zip(ranges, scores, strict=True))


class Segment(BaseModel):
    """A group of customers by their scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
    name: Texts
    boxes: Annotated[tuple[Box, ...], Field(min_length=1)]


class Segments:
    """The whole table."""

    def __init__(self, segments: tuple[Segment, ...], by_scores: dict[Scores, str]) -> None:
        self._by_scores = by_scores
        self.all = segments
        self.keys = tuple(segment.key for segment in segments)

    def of(self, recency: int, frequency: int, monetary: int) -> str:
        """The key of the segment of these scores (each 1 to 5)."""
        return self._by_scores[recency, frequency, monetary]

    def name(self, key: str, language: str) -> str:
        """What a segment is called; its key if the table has lost it since."""
        return next((s.name.of(language) for s in self.all if s.key == key), key)


def parse(text: str) -> Segments:
    """The table in a file's text. Raises ConfigurationError with one line per mistake."""
    try:
        segments = TypeAdapter(tuple[Segment, ...]).validate_python(tuple(yaml.safe_load(text) or ()))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"is no valid YAML: {error}") from None
    except TypeError:
        raise ConfigurationError("must be a list of segments") from None
    except ValidationError as error:
        raise ConfigurationError("\n  ".join(_lines(error))) from None
    by_scores: dict[Scores, str] = {}
    mistakes = [f"two segments are called {key}" for key in _twice([s.key for s in segments])]
    gaps: list[Scores] = []
    overlaps: dict[tuple[str, ...], list[Scores]] = {}
    for scores in product(SCORES, SCORES, SCORES):
        found = tuple(segment.key for segment in segments for box in segment.boxes if box.holds(scores))
        if not found:
            gaps.append(scores)
        elif len(found) > 1:
            overlaps.setdefault(found, []).append(scores)
        else:
            by_scores[scores] = found[0]
    if gaps:
        mistakes.append(f"no segment has {_list(gaps)}")
    mistakes += [f"{' and '.join(keys)} both have {_list(scores)}" for keys, scores in overlaps.items()]
    if mistakes:
        raise ConfigurationError("\n  ".join(mistakes))
    return Segments(segments, by_scores)


def _lines(error: ValidationError) -> list[str]:
    return [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]


def _twice(keys: list[str]) -> list[str]:
    return sorted({key for key in keys if keys.count(key) > 1})


def _list(combinations: list[Scores]) -> str:
    named = ", ".join(f"recency {r} frequency {f} monetary {m}" for r, f, m in combinations[:NAMED])
    more = len(combinations) - NAMED
    return f"{named} and {more} more combinations" if more > 0 else named


@cache
def load_segments(path: Path) -> Segments:
    """The table in the file at `path`. Raises ConfigurationError with one line per mistake."""
    try:
        return parse(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"Cannot read the segments: {path}: {error}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{path} is wrong:\n  {error}") from None


def get_segments() -> Segments:
    """This installation's table: the file beside the shop's, or the one that comes with Rapport."""
    own = get_settings().shop_file.parent / FILE
    return load_segments(own if own.exists() else ROOT / FILE)
