"""Somebody at our pages: a link in a mail, a mail scanner, a form."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from rapport.app import create_app
from rapport.customers import service as customers
from rapport.customers.models import ConsentEvent, Identity
from rapport.kit import clock
from rapport.kit.database import Base, read_scope, session_scope
from rapport.kit.settings import Settings, get_settings
from rapport.outreach.mail import FolderMailer
from rapport.outreach.models import OutboxMessage
from rapport.outreach.tasks import send_due
from rapport.preferences import links

ANN = "ann.berg@example.com"
BOXES = {"checkbox", "radio"}
TOUCHED = {
    "subscription",
    "outbox",
    "contact_decision",
    "consent_event",
    "interest",
    "contact_policy",
    "identity",
    "customer_merge",
    "product_text",
    "product",
    "customer",
}
_numbers = count()


@dataclass
class Form(HTMLParser):
    """The fields of the page's forms as a browser would send them with one button."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    _select: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name"), given.get("value") or ""
        if tag == "select":
            self._select = name or ""
        elif tag == "option" and "selected" in given:
            self._add(self._select, value)
        elif tag == "input" and name and ("checked" in given or given.get("type") not in BOXES):
            self._add(name, value)

    def _add(self, name: str, value: str) -> None:
        self.fields.setdefault(name, []).append(value)


class Visitor:
    """A browser without a cookie, a script or a login."""

    def __init__(self, app: FastAPI, engine: Engine, folder: Path) -> None:
        self.app = app
        self.engine = engine
        self.folder = folder
        self.move()

    def move(self) -> None:
        """Comes from another place on the network from now on, as each visitor does."""
        number = next(_numbers)
        place = f"198.18.{number // 250}.{number % 250 + 1}"
        self.http = TestClient(self.app, base_url="http://localhost", client=(place, 50_000))
        self.http.headers["Accept"] = "text/html"

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(path, headers=headers)

    def post(self, path: str, **fields: Any) -> httpx.Response:
        return self.http.post(path, data=fields)

    def save(self, path: str, **changes: list[str]) -> httpx.Response:
        """Sends the page's form with these fields filled in otherwise."""
        form = Form()
        form.feed(self.get(path).text)
        return self.post(path, **{**form.fields, "do": ["save"], **changes})

    def deliver(self) -> list[str]:
        """Sends what waits in the outbox; the texts of all mails so far, the newest first."""
        mailer = FolderMailer(self.folder)
        with session_scope(self.engine) as session:
            for message in session.scalars(select(OutboxMessage).where(OutboxMessage.status == "queued")):
                message.next_attempt_at = message.created_at
        send_due(self.engine, mailer)
        return [f"{mail.recipient}\n{mail.text}" for mail in mailer.list()]

    def session(self) -> Any:
        return read_scope(self.engine)

    def consents(self) -> list[tuple[str, str, bool]]:
        """All that was ever agreed to or withdrawn, in its order."""
        with self.session() as session:
            events = session.scalars(select(ConsentEvent).order_by(ConsentEvent.id))
            return [(event.purpose, event.channel, event.granted) for event in events]


def link_in(mail: str) -> str:
    """The path of the link that stands in a mail."""
    found = re.search(r"https?://[^/\s]+(/[psu]/[a-z2-7]{40})\s", mail)
    assert found, mail
    return found[1]


@pytest.fixture(scope="module")
def app(shared_engine: Engine) -> FastAPI:
    """One app for all tests of a module: making it costs more than most of them."""
    return create_app(get_settings(), shared_engine)


@pytest.fixture
def engine(shared_engine: Engine) -> Engine:
    """The module's database, without what the tests before have left in it."""
    with session_scope(shared_engine) as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name in TOUCHED:
                session.execute(table.delete())
    return shared_engine


@pytest.fixture
def visitor(settings: Settings, app: FastAPI, engine: Engine) -> Visitor:
    """On both databases."""
    return Visitor(app, engine, settings.var_dir / "mail")


def a_customer(session: Session, address: str = ANN, **details: Any) -> int:
    return customers.ensure_customer(session, identities=[("email", address)], **details).id


@pytest.fixture
def ann(engine: Engine, settings: Settings) -> int:
    with session_scope(engine) as session:
        customer_id = a_customer(session, language="en")
        session.scalars(select(Identity)).one().verified_at = clock.now()
        return customer_id


def path_to(kind: links.Kind, subject_id: int, language: str = "en") -> str:
    """The path of a link."""
    prefix = {"preferences": "/p", "unsubscribe": "/u", "confirm": "/s", "chat": "/p"}[kind]
    return f"{prefix}/{links.make(get_settings(), kind, subject_id, language)}"
