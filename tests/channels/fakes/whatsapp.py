"""A stand-in for WhatsApp's Cloud API: its paths, checks, errors and webhooks as documented."""

from __future__ import annotations

import re
import time
from typing import Any, ClassVar
from uuid import uuid4

from pydantic import SecretStr

from tests.channels.fakes.meta import Body, Call, FakeGraph, Refusal, length, only, unknown
from tests.channels.harness import Sent, all_but

PHONE_ID, ACCOUNT_ID, NUMBER = "106540352242922", "102290129340398", "15550783881"
USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
PHONE = re.compile(r"\+?[0-9]{7,15}")
PARAMETER = "(#131009) Parameter value is not valid"

# As documented: what is unknown of a person's phone stays unknown.
ERRORS: dict[int, tuple[int, str, str]] = {
    80007: (400, "(#80007) Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
    130429: (429, "(#130429) Rate limit hit", "Cloud API message throughput has been reached."),
    130472: (400, "(#130472) User's number is part of an experiment", "Message was not sent."),
    131000: (500, "(#131000) Something went wrong", "Message failed to send due to an unknown error."),
    131009: (400, PARAMETER, "One or more parameter values are invalid."),
    131016: (500, "(#131016) Service unavailable", "A service is temporarily unavailable."),
    131026: (400, "(#131026) Message undeliverable", "Unable to deliver message."),
    131030: (400, "(#131030) Recipient phone number not in allowed list", "Not on the allowed list."),
    131031: (403, "(#131031) Account has been locked", "The account was restricted."),
    131042: (400, "(#131042) Business eligibility payment issue", "Errors related to your payment method."),
    131047: (400, "(#131047) Re-engagement message", "More than 24 hours have passed since they replied."),
    131049: (400, "(#131049) Meta chose not to deliver", "To maintain healthy ecosystem engagement."),
    131050: (400, "(#131050) Recipient has stopped marketing messages", "They chose to stop them."),
    131056: (400, "(#131056) (Business Account, Consumer Account) pair rate limit hit", "Too many messages."),
    133010: (400, "(#133010) The account is not registered", "Phone number not registered."),
}


def error(code: int) -> Refusal:
    """The documented error of a code."""
    status, message, details = ERRORS[code]
    return Refusal(status, code, message, details=details)


class WhatsApp(FakeGraph):
    """Somebody is called by their id with the business; `phone(person)` is their number.

    `hidden`: who does not show it. `templates`: (name, language) → how many parameters.
    """

    name: ClassVar[str] = "whatsapp"
    object: ClassVar[str] = "whatsapp_business_account"
    own_id: ClassVar[str] = PHONE_ID
    unreadable: ClassVar[tuple[str, ...]] = all_but()
    refusals: ClassVar[dict[str, Refusal]] = {
        "again": error(131016),
        "slow_down": error(130429),
        "refuse": error(131009),
        "gone": error(131026),
    }

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()
        self.templates: dict[tuple[str, str], int] = {
            ("news", "nb"): 2,
            ("news", "en"): 2,
            ("hello", "ro"): 0,
        }
        self.scopes = ["whatsapp_business_management", "whatsapp_business_messaging"]

    def settings(self) -> dict[str, Any]:
        own = {
            "whatsapp_token": SecretStr(self.token),
            "whatsapp_phone_id": PHONE_ID,
            "whatsapp_number": NUMBER,
        }
        return {**super().settings(), **own}

    def person(self, number: int) -> str:
        return f"US.1349120865530274{number:04}"

    def phone(self, person: str) -> str:
        return f"1650555{person[-4:]}"

    # --- what people do ------------------------------------------------------------------------------------

    def say(self, person: str, text: str, message_id: str | None = None) -> int:
        return self.bring(self.message(person, "text", {"body": text}, message_id))

    def press(self, person: str, button: str, title: str) -> int:
        """The kind is that of the message the button was sent with."""
        kind = "list_reply" if any(sent.details.get("list") for sent in self.sent(person)) else "button_reply"
        content = {"type": kind, kind: {"id": button, "title": title}}
        return self.bring(self.message(person, "interactive", content))

    def send_unreadable(self, person: str, what: str) -> int:
        return self.bring(self.unreadable_message(person, what))

    def forge(self, person: str, text: str) -> int:
        entry = self.entry(messages=[self.message(person, "text", {"body": text})])
        return self.post(entry, secret="a guess")

    def unreadable_message(self, person: str, what: str) -> Body:
        media = {"mime_type": "image/webp", "sha256": "c9a2b5=", "id": "1908647269898587"}
        original = {"original_message_id": f"wamid.{uuid4().hex}"}
        kinds: dict[str, tuple[str, Body | list[Any]]] = {
            "sticker": ("sticker", {**media, "animated": False}),
            "voice": ("audio", {**media, "voice": True}),
            "image": ("image", media),
            "video": ("video", media),
            "file": ("document", {**media, "filename": "invoice.pdf"}),
            "location": ("location", {"latitude": 59.9, "longitude": 10.7, "name": "Oslo S"}),
            "contact": ("contacts", [{"name": {"formatted_name": "Kari"}, "phones": [{"phone": "+47 22"}]}]),
            "reaction": ("reaction", {"message_id": "wamid.HBg", "emoji": "👍"}),
            "edit": ("edit", {**original, "message": {"type": "text", "text": {"body": "other words"}}}),
            "delete": ("revoke", original),
        }
        if what != "other":
            return self.message(person, *kinds[what])
        failed = {
            "code": 131051,
            "title": "Message type unknown",
            "message": "Message type unknown",
            "error_data": {"details": "Message type is currently not supported."},
        }
        return self.message(person, "unsupported", {"type": "poll_creation"}) | {"errors": [failed]}

    def message(self, person: str, kind: str, content: Any, message_id: str | None = None) -> Body:
        """A message as it stands in a webhook."""
        self.writers.update((person, self.phone(person)))
        ids = {} if person in self.hidden else {"from": self.phone(person)}
        return {
            **ids,
            "from_user_id": person,
            "id": f"wamid.{message_id or uuid4().hex}",
            "timestamp": str(int(time.time())),
            "type": kind,
            kind: content,
        }

    def entry(self, messages: list[Body] | None = None, phone_id: str = PHONE_ID, **more: Any) -> Body:
        """An entry of a webhook; `more` are statuses, errors and the like."""
        value: Body = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": NUMBER, "phone_number_id": phone_id},
            **more,
        }
        if messages:
            writers = dict.fromkeys(message["from_user_id"] for message in messages)
            value |= {"contacts": [self.contact(person) for person in writers], "messages": messages}
        return {"id": ACCOUNT_ID, "changes": [{"value": value, "field": "messages"}]}

    def contact(self, person: str) -> Body:
        shown = {} if person in self.hidden else {"wa_id": self.phone(person)}
        return {"profile": {"name": "Sheena Nelson"}, "user_id": person, **shown}

    def bring(self, *messages: Body) -> int:
        """Messages in one webhook."""
        return self.post(self.entry(messages=list(messages)))

    def tell(self, sent_id: str, status: str, code: int | None = None) -> int:
        """What became of a message of ours."""
        told: Body = {
            "id": sent_id,
            "status": status,
            "timestamp": str(int(time.time())),
            "recipient_id": "1650",
        }
        if code is not None:
            _, title, details = ERRORS[code]
            title = title.partition(") ")[2]
            told["errors"] = [
                {"code": code, "title": title, "message": title, "error_data": {"details": details}}
            ]
        return self.post(self.entry(statuses=[told]))

    def prefer(self, person: str, value: str, timestamp: int = 1731705721) -> int:
        """Somebody stops or resumes advertising, in WhatsApp's own menu."""
        wish: Body = {
            "user_id": person,
            "detail": f"User requested to {value} marketing messages",
            "category": "marketing_messages",
            "value": value,
            "timestamp": timestamp,
        }
        if person not in self.hidden:
            wish["wa_id"] = self.phone(person)
        entry = self.entry(contacts=[self.contact(person)], user_preferences=[wish])
        entry["changes"][0]["field"] = "user_preferences"
        return self.post(entry)

    # --- the API -------------------------------------------------------------------------------------------

    def answer(self, call: Call) -> Any:
        if (call.method, call.path) == ("GET", PHONE_ID):
            about = {
                "display_phone_number": "+1 555-078-3881",
                "verified_name": "Fjordly",
                "quality_rating": "GREEN",
                "status": "CONNECTED",
                "platform_type": "CLOUD_API",
            }
            wanted = call.query.get("fields", "verified_name,display_phone_number").split(",")
            return {key: value for key, value in about.items() if key in wanted} | {"id": PHONE_ID}
        if (call.method, call.path) == ("GET", f"{ACCOUNT_ID}/phone_numbers"):
            return {"data": [{"id": PHONE_ID, "display_phone_number": "+1 555-078-3881"}]}
        if call.path == f"{ACCOUNT_ID}/subscribed_apps":
            if call.method == "POST":
                self.subscribed_apps = [
                    {"whatsapp_business_api_data": {"id": "670843887433847", "name": "Fjordly"}}
                ]
                return {"success": True}
            return {"data": self.subscribed_apps}
        return super().answer(call)

    def targets(self) -> list[str]:
        return [ACCOUNT_ID]

    def send_message(self, body: Body) -> Body:
        only(
            body,
            "message",
            "messaging_product",
            "recipient_type",
            "to",
            "recipient",
            "type",
            "text",
            "image",
            "interactive",
            "template",
            "context",
            "biz_opaque_callback_data",
        )
        if body.get("messaging_product") != "whatsapp":
            raise Refusal(400, 100, "(#100) The parameter messaging_product is required.")
        address = body.get("to") or body.get("recipient")
        if "to" in body and not PHONE.fullmatch(str(body["to"])):
            raise Refusal(400, 100, "(#100) Param to must be a phone number.")
        if "to" not in body and not USER_ID.fullmatch(str(body.get("recipient", ""))):
            raise Refusal(400, 100, "(#100) The parameter to is required.")
        kind = body.get("type", "text")
        checks = {"text": _text, "image": _image, "interactive": _interactive, "template": self._template}
        if kind not in checks or not isinstance(body.get(kind), dict):
            raise Refusal(400, 100, "(#100) Param type must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, …}.")
        sent = checks[kind](body[kind])
        person = str(address).lstrip("+")
        if kind != "template" and person not in self.writers:
            raise error(131047)
        known = person if USER_ID.fullmatch(person) else self.person(int(person[-4:]))
        sent_id = f"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI{self.accept(known, sent):08}A=="
        contact = {"input": address, "wa_id" if "to" in body else "user_id": person}
        return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": sent_id}]}

    def sent_id(self, number: int) -> str:
        """The id of the message that was accepted as this, counted from 1."""
        return f"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI{number:08}A=="

    def _template(self, template: Body) -> Sent:
        only(template, "template", "name", "language", "components")
        code = only(template.get("language"), "template['language']", "code", "policy").get("code")
        wanted = self.templates.get((template.get("name", ""), code))
        if wanted is None:
            raise Refusal(
                404,
                132001,
                "(#132001) Template name does not exist in the translation",
                details=f"template name ({template.get('name')}) does not exist in {code}",
            )
        given = [
            parameter["text"]
            for component in template.get("components", [])
            if component["type"] == "body"
            for parameter in component["parameters"]
        ]
        if len(given) != wanted:
            raise Refusal(
                400,
                132000,
                "(#132000) Number of parameters does not match the expected number of params",
                details=f"body: number of localizable_params ({len(given)}) does not match the expected"
                f" number of params ({wanted})",
            )
        if any(re.search(r"[\n\t]| {5}", value) or not value for value in given):
            raise Refusal(
                400,
                132018,
                "(#132018) There's an issue with the parameters in your template",
                details="Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
            )
        return Sent(details={"template": template["name"], "language": code, "parameters": given})


