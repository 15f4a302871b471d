"""Tags, notes, and what counts as another look."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import InvalidInputError
from rapport.notes import repository, rules
from rapport.notes.models import ConversationTag
from tests.console.client import add_staff
from tests.console.talks import talk


@pytest.mark.parametrize(
    ("typed", "tag"),
    [
        (" #Late   Delivery! ", "late delivery"),
        ("ÅPENT KJØP", "åpent kjøp"),
        ("<b>vip</b>", "b vip b"),
        ("v1.2", "v1.2"),
        ("ﬁne", "fine"),
    ],
)
def test_tags_are_written_alike(typed: str, tag: str) -> None:
    assert rules.tag(typed) == tag


@pytest.mark.parametrize("typed", ["", " #! ", "x" * 41, "ann@example.com", "+47 912 34 567"])
def test_what_is_no_tag(typed: str) -> None:
    with pytest.raises(InvalidInputError):
        rules.tag(typed)


@given(st.text(max_size=60))
def test_a_tag_stays_what_it_is(typed: str) -> None:
    try:
        tag = rules.tag(typed)
    except InvalidInputError:
        return
    assert rules.tag(tag) == tag and len(tag) <= rules.LONGEST_TAG and tag.isprintable()


@pytest.mark.parametrize(
    ("minutes", "saw_all", "full", "new"),
    [(4.9, False, False, False), (5, False, False, True), (1, False, True, True), (1, True, False, False)],
)
def test_looks(minutes: float, saw_all: bool, full: bool, new: bool) -> None:
    now = clock.now()
    assert rules.is_new_look((now - timedelta(minutes=minutes), saw_all), now, full) is new
    assert rules.is_new_look(None, now, full)


def test_known_tags_are_each_told_once(engine: Engine) -> None:
    staff = add_staff(engine, "agent")
    with read_scope(engine) as session:
        assert repository.known_tags(session) == []
    for tags in (("b", "a"), ("b", "c"), ("c",)):
        conversation = talk(engine, ("customer", "x"))
        with session_scope(engine) as session:
            session.add_all(
                ConversationTag(conversation_id=conversation, tag=tag, staff_id=staff) for tag in tags
            )
    with read_scope(engine) as session:
        assert list(repository.known_tags(session)) == ["a", "b", "c"]
        assert list(repository.known_tags(session, 2)) == ["a", "b"]
