"""Pure rules of conversations: what clients get to see, what a reply becomes in the database."""

from __future__ import annotations

from typing import Any, Protocol

from rapport.kit.errors import ConflictError, InvalidInputError

PublicMessage = dict[str, Any]

# "I would like to make a complaint, please" tells nothing yet.
WORDS_OF_A_STORY = 10


class Row(Protocol):
    """Columns by name: a row of a query, or what is about to become one."""

    def __getitem__(self, name: str, /) -> Any: ...


def public_message(row: Row) -> PublicMessage:
    """A message (its columns by name) as clients see it: with the ids of buttons, not their payloads."""
    content = row["content"] or {}
    return {
        "id": row["sequence"],
        "author": row["author"],
        "text": row["text"],
        "buttons": [{"id": b["id"], "title": b["title"]} for b in content.get("buttons", ())],
        "card": content.get("card"),
        "image": content.get("image"),
        "language": row["language"],
        "at": row["at"].isoformat(),
        "client_id": client_id(row["conversation_id"], row["provider_id"]),
    }


def provider_id(conversation_id: str, client_id: str) -> str:
    """A client's own id of a message, made unique on the whole channel."""
    return f"{conversation_id}:{client_id}"


def client_id(conversation_id: str, provider_id: str | None) -> str | None:
    """The client's own id again."""
    prefix = f"{conversation_id}:"
    return provider_id[len(prefix) :] if provider_id and provider_id.startswith(prefix) else None


def split_button(button: str) -> tuple[int, str]:
    """The reply's sequence number and the button's id of `7:b1`; raises InvalidInputError."""
    sequence, _, name = button.partition(":")
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= 9 and name):
        raise InvalidInputError("button: must look like 7:b1, a reply's id and the button's.")
    return int(sequence), name


def check_same(stored_text: str | None, stored_payload: str | None, text: str, payload: str | None) -> None:
    """Raises ConflictError when an id that was used for one message comes with another."""
    if (stored_text, stored_payload) != (text, payload):
        raise ConflictError("This client_id was already used for another message.")


def content_of(
    buttons: list[tuple[str, str]], card: dict[str, Any] | None, image: str | None
) -> dict[str, Any]:
    """What a reply holds beside its text; buttons are (title, payload) and get the ids b1, b2, …"""
    content: dict[str, Any] = {}
    if buttons:
        content["buttons"] = [
            {"id": f"b{number}", "title": title, "payload": payload}
            for number, (title, payload) in enumerate(buttons, 1)
        ]
    if card:
        content["card"] = card
    if image:
        content["image"] = image
    return content


def complaint_story(opening: str | None, answer: str) -> str:
    """The words of a complaint: the answer to "what happened?", after an opening that already told it."""
    if opening and len(opening.split()) >= WORDS_OF_A_STORY and opening != answer:
        return f"{opening}\n\n{answer}"
    return answer
