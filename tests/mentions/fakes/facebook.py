"""A stand-in for a Facebook page: its `feed` webhook, comments and private replies."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from pydantic import SecretStr

from tests.channels.fakes.messenger import PAGE_ID, Messenger
from tests.channels.fakes.meta import Body, Call, Refusal, length, only, unknown

POST_ID = f"{PAGE_ID}_122100000000000001"


class FakePage(Messenger):
    """`comments` are those that exist, `written` our answers: (what to, text, whether only to the author)."""

    refusals: ClassVar[dict[str, Refusal]] = {
        "busy": Refusal(400, 32, "(#32) Page request limit reached", headers={"Retry-After": "120"}),
        "trouble": Refusal(500, 2, "(#2) Service temporarily unavailable", is_transient=True),
        "token": Refusal(401, 190, "Error validating access token: Session has expired.", 463),
    }

    def __init__(self) -> None:
        super().__init__()
        self.comments: set[str] = set()
        self.replied: set[str] = set()
        self.written: list[tuple[str, str, bool]] = []

    def settings(self) -> dict[str, Any]:
        """With Messenger on as well."""
        own = {"facebook_token": SecretStr(self.token), "facebook_page": PAGE_ID}
        return {**super().settings(), **own}

    # --- what people do ------------------------------------------------------------------------------------

    def comment(
        self, text: str, number: int = 1, *, verb: str = "add", who: str = "1254477777770001", **more: Any
    ) -> Body:
        """An entry of a webhook that tells of a comment."""
        comment_id = f"122100000000000001_{number}"
        if verb == "remove":
            self.comments.discard(comment_id)
        else:
            self.comments.add(comment_id)
        value = {
            "from": {"id": who, "name": "Ann Lee"},
            "post": {
                "status_type": "mobile_status_update",
                "is_published": True,
                "permalink_url": f"https://www.facebook.com/{POST_ID}",
                "promotion_status": "inactive",
                "id": POST_ID,
            },
            "message": text,
            "post_id": POST_ID,
            "comment_id": comment_id,
            "created_time": int(time.time()),
            "item": "comment",
            "parent_id": POST_ID,
            "verb": verb,
            **more,
        }
        if verb == "remove":
            del value["message"]
        return self.feed_entry(value)

    def feed_entry(self, *values: Body, at: float | None = None) -> Body:
        changes = [{"value": value, "field": "feed"} for value in values]
        return {"id": PAGE_ID, "time": int(at or time.time()), "changes": changes}

    # --- the API -------------------------------------------------------------------------------------------

    def send_message(self, body: Body) -> Body:
        if "id" in body.get("recipient", {}):
            return super().send_message(body)
        only(body, "body", "recipient", "message", "messaging_type")
        comment = only(body["recipient"], "recipient", "comment_id", "post_id")["comment_id"]
        if comment not in self.comments:
            raise Refusal(400, 100, "(#100) No matching user found", 2018001)
        if comment in self.replied:
            raise Refusal(400, 10900, "(#10900) Activity already replied to")
        self.replied.add(comment)
        self.written.append((comment, length(body["message"]["text"], "message[text]", 2000), True))
        return {"recipient_id": "1254477777770001", "message_id": f"m_{len(self.written)}"}

    def answer(self, call: Call) -> Any:
        thing, _, edge = call.path.partition("/")
        if call.method == "GET" and call.path == PAGE_ID:
            return {"name": "Fjordly", "id": PAGE_ID}
        if call.method == "POST" and edge == "comments":
            mode = self._next_failure()
            if thing not in self.comments:
                raise unknown(thing)
            self.written.append((thing, length(call.body.get("message"), "message", 8000), False))
            if mode == "drop":
                raise ConnectionAbortedError
            return {"id": f"122100000000000001_9{len(self.written)}"}
        raise unknown(thing)
