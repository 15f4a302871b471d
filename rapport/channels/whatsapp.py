"""WhatsApp, by Meta's Cloud API.

A person is known by the id they have with our business (`user_id`), for they may hide their number; where
there is none yet, by their number. Meta sends both as long as it may, so that who was known by the number is
found again by the id.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote

import phonenumbers

from rapport.channels import links, meta, meta_errors
from rapport.channels.base import (
    Event,
    InDoubtError,
    Limits,
    Part,
    Report,
    Request,
    Said,
    Sender,
    Stopped,
    Target,
    Template,
    Unreadable,
)
from rapport.channels.meta import record, records, text
from rapport.kit import languages
from rapport.kit.settings import Settings

log = logging.getLogger(__name__)

USER_ID = re.compile(r"([A-Z]{2})\.[A-Za-z0-9.]+")
# More buttons than these, or longer ones, are a list that opens by a button of its own.
MOST_BUTTONS, BUTTON_TITLE = 3, 20
LIST_LABELS = {"en": "Choose", "es": "Elegir", "nb": "Velg", "ro": "Alege"}
# What WhatsApp calls what the bot cannot read.
KINDS = {
    "sticker": "sticker",
    "audio": "voice",
    "voice": "voice",
    "image": "image",
    "video": "video",
    "video_note": "video",
    "document": "file",
    "location": "location",
    "contacts": "contact",
    "edit": "edit",
    "revoke": "delete",
}
# What the app is to be told of: messages, what became of ours, and who pressed "stop" in WhatsApp itself.
FIELDS = ("messages", "user_preferences")
# Nobody said anything: a number changed, or somebody only opened the chat.
SILENT = frozenset({"system", "request_welcome"})


class WhatsAppChannel(meta.MetaChannel):
    """One number of the shop's. `number` is how people call it, for links from the website."""

    name: ClassVar[str] = "whatsapp"
    # Meta does not say what counts as a character: as in UTF-16 is safe.
    limits: ClassVar[Limits] = Limits(
        text=4096, buttons=10, title=24, text_with_buttons=1024, window=timedelta(hours=24), utf16=True
    )
    meanings: ClassVar[meta_errors.Table] = meta_errors.WHATSAPP

    def __init__(
        self, app_secret: str, verify_token: str, token: str, own_id: str, url: str, number: str = ""
    ) -> None:
        super().__init__(app_secret, verify_token, token, own_id, url)
        self._number = re.sub(r"\D", "", number)

    def read(self, request: Request) -> Sequence[Event]:
        body = meta.parse(request)
        if body.get("object") != "whatsapp_business_account":
            return []
        return [
            event
            for entry in records(body, "entry")
            for change in records(entry, "changes")
            if change.get("field") in FIELDS
            for event in self._events(record(change, "value"))
        ]

    def _events(self, value: dict[str, Any]) -> Iterator[Event]:
        if text(record(value, "metadata"), "phone_number_id") != self._own_id:
            return
        for error in records(value, "errors"):
            log.warning("WhatsApp reports error %s.", text(error, "code"))
        contacts = records(value, "contacts")
        for message in records(value, "messages"):
            # What is said in a group is not said to us.
            sender = None if "group_id" in message else _sender(message, contacts)
            event = _event(message, sender) if sender and text(message, "id") else None
            if event is not None:
                yield event
        for wish in records(value, "user_preferences"):
            stopped = _stopped(wish, contacts)
            if stopped is not None:
                yield stopped
        for status in records(value, "statuses"):
            report = self._report(status)
            if report is not None:
                yield report

    def _report(self, status: dict[str, Any]) -> Report | None:
        told, message_id = text(status, "status"), text(status, "id")
        if told in ("delivered", "read", "played"):
            return Report(message_id, "delivered" if told == "delivered" else "read")
        if told != "failed":
            return None  # "sent" is what we know already
        error = next(iter(records(status, "errors")), {})
        code = meta.number(error, "code")
        found = meta_errors.meaning(self.meanings, code, None, 400, transient=False)
        reason = f"{'no code' if code is None else code}: {found.reason}"
        after = found.after if found.capped else None
        return Report(message_id, "failed", reason, found.gone, after, found.again and not found.capped)

    def send(self, target: Target, part: Part) -> str:
        address = "recipient" if USER_ID.fullmatch(target.address) else "to"
        answer = self._post(
            {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                address: target.address,
                **_content(part, target.language),
            }
        )
        sent = text(next(iter(records(answer, "messages")), {}), "id")
        if not sent:
            raise InDoubtError
        return sent

    def link(self, token: str, language: str = languages.DEFAULT_LANGUAGE) -> str | None:
        words = quote(links.text_with(token, language), safe="")
        return f"https://wa.me/{self._number}?text={words}" if self._number else None


def make(settings: Settings) -> WhatsAppChannel | None:
    """The channel, if the settings ask for it. Raises ConfigurationError when some are missing."""
    values = meta.complete(
        "WhatsApp",
        ("RAPPORT_META_APP_SECRET", settings.meta_app_secret),
        ("RAPPORT_META_VERIFY_TOKEN", settings.meta_verify_token),
        ("RAPPORT_WHATSAPP_TOKEN", settings.whatsapp_token),
        ("RAPPORT_WHATSAPP_PHONE_ID", settings.whatsapp_phone_id),
    )
    if values is None:
        return None
    app_secret, verify_token, token, phone_id = values
    url, number = settings.meta_url, settings.whatsapp_number
    return WhatsAppChannel(app_secret, verify_token, token, phone_id, url, number)


