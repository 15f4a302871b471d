"""Canned replies in the database."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError
from rapport.replies import rules, service
from rapport.shop.placeholders import PlaceholderError
from rapport.staff import service as staff


def test_a_new_installation_has_some_in_four_languages(session: Session) -> None:
    count = service.seed(session)
    replies = service.offered(session)
    assert count == len(replies) >= 6
    assert [rules.missing(reply.texts) for reply in replies] == [()] * count
    assert service.seed(session) == 0, "only once"


def test_the_second_of_two_editors_is_told(engine: Engine) -> None:
    with session_scope(engine) as session:
        mia = staff.create(session, "mia@example.com", "Mia", "manager").id
        reply = service.create(session, "Hello", "hi", {"en": "Hi"}, mia).id
    with session_scope(engine) as session:
        service.change(session, reply, 1, "Hello", "hi", {"en": "Hi {name}"}, mia)
    with pytest.raises(ConflictError), session_scope(engine) as session:
        service.change(session, reply, 1, "Hello", "hi", {"en": "Other"}, mia)
    with session_scope(engine) as session:
        kept = service.get(session, reply)
        assert (kept.texts, kept.version, kept.changed_by) == ({"en": "Hi {name}"}, 2, mia)


def test_order_archive_and_use(session: Session) -> None:
    mia = staff.create(session, "mia@example.com", "Mia", "manager").id
    first = service.create(session, "First", "first", {"en": "1"})
    second = service.create(session, "Second", "second", {"en": "2"})
    service.move_up(session, second.id)
    assert [reply.title for reply in service.offered(session)] == ["Second", "First"]
    service.archive(session, second.id, second.version, mia)
    service.move_up(session, second.id)
    assert [reply.title for reply in service.offered(session)] == ["First"]
    assert [reply.title for reply in service.archived(session)] == ["Second"]
    service.bring_back(session, second.id, service.get(session, second.id).version, mia)
    service.used(session, first.id)
    session.refresh(first)
    assert (first.used, len(service.offered(session))) == (1, 2)


def test_a_shortcut_belongs_to_one(session: Session) -> None:
    service.create(session, "First", "hi", {"en": "1"})
    with pytest.raises(ConflictError):
        service.create(session, "Second", "/HI", {"en": "2"})
    with pytest.raises(PlaceholderError):
        service.create(session, "<b>", "b", {"en": "{evil}"})
