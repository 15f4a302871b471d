"""What holds for every source, over its real protocol, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from rapport.cases.models import Case
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError
from rapport.mentions import answers, tasks
from rapport.mentions.models import Mention, MentionAnswer
from tests.mentions.worlds import SignedWorld, World

ANSWER = "Sorry! Please write to us in a private message."


def mentions(engine: Engine) -> list[Mention]:
    with session_scope(engine) as session:
        return list(session.scalars(select(Mention).order_by(Mention.id)))


def cases(engine: Engine) -> list[Case]:
    with session_scope(engine) as session:
        return list(session.scalars(select(Case).order_by(Case.id)))


def test_what_is_said_is_stored_once_and_gets_a_case(engine: Engine, world: World) -> None:
    source_id = world.say("my tent came broken")
    assert world.hear(engine) == 1
    assert world.hear(engine) == 0
    world.say("just looking")
    assert world.hear(engine) == 1
    first, second = mentions(engine)
    assert (first.source_id, first.kind, first.state) == (source_id, "complaint", "case")
    assert (second.kind, second.state, second.case_id) == ("neutral", "new", None)
    [case] = cases(engine)
    assert (case.kind, case.priority, case.id) == ("mention", "high", first.case_id)
    assert case.text == first.text and "broken" in first.text
    assert case.source_url == first.url and first.url is not None and first.url.startswith("https://")
    assert "private message" in first.suggestion


def test_changes_and_removals_by_the_author_are_followed(engine: Engine, world: World) -> None:
    source_id = world.say("my tent came broken")
    world.hear(engine)
    now = datetime.now(UTC)
    world.edit(source_id, "my tent came broken, twice", now + timedelta(minutes=2))
    world.hear(engine)
    world.hear(engine)
    [mention] = mentions(engine)
    assert mention.text.endswith("broken, twice") and mention.version == 2
    world.edit(source_id, "an older wording", now + timedelta(minutes=1))
    world.hear(engine)
    assert mentions(engine)[0].text.endswith("broken, twice")
    world.remove(source_id)
    world.hear(engine)
    [mention], [case] = mentions(engine), cases(engine)
    assert (mention.text, mention.suggestion, mention.removed_at is not None) == ("", "", True)
    assert "broken" not in case.text


def test_an_answer_of_staff_stands_there_once(engine: Engine, world: World, staff_id: int) -> None:
    source_id = world.say("my tent came broken")
    world.hear(engine)
    [mention] = mentions(engine)
    with session_scope(engine) as session:
        if isinstance(world, SignedWorld):
            with pytest.raises(ConflictError):
                answers.send(session, world.source, mention.id, 1, staff_id, ANSWER)
            return
        answers.send(session, world.source, mention.id, 1, staff_id, ANSWER)
        with pytest.raises(ConflictError):
            answers.send(session, world.source, mention.id, 1, staff_id, ANSWER)
        answers.send(session, world.source, mention.id, 3 - 1, staff_id, "Write us here.", private=True)
    sources = {mention.source: world.source}
    # The second cancels the first, which nobody had sent yet.
    assert tasks.send_due(engine, sources) == 1
    assert tasks.send_due(engine, sources) == 0
    assert world.answers() == [(source_id, "Write us here.", True)]
    with session_scope(engine) as session:
        answers.send(session, world.source, mention.id, 3, staff_id, ANSWER)
    assert tasks.send_due(engine, sources) == 1
    assert world.answers()[1:] == [(source_id, ANSWER, False)]
    assert mentions(engine)[0].state == "answered"


@pytest.mark.parametrize("how", ["busy", "trouble", "drop"])
def test_an_answer_that_meets_trouble(
    sqlite_engine: Engine, world: World, how: str, monkeypatch: pytest.MonkeyPatch, thanks: None
) -> None:
    """What was refused for now is sent later; what nobody knows of is never sent again."""
    if isinstance(world, SignedWorld):
        return
    source_id = world.say("I love it")
    world.hear(sqlite_engine)
    sources = {world.source.name: world.source}
    world.fail(how)
    assert tasks.send_due(sqlite_engine, sources) == 0
    assert tasks.send_due(sqlite_engine, sources) == 0
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    again = tasks.send_due(sqlite_engine, sources)
    with session_scope(sqlite_engine) as session:
        [answer] = session.scalars(select(MentionAnswer))
    assert (again, answer.status) == ((0, "unknown") if how == "drop" else (1, "sent"))
    assert [to for to, _, _ in world.answers()] == [source_id]


def test_an_answer_that_was_on_its_way_at_a_kill_is_not_repeated(
    engine: Engine, world: World, monkeypatch: pytest.MonkeyPatch, thanks: None
) -> None:
    if isinstance(world, SignedWorld):
        return
    world.say("I love it")
    world.hear(engine)

    def killed(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(world.source, "answer", killed)
        with pytest.raises(KeyboardInterrupt):
            tasks.send_due(engine, {world.source.name: world.source})
    assert tasks.send_due(engine, {world.source.name: world.source}) == 0, "the lease still runs"
    later = clock.now() + timedelta(minutes=5)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert tasks.send_due(engine, {world.source.name: world.source}) == 0
    with session_scope(engine) as session:
        [answer] = session.scalars(select(MentionAnswer))
    assert (answer.status, world.answers()) == ("unknown", [])


def test_praise_is_thanked_by_itself_once_to_a_person(
    sqlite_engine: Engine, world: World, thanks: None
) -> None:
    world.say("I love it")
    world.say("I love it perhaps")
    world.say("I love it so much")
    world.hear(sqlite_engine)
    world.hear(sqlite_engine)
    tasks.send_due(sqlite_engine, {world.source.name: world.source})
    with session_scope(sqlite_engine) as session:
        decided = session.scalars(select(MentionAnswer.mention_id)).all()
    if isinstance(world, SignedWorld):
        assert decided == []
    else:
        assert decided == [mentions(sqlite_engine)[0].id]
        assert len(world.answers()) == 1


def test_nobody_is_thanked_while_they_are_unhappy(sqlite_engine: Engine, world: World, thanks: None) -> None:
    world.say("my tent came broken")
    world.say("but I love the colour")
    world.hear(sqlite_engine)
    with session_scope(sqlite_engine) as session:
        assert session.scalars(select(MentionAnswer)).all() == []
