"""Facebook Messenger, by Meta's Graph API: what people write to the shop's page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from rapport.channels import links, meta, meta_errors
from rapport.channels.base import (
    Event,
    InDoubtError,
    Limits,
    Part,
    RefusedError,
    Report,
    Request,
    Said,
    Sender,
    Target,
    Unreadable,
)
from rapport.channels.meta import record, records, text, texts
from rapport.kit.languages import DEFAULT_LANGUAGE
from rapport.kit.settings import Settings

TOKEN = re.compile(f"[A-Za-z0-9]{{{links.LENGTH}}}")
# What the button stands for that somebody new has to press, and what we take it for: no language's own word.
GET_STARTED, GREETING = "get_started", "Hello"
# What Messenger calls what the bot cannot read.
KINDS = {
    "sticker": "sticker",
    "audio": "voice",
    "image": "image",
    "video": "video",
    "reel": "video",
    "ig_reel": "video",
    "file": "file",
    "location": "location",
}


class MessengerChannel(meta.MetaChannel):
    """One page. People are known by their id with this page."""

    name: ClassVar[str] = "messenger"
    # Meta does not say what counts as a character: as in UTF-16 is safe.
    limits: ClassVar[Limits] = Limits(text=2000, buttons=13, title=20, window=timedelta(hours=24), utf16=True)
    meanings: ClassVar[meta_errors.Table] = meta_errors.MESSENGER

    def read(self, request: Request) -> Sequence[Event]:
        body = meta.parse(request)
        if body.get("object") != "page":
            return []
        # What an entry has under `standby` is for another app that has the conversation.
        return [
            event
            for entry in records(body, "entry")
            for item in records(entry, "messaging")
            for event in self._events(item)
        ]

    def _events(self, item: dict[str, Any]) -> Iterator[Event]:
        person = text(record(item, "sender"), "id")
        if text(record(item, "recipient"), "id") != self._own_id or person in ("", self._own_id):
            return
        # "read" says until when they have read, not what: nothing to be noted by.
        for sent in texts(record(item, "delivery"), "mids"):
            yield Report(sent, "delivered")
        event = _event(item, Sender(person))
        if event is not None:
            yield event

    def send(self, target: Target, part: Part) -> str:
        if part.template is not None:
            raise RefusedError("Messenger has no templates")
        answer = self._post(
            {
                "recipient": {"id": target.address},
                "messaging_type": "RESPONSE",
                "message": _content(part),
            }
        )
        sent = text(answer, "message_id")
        if not sent:
            raise InDoubtError
        return sent

    def link(self, token: str, language: str = DEFAULT_LANGUAGE) -> str | None:
        return f"https://m.me/{self._own_id}?ref={quote(token)}"


def make(settings: Settings) -> MessengerChannel | None:
    """The channel, if the settings ask for it. Raises ConfigurationError when some are missing."""
    values = meta.complete(
        "Messenger",
        ("RAPPORT_META_APP_SECRET", settings.meta_app_secret),
        ("RAPPORT_META_VERIFY_TOKEN", settings.meta_verify_token),
        ("RAPPORT_MESSENGER_TOKEN", settings.messenger_token),
        ("RAPPORT_MESSENGER_PAGE", settings.messenger_page),
    )
    if values is None:
        return None
    app_secret, verify_token, token, page_id = values
    return MessengerChannel(app_secret, verify_token, token, page_id, settings.meta_url)


def _event(item: dict[str, Any], sender: Sender) -> Event | None:
    at = text(item, "timestamp")
    if message := record(item, "message"):
        return _message(message, sender, at)
    if postback := record(item, "postback"):
        sent = meta.message_id(text(postback, "mid") or f"postback:{sender.address}:{at}")
        pressed = text(postback, "payload")
        words = GREETING if pressed == GET_STARTED else text(postback, "title")
        return Said(sender, sent, words, pressed or None, _link(postback))
    if link := _link(item):
        return Said(sender, meta.message_id("link", sender.address, at), link=link)
    if reaction := record(item, "reaction"):
        # Taking one back is nothing to be answered.
        sent = meta.message_id(text(reaction, "mid"), "reaction", at)
        return Unreadable(sender, sent, "reaction") if reaction.get("action") == "react" else None
    if edit := record(item, "message_edit"):
        sent = meta.message_id(text(edit, "mid"), "edit", text(edit, "num_edit") or at)
        return Unreadable(sender, sent, "edit")
    return None


def _message(message: dict[str, Any], sender: Sender, at: str) -> Event | None:
    sent = meta.message_id(text(message, "mid") or f"message:{sender.address}:{at}")
    if message.get("is_echo"):
        return None
    if message.get("is_deleted"):
        return Unreadable(sender, meta.message_id(sent, "delete"), "delete")
    words, pressed, link = (
        text(message, "text"),
        text(record(message, "quick_reply"), "payload"),
        _link(message),
    )
    # A shared address is a text with an attachment; the text has it all.
    if words.strip() or pressed or link:
        return Said(sender, sent, words, pressed or None, link)
    attachment = next(iter(records(message, "attachments")), {})
    if text(record(attachment, "payload"), "sticker_id") or text(message, "sticker_id"):
        return Unreadable(sender, sent, "sticker")
    return Unreadable(sender, sent, KINDS.get(text(attachment, "type"), "other"))


def _link(value: dict[str, Any]) -> str | None:
    """The token of the link that led here. Advertisements and other links of the shop's have other words."""
    found = text(record(value, "referral"), "ref")
    return found if TOKEN.fullmatch(found) else None


def _content(part: Part) -> dict[str, Any]:
    if part.image is not None:
        return {"attachment": {"type": "image", "payload": {"url": part.image, "is_reusable": True}}}
    buttons = [{"content_type": "text", "title": b.title, "payload": b.id} for b in part.buttons]
    return {"text": part.text, **({"quick_replies": buttons} if buttons else {})}
