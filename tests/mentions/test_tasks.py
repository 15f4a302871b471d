"""Sending and asking: two at once, what is found out at the last moment, the trouble of one source."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select

from rapport.channels.base import TryAgainError
from rapport.cli import doctor
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from rapport.mentions import answers, rules, service, tasks
from rapport.mentions import repository as mentions
from rapport.mentions.answers import GivesAwayError
from rapport.mentions.mastodon import MastodonSource
from rapport.mentions.models import Mention, MentionAnswer, MentionSource
from rapport.mentions.signed import SignedSource
from rapport.schedule.jobs import JOBS
from tests.mentions.conftest import add_staff
from tests.mentions.fakes.mastodon import TOKEN, FakeMastodon
from tests.mentions.worlds import SECRET

ANSWER = "Ann, sorry! Write to us in a private message."


@pytest.fixture
def server() -> Iterator[FakeMastodon]:
    server = FakeMastodon()
    yield server
    server.close()


def queued(engine: Engine, server: FakeMastodon) -> tuple[MastodonSource, int, int]:
    """A complaint and an answer of staff that waits: (source, the mention's id, who of staff)."""
    source = MastodonSource(server.url, TOKEN)
    server.toot("@fjordly it came broken")
    tasks.poll(engine, source)
    with session_scope(engine) as session:
        staff_id = add_staff(session)
        [row] = session.scalars(select(Mention))
        answers.send(session, source, row.id, 1, staff_id, ANSWER)
        return source, row.id, staff_id


def test_two_workers_never_have_the_same_answer(engine: Engine, server: FakeMastodon) -> None:
    queued(engine, server)
    now = datetime.now(UTC)
    with session_scope(engine) as session:
        claimed = mentions.claim(session, now, now + rules.LEASE, ["mastodon"])
        assert claimed is not None and claimed[1] is False
        first = claimed[0].id
    with session_scope(engine) as session:
        assert mentions.claim(session, now, now + rules.LEASE, ["mastodon"]) is None
        later = now + timedelta(minutes=3)
        again = mentions.claim(session, later, later + rules.LEASE, ["mastodon"])
        assert again is not None and (again[0].id, again[1]) == (first, True), "it may have been sent"
    with session_scope(engine) as session:
        assert not mentions.release(session, first, now + rules.LEASE, status="sent"), "the lease was lost"


SENDER = """
import sys
from rapport.kit.database import make_engine
from rapport.mentions import tasks
from rapport.mentions.mastodon import MastodonSource

tasks.send_due(make_engine(sys.argv[1]), {"mastodon": MastodonSource(sys.argv[2], sys.argv[3])})
"""


def test_a_process_that_is_killed_while_the_server_has_the_answer(
    sqlite_engine: Engine, server: FakeMastodon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9: the answer stands there, nobody here knows, and it is not sent again."""
    source, _, _ = queued(sqlite_engine, server)
    server.failures.append("hold")
    url = sqlite_engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen([sys.executable, "-c", SENDER, url, server.url, TOKEN])
    try:
        assert server.held.wait(30)
    finally:
        process.kill()
        process.wait()
    assert tasks.send_due(sqlite_engine, {"mastodon": source}) == 0, "its lease still runs"
    later = datetime.now(UTC) + 2 * rules.LEASE
    monkeypatch.setattr(clock, "now", lambda: later)
    assert tasks.send_due(sqlite_engine, {"mastodon": source}) == 0
    with session_scope(sqlite_engine) as session:
        assert session.scalars(select(MentionAnswer.status)).one() == "unknown"
    assert len(server.posted) == 1


def test_whose_account_it_is_may_be_found_out_after_the_answer_was_decided(
    sqlite_engine: Engine, server: FakeMastodon
) -> None:
    source, mention_id, staff_id = queued(sqlite_engine, server)
    with session_scope(sqlite_engine) as session:
        customer = Customer(name="Ann Lee")
        session.add(customer)
        session.flush()
        service.link(session, mention_id, 2, staff_id, customer.id)
        with pytest.raises(GivesAwayError) as refused:
            answers.send(session, source, mention_id, 3, staff_id, ANSWER)
        assert refused.value.what == ("name",)
    assert tasks.send_due(sqlite_engine, {"mastodon": source}) == 0
    with session_scope(sqlite_engine) as session:
        [answer] = session.scalars(select(MentionAnswer))
        assert (answer.status, answer.last_error) == ("failed", "it would say in public: name")
        answers.send(session, source, mention_id, 3, staff_id, ANSWER, private=True)
    assert tasks.send_due(sqlite_engine, {"mastodon": source}) == 1
    assert [one["visibility"] for one in server.posted] == ["direct"]


def test_what_its_author_took_back_is_not_answered(sqlite_engine: Engine, server: FakeMastodon) -> None:
    source, mention_id, _ = queued(sqlite_engine, server)
    with session_scope(sqlite_engine) as session:
        session.get_one(Mention, mention_id).removed_at = datetime.now(UTC)
    assert tasks.send_due(sqlite_engine, {"mastodon": source}) == 0
    with session_scope(sqlite_engine) as session:
        assert session.scalars(select(MentionAnswer.status)).one() == "cancelled"
    assert server.posted == []


def test_thanks_that_are_put_off_while_praise_becomes_a_complaint_are_not_sent(
    engine: Engine, server: FakeMastodon, thanks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MastodonSource(server.url, TOKEN)
    server.toot("@fjordly I love it")
    tasks.poll(engine, source)

    def put_off(*_: object) -> str:
        with session_scope(engine) as session:
            [mention] = session.scalars(select(Mention))
            service.correct(session, mention.id, mention.version, add_staff(session), "complaint")
        raise TryAgainError("come again")

    with monkeypatch.context() as patched:
        patched.setattr(source, "answer", put_off)
        assert tasks.send_due(engine, {"mastodon": source}) == 0
    with clock.freeze(datetime.now(UTC) + timedelta(hours=1)):
        assert tasks.send_due(engine, {"mastodon": source}) == 0
    with session_scope(engine) as session:
        assert session.scalars(select(MentionAnswer.status)).one() == "cancelled"
    assert server.posted == []


def test_one_sources_trouble_is_not_the_others(
    sqlite_engine: Engine, server: FakeMastodon, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, _, _ = queued(sqlite_engine, server)
    odd = MastodonSource(server.url, TOKEN)

    def breaks(_cursor: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(odd, "fetch", breaks)
    monkeypatch.setattr(type(odd), "name", "mastodon")
    assert tasks.run(sqlite_engine, {"odd": odd, "mastodon": source}) == "1 sent"
    with session_scope(sqlite_engine) as session:
        assert session.get_one(MentionSource, "mastodon").last_error is None, "the second try went well"
    assert tasks.run(sqlite_engine, {"webhook": SignedSource(SECRET)}) == "nothing new"
    assert "mentions" in {job.name for job in JOBS}


def test_the_doctor_asks_each_source(settings: Settings, server: FakeMastodon) -> None:
    assert "no source" in doctor._mentions(settings).detail
    changes = {"mastodon_url": server.url, "mastodon_token": SecretStr(TOKEN)}
    good = doctor._mentions(settings.model_copy(update={**changes, "mentions_secret": SecretStr(SECRET)}))
    assert (good.state, good.detail) == ("ok", "mastodon: @fjordly; webhook: signed calls are taken")
    server.failures.append(401)
    bad = doctor._mentions(settings.model_copy(update=changes))
    assert (bad.state, bad.detail) == ("wrong", "mastodon: the access token is not taken")
    half = doctor._mentions(settings.model_copy(update={"mastodon_url": server.url}))
    assert half.state == "wrong" and "RAPPORT_MASTODON_TOKEN" in half.detail
