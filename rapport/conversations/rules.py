"""Pure rules of conversations: what clients get to see, what a reply becomes in the database."""

from __future__ import annotations

import re
from typing import Any, Protocol

from rapport.channels.notices import STOPPED
from rapport.kit.errors import ConflictError, InvalidInputError

PublicMessage = dict[str, Any]

# "I would like to make a complaint, please" tells nothing yet.
WORDS_OF_A_STORY = 10

ORDER = re.compile(
    r"\b(?:order(?:s|ed)?|parcels?|packages?|deliver(?:y|ies)|shipments?|pedidos?|paquetes?|env[ií]os?"
    r"|ordren?e?|bestilling\w*|pakk[ea]\w*|comenzi\w*|comand[aă]\w*|colet\w*|pachet\w*)\b",
    re.IGNORECASE,
)
WAITING = re.compile(
    r"\b(?:wait\w*|no ?one\w*|nobody\w*|any(?:one|body)|esper\w*|aqu[ií]|nadie|alguien|vente?r?|ventet|venta"
    r"|ingen|noen|a[sșş]tept\w*|nimeni|cineva|aici)\b",
    re.IGNORECASE,
)
LACKING = re.compile(
    r"\b(?:(?:don['’]?t|do not|can['’]?t|cannot) (?:have|know|remember|find)|have no|haven['’]?t|no account"
    r"|no (?:tengo|recuerdo|me acuerdo|encuentro|s[eé])|sin cuenta"
    r"|har (?:ikke|ikkje|ingen)|(?:husker|vet|finner) ikke|uten konto"
    r"|n-am|nu (?:mai )?(?:am|[sșş]tiu|g[aă]sesc)|nu-?mi amintesc|f[aă]r[aă] cont)\b",
    re.IGNORECASE,
)


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


def status_of(conversation: str, notice: str | None) -> str:
    """What a customer's message is when it arrives: for a person, settled already, or to be answered.

    STOP is confirmed whoever has the conversation: they would write it again, or complain.
    """
    if notice == "":
        return "noted"
    return "kept" if conversation == "human" and notice != STOPPED else "received"


def is_told(opening: str | None) -> bool:
    """Whether the message that began it ("The tent held in a storm …") says all there is to say."""
    return opening is not None and len(opening.split()) >= WORDS_OF_A_STORY


def complaint_story(opening: str | None, answer: str) -> str:
    """The words of a complaint: the answer to "what happened?", after an opening that already told it."""
    return f"{opening}\n\n{answer}" if is_told(opening) and opening != answer else answer


def only_waits(text: str) -> bool:
    """Whether a message like "still waiting …" is about the person asked for, not about an order."""
    return bool(WAITING.search(text)) and not names_order(text)


def names_order(text: str) -> bool:
    """Whether there is a word for an order or a parcel in it."""
    return bool(ORDER.search(text))


def lacks_something(text: str) -> bool:
    """Whether a message says what they have not, or don't know: "I have no account", "no me acuerdo"."""
    return bool(LACKING.search(text)) and not names_order(text)
