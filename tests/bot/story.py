"""Whole conversations, written down in Rasa's own test format and held with the real system.

A story's steps are what is said (`user`, with the `intent` it should be understood as, if that matters) or
pressed (`button`, its title or a part of it), and the responses that must come for it (`action`, in this
order; with `|` between names either will do, `*` is any end of one, and one in parentheses may be missing).
Beyond Rasa's format:

- `language`: of the conversation at its start; English otherwise
- `customer`: who speaks: somebody whose newest order is `open`, `shipped` or `delivered`, or who has `points`
  (300 at least), another person in each story. They are logged in on the shop's page, unless
  `logged_in: false`. Without it, a stranger
- `{email}`, `{number}`: the customer's address and newest order; `{code}`: the code last mailed to an address
  of the story
- `contains`: words the answer must have, `lacks`: words it must not have
- `language` as a step: the language the conversation is in now
- `after`: what is in the database in the end: `cases` (their topics or kinds) and `codes` (how many coupons)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from rapport.kit import clock
from tests.stack import Stack, Talk, identity_token

FOLDER = Path(__file__).parent / "stories"
KEYS = {"user", "intent", "button", "action", "contains", "lacks", "language"}
# Those with enough points to spend for a story about spending them.
POINTS = (
    "SELECT identity.value FROM lot JOIN account ON account.id = lot.account_id"
    " JOIN identity ON identity.customer_id = account.customer_id AND identity.kind = 'email'"
    " WHERE lot.expires_at IS NULL OR lot.expires_at > ?"
    " GROUP BY identity.value HAVING sum(lot.remaining) >= 300 ORDER BY identity.value LIMIT 24"
)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")


@dataclass(frozen=True)
class Story:
    """One conversation of a file."""

    file: str
    name: str
    language: str
    customer: str | None
    logged_in: bool
    steps: list[dict[str, Any]]
    after: dict[str, Any]


def stories() -> Iterator[Story]:
    """All stories of the folder."""
    for path in sorted(FOLDER.glob("*.yml")):
        for story in yaml.safe_load(path.read_text("utf-8"))["stories"]:
            for step in story["steps"]:
                assert not set(step) - KEYS, f"{path.name}, {story['story']}: {step}"
            yield Story(
                path.name,
                story["story"],
                story.get("language", "en"),
                story.get("customer"),
                story.get("logged_in", True),
                story["steps"],
                story.get("after", {}),
            )


def fits(names: list[str], expected: list[str]) -> bool:
    """Whether these responses are what a story tells of, in its order."""
    if not expected:
        return not names
    wanted = expected[0].strip("()").split("|")
    if names and any(fnmatchcase(names[0], one) for one in wanted) and fits(names[1:], expected[1:]):
        return True
    return expected[0].startswith("(") and fits(names, expected[1:])


class Cast:
    """Customers of the demo shop for stories; each plays in one only, as what they do stays."""

    ORDERS = {"open": ("placed", "paid"), "shipped": ("shipped",), "delivered": ("delivered",)}

    def __init__(self, stack: Stack) -> None:
        # The personas are left to other tests.
        rows = stack.rows(
            'SELECT identity.value, "order".number, "order".status FROM identity'
            ' JOIN "order" ON "order".customer_id = identity.customer_id'
            " WHERE identity.kind = 'email' AND \"order\".placed_at ="
            '  (SELECT max(placed_at) FROM "order" o WHERE o.customer_id = identity.customer_id)'
            " AND identity.value NOT IN ('kari@example.com', 'emma@example.com', 'lucia@example.com',"
            "  'andrei@example.com')"
            ' AND NOT EXISTS (SELECT 1 FROM refund WHERE refund.order_id = "order".id)'
            # Other tests of the same running shop may have asked for a discount, or been written to.
            " AND NOT EXISTS (SELECT 1 FROM coupon WHERE coupon.customer_id = identity.customer_id)"
            " AND NOT EXISTS (SELECT 1 FROM contact_decision c WHERE c.customer_id = identity.customer_id)"
            " ORDER BY identity.id"
        )
        rich = {address for (address,) in stack.rows(POINTS, clock.now().replace(tzinfo=None).isoformat(" "))}
        self._free = {
            kind: [(a, number) for a, number, status in rows if status in statuses and a not in rich]
            for kind, statuses in self.ORDERS.items()
        }
        self._free["points"] = [(address, number) for address, number, _ in rows if address in rich]

    def choose(self, kind: str) -> tuple[str, str]:
        """The address and newest order's number of somebody who has not played yet."""
        return self._free[kind].pop(0)


