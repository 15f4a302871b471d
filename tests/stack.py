"""A whole Rapport, started by `rapport up` as a user would, in its own folder and on free ports."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from uuid import uuid4

import jwt
import psutil
import pytest
import requests
import yaml
from sqlalchemy import Engine

from rapport import demo, migrations
from rapport.demo import orders
from rapport.demo.people import Person
from rapport.kit import clock
from rapport.kit.database import make_engine, session_scope
from rapport.kit.settings import ROOT, get_settings
from rapport.schedule.jobs import JOBS
from rapport.schedule.models import JobRun
from tests.ports import free_port

T = TypeVar("T")

IDENTITY_SECRET = "a-secret-of-the-shop-and-the-assistant"
STORIES_WRITTEN = date(2026, 11, 22)
START_SECONDS = 420  # the first run of a fresh clone installs Rasa and trains the model


def wait_until(condition: Callable[[], T | None], seconds: float, what: str) -> T:
    """The first true result of `condition`; fails the test when there is none in time."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return result


def identity_token(address: str) -> str:
    """What a shop's page signs for a customer who is logged in there."""
    claims = {"email": address, "exp": int(clock.now().timestamp()) + 600}
    return jwt.encode(claims, IDENTITY_SECRET, algorithm="HS256")


def always_open(folder: Path) -> Path:
    """The demo shop's facts, but at any hour a test may run at somebody is there and messages may be sent."""
    facts = yaml.safe_load((ROOT / "shop.yml").read_text(encoding="utf-8"))
    facts["hours"] = {day: ["0:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    facts["staying_in_touch"] |= {"quiet_hours": None, "quiet_days": []}
    file = folder / "shop.yml"
    file.write_text(yaml.safe_dump(facts, allow_unicode=True), encoding="utf-8")
    return file


class Stack:
    """A running `rapport up` and what tests want to know of it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port, self.rasa_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = folder / "up.log"
        self.environment = os.environ | {
            "RAPPORT_VAR_DIR": str(folder),
            "RAPPORT_DATABASE_URL": f"sqlite:///{folder / 'rapport.db'}",
            "RAPPORT_TRACKER_URL": f"sqlite:///{folder / 'tracker.db'}",
            "RAPPORT_RASA_PORT": str(self.rasa_port),
            "RAPPORT_SHOP_FILE": str(always_open(folder)),
            "RAPPORT_RATE_LIMITS": "false",
            "RAPPORT_IDENTITY_SECRET": IDENTITY_SECRET,
            "NO_COLOR": "1",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Run `rapport up` and wait until it says that it is ready."""
        self.spawn(*options)
        wait_until(self._ready_or_dead, START_SECONDS, f"rapport up, see {self.output}")
        assert self._process is not None
        assert self._process.poll() is None, self.output.read_text(encoding="utf-8")

    def spawn(self, *options: str) -> subprocess.Popen[bytes]:
        """Run `rapport up` without waiting."""
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rapport.cli", "up", "--port", str(self.port), *options],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._process

    def stop(self) -> None:
        """Ctrl-C."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(2)
            self._process.wait(30)

    def kill(self) -> None:
        """kill -9 the supervisor."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pid(self, part: str) -> int:
        """The process of `Rasa` or `The app`; checked to be the one that owns the part's port."""
        pid: int = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))["parts"][part]
        port = self.rasa_port if part == "Rasa" else self.port
        owned = [c.laddr.port for c in psutil.Process(pid).net_connections("tcp") if c.status == "LISTEN"]
        assert port in owned, f"{part} ({pid}) does not own port {port} but {owned}"
        return pid

    def signal(self, part: str, number: signal.Signals) -> None:
        """Send a signal to the process that owns the part's port."""
        os.kill(self.pid(part), number)

    @contextmanager
    def locked(self) -> Iterator[sqlite3.Connection]:
        """Hold the database's write lock: whatever wants to write waits."""
        path = self.environment["RAPPORT_DATABASE_URL"].removeprefix("sqlite:///")
        connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        finally:
            with suppress(sqlite3.OperationalError):
                connection.execute("ROLLBACK")
            connection.close()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query on the installation's database returns."""
        path = self.environment["RAPPORT_DATABASE_URL"].removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            return connection.execute(query, values).fetchall()

    def let_jobs_rest(self) -> None:
        """Before the start: no job runs for a day, so that no customer gets a present in mid-conversation."""
        engine = make_engine(self.environment["RAPPORT_DATABASE_URL"])
        migrations.upgrade(engine)
        tomorrow = clock.now() + timedelta(days=1)
        with session_scope(engine) as session:
            session.add_all(JobRun(name=job.name, started_at=tomorrow, finished_at=tomorrow) for job in JOBS)
        engine.dispose()

    def load_demo(self) -> None:
        """Before the start: the demo shop as `up` loads it, with the same people and orders on each day.

        What is bought depends on the season, and with it all that the dice say afterwards; stories tell of
        who has an order on its way, and of what sells best.
        """
        today, basket = clock.now().date(), orders._basket
        since = today - STORIES_WRITTEN

        def in_their_season(random: Random, person: Person, products: Any, moment: datetime) -> Any:
            return basket(random, person, products, moment - since)

        with self.jobs() as engine, pytest.MonkeyPatch.context() as patched, session_scope(engine) as session:
            patched.setattr(orders, "_basket", in_their_season)
            demo.load(session, today)

    @contextmanager
    def jobs(self) -> Iterator[Engine]:
        """The installation's database, to run jobs on in this process as its own would run them."""
        with pytest.MonkeyPatch.context() as patched:
            for name, value in self.environment.items():
                patched.setenv(name, value)
            get_settings.cache_clear()
            engine = make_engine(self.environment["RAPPORT_DATABASE_URL"])
            yield engine
            engine.dispose()
        get_settings.cache_clear()

    def tracker_has(self, message_id: str) -> bool:
        """Whether Rasa has saved the turn of that message."""
        with closing(sqlite3.connect(self.folder / "tracker.db", timeout=10)) as connection:
            found = connection.execute("SELECT 1 FROM events WHERE data LIKE ?", (f'%"{message_id}"%',))
            return found.fetchone() is not None

    def answers(self) -> bool:
        """Whether the app and Rasa both answer."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def mails(self, recipient: str) -> list[email.message.EmailMessage]:
        """The mails written for `recipient`, oldest first."""
        files = sorted((self.folder / "mail").glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
        parsed = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
        return [mail for mail in parsed if mail["To"] == recipient]

    def code(self, recipient: str, mails_before: int = 0) -> str:
        """The one-time code of the newest mail to `recipient`; waits for it."""
        mails = wait_until(
            lambda: found if len(found := self.mails(recipient)) > mails_before else None,
            15,
            f"a mail to {recipient}",
        )
        body = mails[-1].get_body(("plain",))
        assert body is not None
        match = re.search(r"\b\d{6}\b", body.get_content())
        assert match is not None
        return match[0]

    def talk(self, language: str = "en", **session: str) -> Talk:
        """A new conversation."""
        return Talk(self, language, **session)

    def _ready_or_dead(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            return True
        return "Ready" in self.output.read_text(encoding="utf-8", errors="replace")


class Talk:
    """One visitor's conversation over the web chat API."""

    def __init__(self, stack: Stack, language: str, **session: str) -> None:
        self.stack = stack
        answer = requests.post(
            f"{stack.url}/api/chat/sessions", json={"language": language, **session}, timeout=10
        )
        assert answer.status_code == 201, answer.text
        self.id: str = answer.json()["conversation_id"]
        self.headers = {"Authorization": f"Bearer {answer.json()['token']}"}

    def send(self, text: str) -> list[dict[str, Any]]:
        """Say `text`; the replies."""
        return self._post({"text": text, "client_id": uuid4().hex})

    def post(self, text: str, client_id: str | None = None) -> None:
        """Say `text` without waiting for an answer."""
        body = {"text": text, "client_id": client_id or uuid4().hex}
        answer = requests.post(
            f"{self.stack.url}/api/chat/messages", json=body, headers=self.headers, timeout=20
        )
        assert answer.status_code == 202, answer.text

    def press(self, reply: dict[str, Any], title: str) -> list[dict[str, Any]]:
        """Press the button with that title under `reply`."""
        button = next(b for b in reply["buttons"] if b["title"] == title)
        return self._post({"button": f"{reply['id']}:{button['id']}", "client_id": uuid4().hex})

    def says(self, text: str) -> str:
        """Say `text`; the words of all replies in one."""
        return "\n".join(reply["text"] or "" for reply in self.send(text))

    def answers(self, text: str) -> list[str]:
        """Say `text`; the names of the responses it got, as the log has them."""
        return self.names(self.send(text))

    def names(self, replies: list[dict[str, Any]]) -> list[str]:
        """The names of the responses behind replies."""
        marks = ", ".join("?" * len(replies))
        rows = self.stack.rows(
            "SELECT response FROM message WHERE conversation_id = ?"
            f" AND sequence IN ({marks}) AND response IS NOT NULL ORDER BY sequence",
            self.id,
            *(reply["id"] for reply in replies),
        )
        return [name for (name,) in rows]

    def intent(self) -> str | None:
        """What the last message was understood as."""
        ((intent,),) = self.stack.rows(
            "SELECT intent FROM message WHERE conversation_id = ? AND author = 'customer'"
            " ORDER BY sequence DESC LIMIT 1",
            self.id,
        )
        return str(intent) if intent else None

    def language(self) -> str:
        """The language the conversation is in."""
        ((language,),) = self.stack.rows("SELECT language FROM conversation WHERE id = ?", self.id)
        return str(language)

    def verify(self, address: str) -> str:
        """Give the address and the mailed code (the bot must have asked); what it says in the end."""
        before = len(self.stack.mails(address))
        self.says(address)
        return self.says(self.stack.code(address, before))

    def history(self) -> list[dict[str, Any]]:
        """All messages so far."""
        answer = requests.get(f"{self.stack.url}/api/chat/messages", headers=self.headers, timeout=10)
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return messages

    def _post(self, body: dict[str, str]) -> list[dict[str, Any]]:
        answer = requests.post(
            f"{self.stack.url}/api/chat/messages?wait=1", json=body, headers=self.headers, timeout=20
        )
        assert answer.status_code == 200, answer.text
        replies: list[dict[str, Any]] = answer.json()["replies"]
        assert replies, f"silence after {body}"
        return replies
