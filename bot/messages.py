"""The bodies of requests, checked by hand, so that Rasa only ever meets clean values."""

import re
from dataclasses import dataclass, field
from typing import Any

MAX_TEXT = 4000
MAX_ENTITIES = 50
MAX_TOLD = 50
CONVERSATION_ID = re.compile(r"[0-9a-f]{32}")
MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,200}")
PAYLOAD = re.compile(r"/[a-z][a-z0-9_]{0,99}(\{.*\})?", re.DOTALL)
INTENT = re.compile(r"[a-z][a-z0-9_]{0,99}")
AUTHORS = ("customer", "staff", "journey")
LANGUAGE = re.compile(r"[a-z]{2,3}")

# Looks like a slash and is not one. Rasa takes any text whose first non-blank character is "/" as a command
# (it sets intents, slots, restarts), so a leading blank would not help.
SLASH_LOOKALIKE = "\u2215"


class InvalidTurn(ValueError):
    """The body is not a turn; the message says what is wrong and quotes no content."""


@dataclass
class Metadata:
    """What the app knows about a message beside its text."""

    language: str | None = None
    verified: bool = False
    entities: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {"language": self.language, "verified": self.verified, "entities": self.entities}


@dataclass
class Turn:
    """One message of one conversation: typed text, or the payload of a button (exactly one is set)."""

    conversation_id: str
    message_id: str
    text: str | None
    payload: str | None
    metadata: Metadata


@dataclass
class Told:
    """Something said without the bot: by the customer to a person, by staff, or unasked by a journey.

    `steps_in`: a person has the conversation; what the bot was asking is over. `next`: the intent that a yes
    to a journey's words means.
    """

    message_id: str
    author: str
    text: str
    steps_in: bool
    next: str | None = None


def read_told(body: Any) -> list[Told]:
    """The messages of `POST /conversations/<id>/events`; raises `InvalidTurn`."""
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_TOLD:
        raise InvalidTurn(f"messages must be a list of 1 to {MAX_TOLD}")
    return [_read_told(message) for message in messages]


def _read_told(value: Any) -> Told:
    if not isinstance(value, dict) or value.get("author") not in AUTHORS:
        raise InvalidTurn("each of messages needs an author: customer, staff or journey")
    if not isinstance(value.get("steps_in"), bool):
        raise InvalidTurn("steps_in must be true or false")
    means = value.get("next")
    if means is not None and not (isinstance(means, str) and INTENT.fullmatch(means)):
        raise InvalidTurn("next must be the name of an intent")
    text = escape_typed_text(_read_text(value.get("text"), "text"))
    return Told(_read_message_id(value), value["author"], text, value["steps_in"], means)


def read_turn(body: Any) -> Turn:
    """Builds a `Turn` from a decoded JSON body; raises `InvalidTurn`."""
    if not isinstance(body, dict):
        raise InvalidTurn("the body must be a JSON object")
    message_id = _read_message_id(body)
    text, payload = body.get("text"), body.get("payload")
    if (text is None) == (payload is None):
        raise InvalidTurn("exactly one of text and payload is needed")
    return Turn(
        read_conversation_id(body.get("conversation_id")),
        message_id,
        None if text is None else escape_typed_text(_read_text(text, "text")),
        None if payload is None else _read_payload(payload),
        _read_metadata(body.get("metadata")),
    )


def _read_message_id(body: dict[str, Any]) -> str:
    message_id = body.get("message_id")
    if not isinstance(message_id, str) or not MESSAGE_ID.fullmatch(message_id):
        raise InvalidTurn("message_id must be 1 to 200 printable ASCII characters")
    return message_id


def read_conversation_id(value: Any) -> str:
    """The id, or `InvalidTurn`: anything but our own ids could break the tracker store (NUL does on
    PostgreSQL).
    """
    if not isinstance(value, str) or not CONVERSATION_ID.fullmatch(value):
        raise InvalidTurn("conversation_id must be 32 lower-case hexadecimal digits")
    return value


def escape_typed_text(text: str) -> str:
    """Typed text can never become a command (see `SLASH_LOOKALIKE`)."""
    stripped = text.strip()
    return SLASH_LOOKALIKE + stripped[1:] if stripped.startswith("/") else stripped


def _read_text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidTurn(f"{name} must be a string")
    if len(value) > MAX_TEXT:
        raise InvalidTurn(f"{name} is longer than {MAX_TEXT} characters")
    # A NUL or half a surrogate pair cannot be stored everywhere; the rest of the message still deserves an
    # answer.
    return value.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _read_payload(value: Any) -> str:
    payload = _read_text(value, "payload").strip()
    if not PAYLOAD.fullmatch(payload):
        raise InvalidTurn('payload must look like /intent or /intent{"entity": "value"}')
    return payload


def _read_metadata(value: Any) -> Metadata:
    if value is None:
        return Metadata()
    if not isinstance(value, dict):
        raise InvalidTurn("metadata must be an object")
    language, verified, entities = (
        value.get("language"),
        value.get("verified", False),
        value.get("entities", []),
    )
    if language is not None and not (isinstance(language, str) and LANGUAGE.fullmatch(language)):
        raise InvalidTurn("metadata.language must be a language code")
    if not isinstance(verified, bool):
        raise InvalidTurn("metadata.verified must be true or false")
    if not isinstance(entities, list) or len(entities) > MAX_ENTITIES:
        raise InvalidTurn(f"metadata.entities must be a list of at most {MAX_ENTITIES}")
    return Metadata(language, verified, [_read_entity(entity) for entity in entities])


def _read_entity(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or "entity" not in value or "value" not in value:
        raise InvalidTurn("each of metadata.entities needs entity and value")
    entity = {name: _read_text(value[name], name) for name in ("entity", "value")}
    if value.get("text") is not None:
        entity["text"] = _read_text(value["text"], "text")
    return entity