# --- in ----------------------------------------------------------------------------------------------------


def _sender(message: dict[str, Any], contacts: list[dict[str, Any]]) -> Sender | None:
    """Who wrote a message: the ids of the message itself and of the contact that goes with it."""
    phone, user = text(message, "from"), text(message, "from_user_id")
    if USER_ID.fullmatch(phone):
        phone, user = "", user or phone
    theirs = [c for c in contacts if text(c, "user_id") == user] if user else []
    theirs += [c for c in contacts if text(c, "wa_id") == phone] if phone else []
    contact = next(iter(theirs or (contacts if len(contacts) == 1 else [])), {})
    ids = (
        user or text(contact, "user_id"),
        text(contact, "wa_id") or phone,
        phone,
        text(contact, "parent_user_id") or text(message, "from_parent_user_id"),
    )
    known = list(dict.fromkeys(i for i in ids if i))
    # As Twilio writes it: people stay who they are when a shop changes the way.
    known += [f"+{i}" for i in known if i.isdigit()]
    return Sender(known[0], tuple(known[1:]), _language(known)) if known else None


def _stopped(wish: dict[str, Any], contacts: list[dict[str, Any]]) -> Stopped | None:
    """Advertising was stopped in WhatsApp. That it is wanted again has to be said to us."""
    sender = _sender({"from": text(wish, "wa_id"), "from_user_id": text(wish, "user_id")}, contacts)
    if sender is None or wish.get("value") != "stop" or wish.get("category") != "marketing_messages":
        return None
    return Stopped(sender, meta.message_id("stop", sender.address, text(wish, "timestamp")))


def _language(ids: Sequence[str]) -> str | None:
    """The language of the country somebody's number is from: WhatsApp tells no other until they write."""
    for one in ids:
        if found := USER_ID.fullmatch(one):
            return languages.of_country(found[1])
        try:
            country = phonenumbers.region_code_for_number(phonenumbers.parse(f"+{one.lstrip('+')}"))
        except phonenumbers.NumberParseException:
            continue
        return languages.of_country(country or "")
    return None


def _event(message: dict[str, Any], sender: Sender) -> Event | None:
    kind, sent = text(message, "type"), meta.message_id(text(message, "id"))
    if kind == "text":
        words = text(record(message, "text"), "body")
        return Said(sender, sent, words, link=links.token_in(words))
    if kind == "button":  # of a template
        button = record(message, "button")
        return Said(sender, sent, text(button, "text"), text(button, "payload") or None)
    pressed = record(message, "interactive")
    reply = record(pressed, "button_reply") or record(pressed, "list_reply")
    if kind == "interactive" and reply:
        return Said(sender, sent, text(reply, "title"), text(reply, "id") or None)
    if kind in SILENT:
        return None
    if kind == "reaction":
        # Without an emoji it is taken back, and nothing is to be said to that.
        return Unreadable(sender, sent, "reaction") if text(record(message, "reaction"), "emoji") else None
    if kind in ("edit", "revoke"):
        # Should it come with the id of what it changes, it must not pass for that.
        if sent == meta.message_id(text(record(message, kind), "original_message_id")):
            sent = meta.message_id(sent, kind)
        return Unreadable(sender, sent, KINDS[kind])
    caption = text(record(message, kind), "caption").strip()
    if caption:
        return Said(sender, sent, caption)  # what a picture is sent for stands below it
    if kind == "unsupported":
        kind = text(record(message, "unsupported"), "type")
    return Unreadable(sender, sent, KINDS.get(kind, "other"))


# --- out ---------------------------------------------------------------------------------------------------


def _content(part: Part, language: str) -> dict[str, Any]:
    if part.template is not None:
        return {"type": "template", "template": _template(part.template)}
    if part.buttons:
        return {"type": "interactive", "interactive": _interactive(part, language)}
    if part.image is not None:
        caption = {"caption": part.text} if part.text else {}
        return {"type": "image", "image": {"link": part.image, **caption}}
    return {"type": "text", "text": {"body": part.text, "preview_url": False}}


def _template(template: Template) -> dict[str, Any]:
    # A parameter must not have line breaks, nor many blanks in a row.
    given = [{"type": "text", "text": " ".join(value.split())} for value in template.parameters]
    components = [{"type": "body", "parameters": given}] if given else []
    return {"name": template.name, "language": {"code": template.language}, "components": components}


def _interactive(part: Part, language: str) -> dict[str, Any]:
    body = {"text": part.text}
    if len(part.buttons) <= MOST_BUTTONS and all(len(b.title) <= BUTTON_TITLE for b in part.buttons):
        buttons = [{"type": "reply", "reply": {"id": b.id, "title": b.title}} for b in part.buttons]
        return {"type": "button", "body": body, "action": {"buttons": buttons}}
    rows = [{"id": b.id, "title": b.title} for b in part.buttons]
    label = LIST_LABELS.get(language, LIST_LABELS[languages.DEFAULT_LANGUAGE])
    return {"type": "list", "body": body, "action": {"button": label, "sections": [{"rows": rows}]}}
