"""Comments and posts on the shop's Facebook page, by Meta's `feed` webhook and its Graph API.

https://developers.facebook.com/docs/graph-api/webhooks/reference/page/ (feed) and
https://developers.facebook.com/docs/messenger-platform/discovery/private-replies
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from rapport.channels import meta, meta_errors
from rapport.channels.base import InDoubtError, Request
from rapport.channels.meta import Graph, GraphError, number, record, records, text
from rapport.kit.settings import Settings
from rapport.mentions.base import Event, PostedSource, Removed, Said, Target

# What visitors leave on a page; reactions and shares say nothing.
POSTS = frozenset({"post", "status", "photo", "video", "share"})
SAYS, CHANGES, TAKES_BACK = "add", frozenset({"edited", "edit"}), frozenset({"remove", "delete"})


class FacebookSource(PostedSource):
    """One page."""

    name: ClassVar[str] = "facebook"
    # A comment may have 8000 characters; a private message has 2000.
    longest: ClassVar[int] = 2000

    def __init__(self, app_secret: str, verify_token: str, token: str, page: str, url: str) -> None:
        self._app_secret = app_secret.encode()
        self._verify_token = verify_token
        self._page = page
        self._graph = Graph(url, token)

    def verify(self, request: Request, now: datetime) -> None:
        meta.check(self._app_secret, request)

    def handshake(self, request: Request) -> str | None:
        return meta.handshake(self._verify_token, request)

    def read(self, request: Request) -> Sequence[Event]:
        body = meta.parse(request)
        if body.get("object") != "page":
            return []
        return [
            event
            for entry in records(body, "entry")
            if text(entry, "id") == self._page
            for change in records(entry, "changes")
            if change.get("field") == "feed"
            for event in self._events(record(change, "value"), _time(number(entry, "time")))
        ]

    def _events(self, value: dict[str, Any], told: datetime) -> Iterator[Event]:
        author, verb, item = record(value, "from"), text(value, "verb"), text(value, "item")
        if text(author, "id") == self._page:
            return
        source_id = _id_of(item, value)
        if not source_id:
            return
        if verb in TAKES_BACK:
            yield Removed(source_id, told)
        elif (verb == SAYS or verb in CHANGES) and text(value, "message").strip():
            created = number(value, "created_time")
            yield Said(
                source_id=source_id,
                author=text(author, "name"),
                author_id=text(author, "id"),
                text=text(value, "message"),
                at=_time(created) if created is not None else told,
                url=f"https://www.facebook.com/{source_id}",
                changed_at=told if verb in CHANGES else None,
                details={"item": "comment" if item == "comment" else "post"},
            )

    def answer(self, to: Target, text_: str, private: bool) -> str:
        if private:
            whom = "comment_id" if to.details.get("item") != "post" else "post_id"
            content: Mapping[str, Any] = {
                "recipient": {whom: to.source_id},
                "message": {"text": text_},
                "messaging_type": "RESPONSE",
            }
            sent = text(self._post(f"{self._page}/messages", content), "message_id")
        else:
            sent = text(self._post(f"{to.source_id}/comments", {"message": text_}), "id")
        if not sent:
            raise InDoubtError
        return sent

    def check(self) -> str:
        try:
            found = self._graph.get(self._page, fields="name")
        except GraphError as error:
            raise _explained(error) from None
        return text(found, "name") or self._page

    def _post(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._graph.post(path, content)
        except GraphError as error:
            raise _explained(error) from None


def make(settings: Settings) -> FacebookSource | None:
    """The source, if the settings ask for it. Raises ConfigurationError when some are missing."""
    values = meta.complete(
        "Comments on Facebook",
        ("RAPPORT_META_APP_SECRET", settings.meta_app_secret),
        ("RAPPORT_META_VERIFY_TOKEN", settings.meta_verify_token),
        ("RAPPORT_FACEBOOK_TOKEN", settings.facebook_token),
        ("RAPPORT_FACEBOOK_PAGE", settings.facebook_page),
        where="docs/mentions.md says where to find what.",
    )
    if values is None:
        return None
    app_secret, verify_token, token, page = values
    return FacebookSource(app_secret, verify_token, token, page, settings.meta_url)


def _id_of(item: str, value: dict[str, Any]) -> str:
    """Meta's id of what was written; "" for what is neither a comment nor a post."""
    if item == "comment":
        return _checked(text(value, "comment_id"))
    return _checked(text(value, "post_id")) if item in POSTS else ""


def _checked(found: str) -> str:
    # It becomes a part of addresses that we call.
    return found if found.replace("_", "").isdecimal() and found.isascii() and len(found) <= 100 else ""


def _time(seconds: int | None) -> datetime:
    """A time as Meta writes it: in seconds, or now and then in milliseconds."""
    value = seconds or 0
    value = value // 1000 if value > 10**11 else value
    return datetime.fromtimestamp(min(max(value, 0), 2**32), UTC)


def _explained(error: GraphError) -> Exception:
    found = meta_errors.meaning(
        meta_errors.COMMENTS, error.code, error.subcode, error.status, error.transient
    )
    return found.exception(error.label, error.after)
