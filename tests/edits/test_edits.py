"""Edits in the database, and how soon everybody sees them."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from rapport.cli import doctor
from rapport.edits import effective, service, source
from rapport.kit.database import make_engine, read_scope, session_scope
from rapport.kit.errors import ConflictError
from rapport.kit.settings import Settings
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.shop.facts import get_facts
from rapport.shop.knowledge import get_knowledge

CONTACT = {"email": "new@fjordly.example", "phone": "+47 1"}
HOSTILE = "<script>alert(1)</script> {{7*7}}"


def save(engine: Engine, section: str, base: int, value: Any) -> None:
    with session_scope(engine) as session:
        service.save(session, section, base, value, None)


@pytest.fixture
def followed(engine: Engine, settings: Settings) -> Engine:
    source.follow(lambda: engine)
    return engine


def test_everybody_sees_an_edit_at_once_and_the_file_again(followed: Engine) -> None:
    file = get_facts().contact
    save(followed, "contact", 0, CONTACT)
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(get_facts().contact.email)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["new@fjordly.example"] * 8
    first = get_facts()
    assert get_facts() is first, "made once"
    assert "new@fjordly.example" in get_knowledge().entries["registration_problems"].answer.en
    save(followed, "contact", 1, None)
    assert get_facts().contact == file


def test_another_process_sees_it_within_a_second(followed: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    get_facts()
    monkeypatch.setattr(service, "_committed", lambda _session: None)  # as if elsewhere
    save(followed, "contact", 0, CONTACT)
    end = time.monotonic() + 5
    while get_facts().contact.email != CONTACT["email"] and time.monotonic() < end:
        time.sleep(0.05)
    assert get_facts().contact.email == CONTACT["email"]


def test_what_is_rolled_back_is_not_seen(followed: Engine) -> None:
    before = get_facts().contact
    with pytest.raises(RuntimeError), session_scope(followed) as session:
        service.save(session, "contact", 0, CONTACT, None)
        raise RuntimeError
    assert get_facts().contact == before


def test_a_call_costs_no_query(followed: Engine) -> None:
    asked: list[str] = []
    event.listen(followed, "before_cursor_execute", lambda *args: asked.append(args[2]))
    get_facts()
    asked.clear()
    started = time.monotonic()
    for _ in range(2000):
        get_facts()
    assert len(asked) <= 2 * (time.monotonic() - started) + 2


def test_the_second_of_two_editors_is_told(engine: Engine) -> None:
    save(engine, "contact", 0, CONTACT)
    with pytest.raises(ConflictError):
        save(engine, "contact", 0, {**CONTACT, "phone": "2"})
    with read_scope(engine) as session:
        assert [edit.version for edit in service.history(session, "contact")] == [1]


def test_editors_at_the_same_moment(engine: Engine) -> None:
    """On PostgreSQL the table decides, on SQLite the second waits."""
    told: list[str] = []
    barrier = threading.Barrier(4)

    def edit(number: int) -> None:
        barrier.wait()
        try:
            save(engine, "contact", 0, {**CONTACT, "phone": str(number)})
            told.append("saved")
        except ConflictError:
            told.append("told")

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["saved", "told", "told", "told"]


def test_a_broken_edit_never_takes_the_bot_down(
    followed: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    before = get_facts()
    save(followed, "refunds", 0, {"days": "soon", "how": {"en": HOSTILE}})
    save(followed, "hours", 0, ["nonsense"])
    save(followed, "contact", 0, CONTACT)
    save(followed, "offer.welcome", 0, {"percent": 500})
    save(followed, "offer.loyal", 0, ["nonsense"])
    save(followed, "answer.no_such", 0, {"en": "x"})
    save(followed, "answer.warranty", 0, {"en": "{shop.__class__}", "es": "x", "nb": "x", "ro": "x"})
    facts = get_facts()
    assert (facts.refunds, facts.hours) == (before.refunds, before.hours)
    assert facts.contact.email == CONTACT["email"], "what fits counts"
    assert get_rulebook().offers[1].percent == 10
    assert "class" not in get_knowledge().entries["warranty"].answer.en
    assert "left out" in caplog.text
    with read_scope(followed) as session:
        count, broken = effective.broken(session)
    assert count == 7
    offers = {"offer.welcome", "offer.loyal"}
    assert set(broken) == {"refunds", "hours", "answer.no_such", "answer.warranty", *offers}
    found = doctor._edited(
        settings.model_copy(update={"database_url": followed.url.render_as_string(hide_password=False)})
    )
    assert found.state == "warning"
    assert "refunds" in found.detail


def test_a_database_that_is_away_changes_nothing(
    sqlite_engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    source.follow(lambda: sqlite_engine)
    save(sqlite_engine, "contact", 0, CONTACT)
    assert get_facts().contact.email == CONTACT["email"]
    with session_scope(sqlite_engine) as session:
        session.execute(text("DROP TABLE shop_edit"))
    source.changed()
    assert get_facts().contact.email == CONTACT["email"]
    assert "cannot be read" in caplog.text


def test_a_command_makes_no_database(settings: Settings) -> None:
    engine = make_engine(settings.database_url)
    source.follow(lambda: engine)
    get_facts()
    assert not (settings.var_dir / "rapport.db").exists()
    engine.dispose()