class Telling:
    """Holds a story's conversation and fails at the first step that goes otherwise."""

    def __init__(self, stack: Stack, cast: Cast, story: Story) -> None:
        session = {}
        self.filled: dict[str, str] = {}
        if story.customer:
            email, number = cast.choose(story.customer)
            self.filled = {"{email}": email, "{number}": number}
            if story.logged_in:
                session["identity_token"] = identity_token(email)
        self.talk: Talk = stack.talk(story.language, **session)
        self.stack = stack
        self.story = story
        self.replies: list[dict[str, Any]] = []
        self.expected: list[str] = []
        self.said: list[str] = []
        self.address = ""
        self.mails = 0

    def run(self) -> None:
        for step in self.story.steps:
            if "user" in step or "button" in step:
                self._close()
            self._take(step)
        self._close()
        self._check_after()

    def _fill(self, text: str) -> str:
        for mark, value in self.filled.items():
            text = text.replace(mark, value)
        return text

    def _take(self, step: dict[str, Any]) -> None:
        if "user" in step:
            self._say(self._fill(str(step["user"]).rstrip("\n")), step.get("intent"))
        elif "button" in step:
            self._press(step["button"])
        if "action" in step:
            self.expected.append(step["action"])
        words = "\n".join(reply["text"] or "" for reply in self.replies)
        if "contains" in step:
            assert self._fill(step["contains"]) in words, self._tell(
                f"«{step['contains']}» is not in «{words}»"
            )
        if "lacks" in step:
            assert self._fill(step["lacks"]) not in words, self._tell(f"«{step['lacks']}» is in «{words}»")
        if set(step) == {"language"}:
            assert self.talk.language() == step["language"], self._tell(f"speaks {self.talk.language()}")

    def _say(self, text: str, intent: str | None) -> None:
        if "{code}" in text:
            text = text.replace("{code}", self.stack.code(self.address, self.mails))
        if address := _ADDRESS.search(text):
            self.address = address[0]
            self.mails = len(self.stack.mails(self.address))
        self.said.append(text[:80])
        self.replies = self.talk.send(text)
        understood = self.talk.intent()
        assert intent is None or understood == intent, self._tell(f"understood as {understood}")

    def _press(self, title: str) -> None:
        self.said.append(f"[{title}]")
        for reply in reversed(self.talk.history()):
            for button in reply["buttons"] or ():
                if title in button["title"]:
                    self.replies = self.talk.press(reply, button["title"])
                    return
        raise AssertionError(self._tell("no such button"))

    def _close(self) -> None:
        """The responses since something was last said are all the story tells of, or it tells of none."""
        if self.expected:
            names = self.talk.names(self.replies)
            assert fits(names, self.expected), self._tell(f"answered {names} instead of {self.expected}")
        self.expected = []

    def _check_after(self) -> None:
        after = self.story.after
        if "cases" in after:
            rows = self.stack.rows(
                'SELECT coalesce(topic, kind) FROM "case" WHERE conversation_id = ? ORDER BY id', self.talk.id
            )
            assert [topic for (topic,) in rows] == after["cases"], self._tell(f"cases: {rows}")
        if "codes" in after:
            words = "\n".join(m["text"] or "" for m in self.talk.history() if m["author"] == "bot")
            codes = set(re.findall(r"\bFJ-[A-Z2-9]{4}-[A-Z2-9]{4}\b", words))
            assert len(codes) == after["codes"], self._tell(f"codes: {codes}")

    def _tell(self, what: str) -> str:
        story = self.story
        return f"{story.file}, {story.name}, after {self.said[-3:]}: {what}"
