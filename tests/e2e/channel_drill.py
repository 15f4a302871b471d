"""Many people write on all messaging apps at once, while providers stumble and our parts are killed.

What becomes of it is counted in the database and at the providers' stand-ins. Used by test_channels.py, and
with more people by bench/channels.py.
"""

from __future__ import annotations

import random
import re
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from pydantic import SecretStr

from tests.channels.harness import PROVIDERS, Provider
from tests.stack import Stack, wait_until

CHANNELS = ("telegram", "whatsapp", "sms")
SENTENCES = (
    "hello there",
    "what ways are there to pay?",
    "hvor lang tid tar leveringen?",
    "cuánto tarda el envío",
    "cum pot returna un produs?",
    "do you have a tent for two",
    "takk",
    "qué puedes hacer",
)
# Of all messages: delivered twice, and held up on the way so that a later one is faster.
TWICE, LATE = 0.2, 0.1
# How likely a provider refuses a send in each half second.
STUMBLES = 0.3


@dataclass
class Figures:
    """What was seen. `repeats` are messages on the wire beyond those that were due."""

    people: int = 0
    messages: int = 0
    duplicates: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    stumbles: int = 0
    unanswered: int = 0
    answered_twice: int = 0
    undelivered: int = 0
    out_of_order: int = 0
    missing_on_wire: int = 0
    repeats: int = 0
    acknowledged: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Drill:
    """One run. `people` write `each` messages one after the other, on the channels in turn; `kill_every` so
    many seconds after all was up again.

    A part that dies five times within half a minute of its start is given up by the supervisor: with many
    kills it must be given more time.
    """

    def __init__(self, folder: Path, people: int, each: int, kill_every: float = 6.0, seed: int = 1) -> None:
        self.people, self.each, self.random = people, each, random.Random(seed)
        self.kill_every = kill_every
        self.providers: list[Provider] = [PROVIDERS[name]() for name in CHANNELS]
        settings: dict[str, str] = {}
        for provider in self.providers:
            for name, value in provider.settings().items():
                plain = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                settings[f"RAPPORT_{name.upper()}"] = plain
        self.stack = Stack(folder, RAPPORT_LOG_LEVEL="WARNING", **settings)
        for provider in self.providers:
            provider.attach(self.stack.url)
        self.figures = Figures(people=people, messages=people * each)
        self._lock = threading.Lock()
        self._done = threading.Event()

    @contextmanager
    def running(self) -> Iterator[Stack]:
        self.stack.let_jobs_rest()
        self.stack.start()
        try:
            yield self.stack
        finally:
            self.stack.stop()
            for provider in self.providers:
                provider.close()

    def run(self, kills: int, threads: int = 50) -> Figures:
        """Hold all conversations, killing a part now and then; afterwards everything settles."""
        started = time.monotonic()
        killer = threading.Thread(target=self._kill, args=(kills,))
        stumbler = threading.Thread(target=self._stumble)
        killer.start()
        stumbler.start()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(self._talk, range(self.people)))
        killer.join()
        self._done.set()
        stumbler.join()
        self._settle()
        self.figures.seconds = time.monotonic() - started
        self._count()
        return self.figures

    # --- what happens --------------------------------------------------------------------------------------

    def _talk(self, number: int) -> None:
        """One person: writes, waits a moment, writes on; the provider brings some twice, some late."""
        chance = random.Random(f"{number}:{self.people}")
        provider = self.providers[number % len(self.providers)]
        person = provider.person(number)
        time.sleep(chance.random() * 2)
        late: Callable[[], None] | None = None
        for turn in range(self.each):
            text, message_id = chance.choice(SENTENCES), f"{number + 1}{turn:03}"

            def bring(text: str = text, message_id: str = message_id) -> None:
                self._bring(lambda: provider.say(person, text, message_id))

            if late is None and turn + 1 < self.each and chance.random() < LATE:
                late = bring
                continue
            bring()
            if late is not None:
                late()
                late = None
            if chance.random() < TWICE:
                with self._lock:
                    self.figures.duplicates += 1
                bring()
            time.sleep(chance.random() * 1.5)
        if late is not None:
            late()

    def _bring(self, post: Callable[[], int]) -> None:
        """Call our webhook until it is acknowledged, as providers do."""
        for attempt in range(200):
            began = time.perf_counter()
            try:
                status = post()
            except requests.RequestException:
                status = 0
            if status == 200:
                with self._lock:
                    self.figures.acknowledged.append(time.perf_counter() - began)
                return
            time.sleep(min(0.2 * (attempt + 1), 2))
        raise AssertionError("a message was never acknowledged")

    def _kill(self, kills: int) -> None:
        """kill -9 of Rasa and the app in turn, and of both at once."""
        for number in range(kills):
            time.sleep(self.kill_every)
            parts = [("The app",), ("Rasa",), ("The app", "Rasa")][number % 3]
            wait_until(self._all_up, 90, "all parts to be up")
            for part in parts:
                self.stack.signal(part, signal.SIGKILL)
                self.figures.kills[part] += 1
        wait_until(self._all_up, 90, "all parts to be up")

    def _all_up(self) -> bool:
        try:
            return bool(self.stack.answers() and self.stack.pid("Rasa") and self.stack.pid("The app"))
        except (AssertionError, OSError, ValueError, KeyError):
            return False

    def _stumble(self) -> None:
        """Each provider refuses some sends for now, but not the next before the last one went well."""
        before: dict[str, int] = {}
        while not self._done.wait(0.5):
            for number, provider in enumerate(self.providers):
                people = range(number, self.people, len(self.providers))
                accepted = sum(len(provider.sent(provider.person(one))) for one in people)
                if accepted != before.get(provider.name) and self.random.random() < STUMBLES:
                    before[provider.name] = accepted
                    provider.fail(self.random.choice(("again", "slow_down")))
                    self.figures.stumbles += 1

    def _settle(self) -> None:
        waiting = "SELECT count(*) FROM message WHERE status = 'received'"
        going = "SELECT count(*) FROM delivery WHERE status IN ('queued', 'sending')"
        wait_until(
            lambda: self.stack.rows(waiting)[0][0] == self.stack.rows(going)[0][0] == 0 or None,
            300,
            "all messages to be answered and delivered",
        )

    # --- what came of it -----------------------------------------------------------------------------------

    def _count(self) -> None:
        found, rows = self.figures, self.stack.rows
        # The demo shop has conversations of its own; nobody can be written to in those.
        answered = rows(
            "SELECT count(*) FROM message JOIN contact_point USING (conversation_id)"
            " WHERE author = 'customer' AND message.status = 'answered'"
        )
        found.unanswered = self.figures.messages - answered[0][0]
        # All replies to a message are stored in one transaction: two decisions would have two times.
        found.answered_twice = len(
            rows(
                "SELECT reply_to FROM message WHERE author = 'bot' GROUP BY reply_to"
                " HAVING count(DISTINCT at) > 1"
            )
        )
        found.undelivered = rows("SELECT count(*) FROM delivery WHERE status <> 'sent'")[0][0]
        found.answered = [
            seconds
            for (seconds,) in rows(
                "SELECT (julianday(d.sent_at) - julianday(m.at)) * 86400 FROM delivery d"
                " JOIN message r ON r.conversation_id = d.conversation_id AND r.sequence = d.sequence"
                " JOIN message m ON m.id = r.reply_to"
            )
        ]
        for number in range(self.people):
            self._compare(self.providers[number % len(self.providers)], number)

    def _compare(self, provider: Provider, number: int) -> None:
        """What one person got beside what was decided for them."""
        person = provider.person(number)
        due = [
            text
            for (text,) in self.stack.rows(
                "SELECT r.text FROM contact_point p JOIN message r ON r.conversation_id = p.conversation_id"
                " WHERE p.channel = ? AND p.address = ? AND r.author = 'bot' ORDER BY r.sequence",
                provider.name,
                person,
            )
        ]
        # Buttons may stand in the text as numbered lines, and a long text in several messages.
        got = [sent.text for sent in provider.sent(person)]
        place, repeats = 0, 0
        for text in got:
            if place < len(due) and _same(text, due[place]):
                place += 1
            elif place and _same(text, due[place - 1]):
                repeats += 1
            else:
                self.figures.out_of_order += 1
        self.figures.repeats += repeats
        self.figures.missing_on_wire += len(due) - place


