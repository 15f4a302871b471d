"""One way to drive every source in tests: its stand-in, as people there would act. A source is added by its
class here; test_every_source.py does the rest.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, update

from rapport.channels.base import Request
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.mentions import tasks
from rapport.mentions.base import PostedSource
from rapport.mentions.facebook import FacebookSource
from rapport.mentions.mastodon import MastodonSource
from rapport.mentions.models import Mention
from rapport.mentions.signed import SignedSource, sign
from tests.channels.fakes.messenger import PAGE_ID
from tests.channels.fakes.meta import APP_SECRET, VERIFY_TOKEN
from tests.channels.fakes.meta import TOKEN as META_TOKEN
from tests.mentions.fakes.facebook import FakePage
from tests.mentions.fakes.mastodon import TOKEN, FakeMastodon

SECRET = "mentions-test-secret-0123456789-0123"


class World(ABC):
    """A source and its stand-in. `hear` brings what happened there to us."""

    source: Any
    fake: Any = None

    @abstractmethod
    def say(self, text: str) -> str:
        """Somebody writes; the source's id of it."""

    @abstractmethod
    def edit(self, source_id: str, text: str, at: datetime) -> None: ...

    @abstractmethod
    def remove(self, source_id: str) -> None: ...

    @abstractmethod
    def hear(self, engine: Engine) -> int:
        """Everything that was not heard yet, and what was heard last once more."""

    @abstractmethod
    def answers(self) -> list[tuple[str, str, bool]]:
        """What stands there of us: (what to, text, whether only its author reads it)."""

    def fail(self, how: str) -> None:
        """The next answer meets `busy` (429), `trouble` (500) or `drop`: it is taken and nobody says so."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends the stand-in, where it is a server."""
        self.fake = None


class MastodonWorld(World):
    def __init__(self) -> None:
        self.fake = FakeMastodon()
        self.source = MastodonSource(self.fake.url, TOKEN, ["#fjordly"])

    def say(self, text: str) -> str:
        return self.fake.toot(f"@fjordly {text}")

    def edit(self, source_id: str, text: str, at: datetime) -> None:
        self.fake.edit(source_id, f"@fjordly {text}", at)

    def remove(self, source_id: str) -> None:
        self.fake.delete(source_id)

    def hear(self, engine: Engine) -> int:
        with session_scope(engine) as session:  # as if some time had passed since we looked
            session.execute(update(Mention).values(checked_at=clock.now() - timedelta(hours=1)))
        return tasks.poll(engine, self.source)

    def answers(self) -> list[tuple[str, str, bool]]:
        return [
            (one["in_reply_to_id"], one["content"].removeprefix("@ann@social.example "), private)
            for one in self.fake.posted
            for private in [one["visibility"] == "direct"]
        ]

    def fail(self, how: str) -> None:
        modes: dict[str, int | str] = {"busy": 429, "trouble": 503, "drop": "drop"}
        self.fake.failures.append(modes[how])

    def close(self) -> None:
        self.fake.close()


class PostedWorld(World):
    """What happens is kept as the requests that tell of it."""

    source: PostedSource

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.heard = 0

    def hear(self, engine: Engine) -> int:
        fresh = self.requests[max(self.heard - 1, 0) :]
        self.heard = len(self.requests)
        count = 0
        for request in fresh:
            self.source.verify(request, clock.now())
            count += tasks.take(engine, self.source, self.source.read(request))
        return count


class FacebookWorld(PostedWorld):
    def __init__(self) -> None:
        super().__init__()
        self.fake = FakePage()
        self.source = FacebookSource(APP_SECRET, VERIFY_TOKEN, META_TOKEN, PAGE_ID, self.fake.graph_url)
        self.count = 0

    def say(self, text: str) -> str:
        self.count += 1
        self.bring(self.fake.comment(text, self.count))
        return f"122100000000000001_{self.count}"

    def edit(self, source_id: str, text: str, at: datetime) -> None:
        entry = self.fake.comment(text, int(source_id.split("_")[1]), verb="edited")
        self.bring({**entry, "time": int(at.timestamp())})

    def remove(self, source_id: str) -> None:
        self.bring(self.fake.comment("", int(source_id.split("_")[1]), verb="remove"))

    def bring(self, entry: dict[str, Any]) -> None:
        body, headers = self.fake.signed(entry)
        small = {name.lower(): value for name, value in headers.items()}
        self.requests.append(Request("https://shop.example/webhooks/facebook", small, body))

    def answers(self) -> list[tuple[str, str, bool]]:
        return self.fake.written

    def fail(self, how: str) -> None:
        self.fake.fail(how)

    def close(self) -> None:
        self.fake.close()


class SignedWorld(PostedWorld):
    def __init__(self) -> None:
        super().__init__()
        self.source = SignedSource(SECRET)
        self.count = 0

    def say(self, text: str) -> str:
        self.count += 1
        self.bring(id=f"r-{self.count}", text=text, author="Ann", author_id="77", url="https://r.example/1")
        return f"r-{self.count}"

    def edit(self, source_id: str, text: str, at: datetime) -> None:
        self.bring(id=source_id, event="edited", text=text, author="Ann", at=at.isoformat())

    def remove(self, source_id: str) -> None:
        self.bring(id=source_id, event="removed")

    def bring(self, **body: Any) -> None:
        self.requests.append(signed({"at": datetime.now(UTC).isoformat(), **body}))

    def answers(self) -> list[tuple[str, str, bool]]:
        return []


def signed(content: Any, secret: str = SECRET, at: float | None = None) -> Request:
    """A request of the signed webhook, `at` seconds since 1970."""
    body = json.dumps(content).encode()
    sent = int(clock.now().timestamp() if at is None else at)
    header = f"t={sent},v1={sign(secret.encode(), sent, body)}"
    return Request("https://shop.example/webhooks/mentions", {"rapport-signature": header}, body)


WORLDS = {"mastodon": MastodonWorld, "facebook": FacebookWorld, "webhook": SignedWorld}