def wrong(details: str) -> Refusal:
    return Refusal(400, 131009, PARAMETER, details=details)


def _text(text: Body) -> Sent:
    return Sent(length(only(text, "text", "body", "preview_url")["body"], "text['body']", 4096))


def _image(image: Body) -> Sent:
    only(image, "image", "link", "id", "caption")
    if not re.match(r"https?://", str(image.get("link"))):
        raise Refusal(400, 100, "(#100) Param image['link'] is not a valid URL.")
    return Sent(image.get("caption", ""), image=image["link"])


def _interactive(interactive: Body) -> Sent:
    only(interactive, "interactive", "type", "header", "body", "footer", "action")
    kind, action = interactive.get("type"), interactive.get("action", {})
    if kind == "button":
        text = length(interactive["body"].get("text"), "interactive['body']['text']", 1024)
        buttons = [button["reply"] for button in action["buttons"] if button["type"] == "reply"]
        if not 1 <= len(buttons) <= 3:
            raise wrong("Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3")
        if not all(1 <= len(button["title"]) <= 20 for button in buttons):
            raise wrong("Button title length invalid. Min length: 1, Max length: 20")
        if not all(1 <= len(button["id"]) <= 256 for button in buttons):
            raise wrong("Button id length invalid. Min length: 1, Max length: 256")
        _unique([button["id"] for button in buttons], "Button ids must be unique")
        _unique([button["title"] for button in buttons], "Button titles must be unique")
        return Sent(text, tuple((button["id"], button["title"]) for button in buttons))
    if kind != "list":
        raise wrong("Invalid interactive type.")
    text = length(interactive["body"].get("text"), "interactive['body']['text']", 4096)
    label = length(action.get("button"), "interactive['action']['button']", 20)
    rows = [row for section in action["sections"] for row in section["rows"]]
    if not 1 <= len(rows) <= 10:
        raise wrong("Total row count exceed max allowed count: 10")
    if not all(1 <= len(row["title"]) <= 24 for row in rows):
        raise wrong("Row title is too long. Max length is 24")
    if not all(1 <= len(row["id"]) <= 200 for row in rows):
        raise wrong("Row id is too long. Max length is 200")
    _unique([row["id"] for row in rows], "Row ids must be unique")
    return Sent(text, tuple((row["id"], row["title"]) for row in rows), details={"list": label})


def _unique(values: list[str], otherwise: str) -> None:
    if len(set(values)) != len(values):
        raise wrong(otherwise)


__all__ = ["ACCOUNT_ID", "ERRORS", "NUMBER", "PHONE_ID", "WhatsApp", "error", "unknown"]