def _same(sent: str, stored: str | None) -> bool:
    # Buttons as lines: "1. Yes", or "5 Very good" where they have numbers of their own.
    return re.split(r"\n\n(?=1\. |5 )", sent)[0].strip() == (stored or "").strip()


def percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100)[int(share * 100) - 1] if len(values) > 1 else 0.0


def told(figures: Figures) -> list[tuple[str, Any]]:
    """The figures as lines of a table."""
    return [
        ("people, messages", f"{figures.people}, {figures.messages}"),
        ("brought twice by the provider", figures.duplicates),
        ("sends a provider refused for now", figures.stumbles),
        ("kill -9", ", ".join(f"{part} {count}" for part, count in figures.kills.items()) or "none"),
        ("messages without a decided answer", figures.unanswered),
        ("messages answered twice", figures.answered_twice),
        ("answers not delivered", figures.undelivered),
        ("answers missing on the wire", figures.missing_on_wire),
        ("answers out of order", figures.out_of_order),
        ("repeats on the wire", figures.repeats),
        (
            "acknowledged, p50 / p95",
            f"{_ms(figures.acknowledged, 0.5)} / {_ms(figures.acknowledged, 0.95)} ms",
        ),
        ("answered, p50 / p95", f"{_ms(figures.answered, 0.5)} / {_ms(figures.answered, 0.95)} ms"),
        ("took", f"{figures.seconds:.0f} s"),
    ]


def _ms(values: list[float], share: float) -> str:
    return f"{percentile(values, share) * 1000:,.0f}"
