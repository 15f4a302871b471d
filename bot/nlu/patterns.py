"""Entities that can be listed or described by a pattern: data/nlu/entities.yml.

Rasa's RegexEntityExtractor would need an annotated example for each, minds diacritics, and takes a second
component for synonyms. Here a `lookup` lists the values of an entity, `synonym`s list the words that mean
such a value (a value that has synonyms is only a key and not itself a word), and a `regex` finds the rest;
its first group, if any, is the value.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from re import Pattern
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.nlu.text import fold

EXTRACTOR = "PatternEntities"
Entity = dict[str, Any]


class Patterns:
    """Plain data (`as_dict`) and the compiled expressions made of it."""

    def __init__(self, regexes: list[tuple[str, str]], words: dict[str, dict[str, str]]) -> None:
        self._data = {"regexes": regexes, "words": words}
        self._regexes = [(entity, re.compile(pattern, re.IGNORECASE)) for entity, pattern in regexes]
        self._words = [(entity, any_of(values), values) for entity, values in words.items() if values]

    def as_dict(self) -> dict[str, Any]:
        return self._data

    def find(self, text: str) -> Iterator[Entity]:
        folded = fold(text)
        for entity, expression, values in self._words:
            for match in expression.finditer(folded):
                yield found(entity, values[match.group()], match.start(), match.end())
        for entity, expression in self._regexes:
            for match in expression.finditer(text):
                group = 1 if expression.groups and match.group(1) is not None else 0
                yield found(entity, match.group(group), match.start(group), match.end(group))


def found(entity: str, value: str, start: int, end: int) -> Entity:
    return {"entity": entity, "value": value, "start": start, "end": end, "extractor": EXTRACTOR}


def any_of(words: dict[str, str]) -> Pattern[str]:
    """Whole words only, the longest first, so that "sleeping bag" is not a bag."""
    listed = "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
    return re.compile(rf"(?<!\w)(?:{listed})(?!\w)")


def patterns_of(data: TrainingData) -> Patterns:
    """Raises re.error for a pattern that does not compile, naming the entity."""
    regexes = [(feature["name"], feature["pattern"]) for feature in data.regex_features]
    for entity, pattern in regexes:
        try:
            re.compile(pattern)
        except re.error as error:
            raise re.error(f"the regex of entity {entity} in data/nlu/ is wrong: {error}") from error
    keys = set(data.entity_synonyms.values())
    words: dict[str, dict[str, str]] = {}
    for table in data.lookup_tables:
        values = [value for value in table["elements"] if isinstance(value, str)]
        own = {fold(value): value for value in values if value not in keys}
        own.update({fold(word): value for word, value in data.entity_synonyms.items() if value in values})
        words.setdefault(table["name"], {}).update(own)
    return Patterns(regexes, words)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=True)
class PatternEntities(GraphComponent):
    """Finds what `Patterns` describe in each message."""

    def __init__(
        self, model_storage: ModelStorage, resource: Resource, patterns: Patterns | None = None
    ) -> None:
        self._storage = model_storage
        self._resource = resource
        self._patterns = patterns or Patterns([], {})

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "PatternEntities":
        return cls(model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> "PatternEntities":
        with model_storage.read_from(resource) as folder:
            data = json.loads(file_in(folder).read_text(encoding="utf-8"))
        return cls(
            model_storage, resource, Patterns([tuple(pair) for pair in data["regexes"]], data["words"])
        )

    def train(self, training_data: TrainingData) -> Resource:
        self._patterns = patterns_of(training_data)
        with self._storage.write_to(self._resource) as folder:
            file_in(folder).write_text(
                json.dumps(self._patterns.as_dict(), ensure_ascii=False), encoding="utf-8"
            )
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            new = list(self._patterns.find(message.get(TEXT) or ""))
            message.set(ENTITIES, message.get(ENTITIES, []) + new, add_to_output=True)
        return messages


def file_in(folder: Path) -> Path:
    return folder / "patterns.json"
