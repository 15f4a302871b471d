"""A stand-in for Facebook Messenger: the page's part of the Graph API, and its webhooks."""

from __future__ import annotations

import re
import time
from typing import Any, ClassVar
from uuid import uuid4

from pydantic import SecretStr

from tests.channels.fakes.meta import Body, Call, FakeGraph, Refusal, only
from tests.channels.harness import Sent, all_but

PAGE_ID = "1906385232743451"
UNAVAILABLE = Refusal(400, 551, "(#551) This person isn't available right now.", 1545041)
WINDOW = Refusal(400, 10, "(#10) This message is sent outside of allowed window.", 2018278)


class Messenger(FakeGraph):
    """The page of the shop. Somebody is called by their id with it."""

    name: ClassVar[str] = "messenger"
    object: ClassVar[str] = "page"
    own_id: ClassVar[str] = PAGE_ID
    unreadable: ClassVar[tuple[str, ...]] = all_but("contact")
    refusals: ClassVar[dict[str, Refusal]] = {
        "again": Refusal(500, 1200, "Temporary send message failure. Please try again later."),
        "slow_down": Refusal(400, 613, "(#613) Calls to this api have exceeded the rate limit."),
        "refuse": Refusal(400, 100, "(#100) Invalid parameter"),
        "gone": UNAVAILABLE,
    }

    def __init__(self) -> None:
        super().__init__()
        self.scopes = ["pages_messaging", "pages_manage_metadata"]
        self.profile: Body = {}
        self.is_page = True

    def settings(self) -> dict[str, Any]:
        own = {"messenger_token": SecretStr(self.token), "messenger_page": PAGE_ID}
        return {**super().settings(), **own}

    def person(self, number: int) -> str:
        return f"125447777777{number:04}"

    # --- what people do ------------------------------------------------------------------------------------

    def say(self, person: str, text: str, message_id: str | None = None) -> int:
        return self.bring(self.message(person, message_id, text=text))

    def press(self, person: str, button: str, title: str) -> int:
        return self.bring(self.message(person, text=title, quick_reply={"payload": button}))

    def send_unreadable(self, person: str, what: str) -> int:
        return self.bring(self.unreadable_event(person, what))

    def forge(self, person: str, text: str) -> int:
        return self.post(self.entry(self.message(person, text=text)), secret="a guess")

    def unreadable_event(self, person: str, what: str) -> Body:
        mid = f"m_{uuid4().hex}"
        if what == "reaction":
            reaction = {"reaction": "love", "emoji": "❤", "action": "react", "mid": mid}
            return self.event(person, reaction=reaction)
        if what == "edit":
            return self.event(person, message_edit={"mid": mid, "text": "other words", "num_edit": 1})
        if what == "delete":
            return self.event(person, message={"mid": mid, "is_deleted": True})
        payload: Body = {"url": "https://scontent.xx.fbcdn.net/v/t39.1997-6/1.png"}
        kinds = {"sticker": "image", "voice": "audio", "other": "template"}
        if what == "sticker":
            payload["sticker_id"] = 369239263222822
        if what == "location":
            payload = {"coordinates": {"lat": 59.9, "long": 10.7}}
        return self.message(person, attachments=[{"type": kinds.get(what, what), "payload": payload}])

    def message(self, person: str, message_id: str | None = None, **content: Any) -> Body:
        return self.event(person, message={"mid": f"m_{message_id or uuid4().hex}", **content})

    def event(self, person: str, **content: Any) -> Body:
        """Something of a person, as it stands in a webhook."""
        self.writers.add(person)
        now = int(time.time() * 1000)
        return {"sender": {"id": person}, "recipient": {"id": PAGE_ID}, "timestamp": now, **content}

    def entry(self, *events: Body) -> Body:
        return {"id": PAGE_ID, "time": int(time.time() * 1000), "messaging": list(events)}

    def bring(self, *events: Body) -> int:
        return self.post(self.entry(*events))

    # --- the API -------------------------------------------------------------------------------------------

    def answer(self, call: Call) -> Any:
        if call.method == "GET" and call.path in ("me", PAGE_ID):
            if not self.is_page:
                raise Refusal(
                    400, 100, "(#100) Tried accessing nonexisting field (category) on node type (User)"
                )
            return {"name": "Fjordly", "id": PAGE_ID, "category": "Shopping"}
        if call.path in (f"{PAGE_ID}/subscribed_apps", "me/subscribed_apps"):
            if call.method == "POST":
                fields = call.body["subscribed_fields"].split(",")
                self.subscribed_apps = [
                    {"id": "670843887433847", "name": "Fjordly", "subscribed_fields": fields}
                ]
                return {"success": True}
            return {"data": self.subscribed_apps}
        if call.path in (f"{PAGE_ID}/messenger_profile", "me/messenger_profile"):
            if call.method == "POST":
                self.profile |= call.body
                return {"result": "success"}
            return {"data": [self.profile] if self.profile else []}
        return super().answer(call)

    def send_message(self, body: Body) -> Body:
        only(body, "body", "recipient", "messaging_type", "message", "tag", "notification_type")
        person = str(only(body.get("recipient"), "recipient", "id").get("id", ""))
        if not re.fullmatch(r"[0-9]{15,17}", person):
            raise Refusal(400, 100, "(#100) No matching user found", 2018001)
        if body.get("messaging_type") not in ("RESPONSE", "UPDATE", "MESSAGE_TAG"):
            raise Refusal(
                400, 100, "(#100) Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG}"
            )
        sent = _message(
            only(body.get("message"), "message", "text", "attachment", "quick_replies", "metadata")
        )
        if person not in self.writers:
            raise WINDOW
        return {"recipient_id": person, "message_id": self.sent_id(self.accept(person, sent))}

    def sent_id(self, number: int) -> str:
        """The id of the message that was accepted as this, counted from 1."""
        return f"m_AG5Hz2Uq7tuwNEhXfYYKj8mJEM_QPpz5jdCK48PnKAjSdjfipqxqMvK8ma6AC8fplwlqLP_{number}"


def _message(message: Body) -> Sent:
    if ("text" in message) == ("attachment" in message):
        raise Refusal(400, 100, "(#100) Must send either text or attachment", 2018034)
    buttons = message.get("quick_replies", [])
    if len(buttons) > 13:
        raise Refusal(400, 100, "(#100) param message[quick_replies] must have at most 13 elements.")
    for button in buttons:
        only(button, "message[quick_replies]", "content_type", "title", "payload", "image_url")
        if not 1 <= len(button.get("title", "")) <= 20 or not 1 <= len(button.get("payload", "")) <= 1000:
            raise Refusal(400, 100, "(#100) param message[quick_replies][title] has too many characters.")
    given = tuple((button["payload"], button["title"]) for button in buttons)
    if "text" in message:
        if not message["text"].strip():
            raise Refusal(400, 100, "(#100) The parameter message[text] is required.")
        if len(message["text"]) > 2000:
            raise Refusal(400, 100, "(#100) Length of param message[text] must be less than or equal to 2000")
        return Sent(message["text"], given)
    attachment = only(message["attachment"], "message[attachment]", "type", "payload")
    url = only(attachment["payload"], "message[attachment][payload]", "url", "is_reusable").get("url", "")
    if attachment["type"] != "image" or not re.match(r"https?://", url):
        raise Refusal(400, 100, "(#100) Failed to fetch the file from the url", 2018008)
    return Sent("", given, url)
