"""Turns what the app knows about a message (its metadata) into entities, which fill slots like any others."""

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import ENTITIES, METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message

EXTRACTOR = "MetadataEntities"


def entities_from_metadata(metadata: dict[str, Any] | None, text: str) -> list[dict[str, Any]]:
    """Entities `language`, `verified` and those found by the app's catalogue, with their place in `text` if
    it is known.
    """
    if not metadata:
        return []
    found: list[dict[str, Any]] = []
    if metadata.get("language"):
        found.append({"entity": "language", "value": metadata["language"]})
    if "verified" in metadata:
        found.append({"entity": "verified", "value": bool(metadata["verified"])})
    for entity in metadata.get("entities") or []:
        found.append(
            {"entity": entity["entity"], "value": entity["value"], **_place(entity.get("text"), text)}
        )
    return [{**entity, "extractor": EXTRACTOR} for entity in found]


def _place(words: str | None, text: str) -> dict[str, int]:
    start = text.lower().find(words.lower()) if words else -1
    return {"start": start, "end": start + len(words)} if words and start >= 0 else {}


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class MetadataEntities(GraphComponent):
    """Adds `entities_from_metadata` to each message; there is nothing to train."""

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "MetadataEntities":
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            new = entities_from_metadata(message.get(METADATA), message.get(TEXT) or "")
            message.set(ENTITIES, message.get(ENTITIES, []) + new, add_to_output=True)
        return messages
