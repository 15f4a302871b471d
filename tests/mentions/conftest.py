"""A classifier whose verdicts are plain to see in a text, and the sources' stand-ins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.kit.database import session_scope
from rapport.mentions import classify
from rapport.mentions.classify import Verdict
from rapport.shop import facts
from rapport.shop.facts import Mentions
from rapport.staff.models import Staff
from tests.mentions.worlds import WORLDS, World

SIGNS = {"broken": "complaint", "wonder": "doubt", "love": "praise"}


@pytest.fixture(autouse=True)
def _plain_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    def verdict(text: str, _language: str) -> Verdict:
        kind = next((kind for sign, kind in SIGNS.items() if sign in text), "neutral")
        return Verdict(kind, 0.5 if "perhaps" in text else 0.95)

    monkeypatch.setattr(classify, "classify", verdict)


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each source with its stand-in."""
    made = WORLDS[request.param]()
    yield made
    made.close()


@pytest.fixture
def thanks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop lets praise be answered by itself."""
    allowed = facts.get_facts().model_copy(update={"mentions": Mentions(answer=("praise",))})
    monkeypatch.setattr("rapport.mentions.answers.get_facts", lambda: allowed)


@pytest.fixture
def staff_id(engine: Engine) -> int:
    with session_scope(engine) as session:
        return add_staff(session)


def add_staff(session: Session) -> int:
    """Somebody of the shop's people."""
    person = Staff(email="kari@fjordly.example", name="Kari", role="agent", language="en")
    session.add(person)
    session.flush()
    return person.id
