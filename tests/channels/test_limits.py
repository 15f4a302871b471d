"""Too much, too fast and too many at once: said politely, once, and over soon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select

from rapport.channels import inbound, notices
from rapport.channels.base import Said, Unreadable
from rapport.channels.base import Sender as From
from rapport.conversations.models import Conversation, Message
from rapport.kit.database import read_scope, session_scope
from rapport.kit.rates import Rate
from rapport.kit.settings import Settings
from tests.channels.fakes.toy import SECRET, Toy, ToyChannel
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp, until


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> inbound.Limits:
    return inbound.Limits(
        per_sender=Rate(3, 60, clock), new_senders=Rate(2, 60, clock), notices=Rate(1, 60, clock)
    )


def hear(engine: Engine, limits: inbound.Limits, person: str, number: int, text: str = "hello") -> str | None:
    with session_scope(engine) as session:
        said = Said(From(person), f"{person}-{number}", text)
        return inbound.take(session, ToyChannel(), said, limits)


def logged(engine: Engine, person: str) -> list[tuple[str, str | None]]:
    """(status, notice) of what somebody sent."""
    with read_scope(engine) as session:
        rows = session.execute(
            select(Message.status, Message.content)
            .where(Message.author == "customer", Message.provider_id.like(f"{person}-%"))
            .order_by(Message.id)
        )
        return [(status, content.get("notice")) for status, content in rows]


def test_who_writes_too_fast_is_told_once_and_heard_again_soon(
    engine: Engine, limits: inbound.Limits, clock: Clock
) -> None:
    woken = [hear(engine, limits, "ann", number) for number in range(6)]
    assert logged(engine, "ann") == [
        *[("received", None)] * 3,
        ("received", notices.TOO_FAST),
        *[("noted", "")] * 2,
    ]
    assert all(woken[:4]) and not any(woken[4:])  # nothing is lost, and nothing more is said to it
    clock.now += 61
    hear(engine, limits, "ann", 6)
    assert logged(engine, "ann")[-1] == ("received", None)


def test_stop_is_heard_however_fast(engine: Engine, limits: inbound.Limits) -> None:
    for number in range(5):
        hear(engine, limits, "ann", number)
    hear(engine, limits, "ann", 5, "STOP")
    assert logged(engine, "ann")[-1] == ("received", notices.STOPPED)


def test_a_flood_of_new_people_is_told_to_come_back_and_others_notice_nothing(
    engine: Engine, limits: inbound.Limits, clock: Clock
) -> None:
    for person in ("ann", "bob", "eve", "dan"):
        hear(engine, limits, person, 0)
    assert [logged(engine, person) for person in ("ann", "bob")] == [[("received", None)]] * 2
    assert [logged(engine, person) for person in ("eve", "dan")] == [[("received", notices.BUSY)]] * 2
    hear(engine, limits, "ann", 1)
    assert logged(engine, "ann")[-1] == ("received", None)
    hear(engine, limits, "eve", 1)  # to write twice gets nobody in
    assert logged(engine, "eve")[-1] == ("noted", "")
    clock.now += 61
    for person in ("may", "eve"):
        hear(engine, limits, person, 2)
        assert logged(engine, person)[-1] == ("received", None)
    hear(engine, limits, "dan", 1)  # and there are too many once more
    hear(engine, limits, "eve", 3)
    assert (logged(engine, "dan")[-1], logged(engine, "eve")[-1]) == (
        ("received", notices.BUSY),
        ("received", None),
    )


def test_a_flood_of_new_people_is_held_whatever_they_write(engine: Engine, limits: inbound.Limits) -> None:
    for number in range(3):
        for person in range(20):
            hear(engine, limits, f"p{person}", number)
    answered = [logged(engine, f"p{person}") for person in range(20)]
    assert answered[:2] == [[("received", None)] * 3] * 2
    assert answered[2:] == [[("received", notices.BUSY), *[("noted", "")] * 2]] * 18


def test_in_whose_name_anybody_may_write_is_told_nothing(engine: Engine, limits: inbound.Limits) -> None:
    """Else whoever sends us mails in other people's names has us write to all of them."""
    limits.tell_new = False
    for number in range(5):
        hear(engine, limits, f"p{number}", 0)
    assert [logged(engine, f"p{number}") for number in range(5)] == [
        *[[("received", None)]] * 2,
        *[[("noted", "")]] * 3,
    ]


def test_not_all_who_are_held_are_remembered_for_ever(
    limits: inbound.Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound, "MOST_HELD", 3)
    told = [limits.notice(f"p{number}", "telegram", True) for number in range(7)]
    assert told == [None, None, *[notices.BUSY] * 5]
    assert [limits.notice(f"p{number}", "telegram", False) for number in (2, 6)] == [None, ""]


def test_pictures_count_as_messages(engine: Engine, limits: inbound.Limits) -> None:
    for number in range(5):
        with session_scope(engine) as session:
            sticker = Unreadable(From("ann"), f"ann-{number}", "sticker")
            inbound.take(session, ToyChannel(), sticker, limits)
    assert [notice for _, notice in logged(engine, "ann")] == ["sticker"] * 3 + [notices.TOO_FAST, ""]


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def app(settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, toy: Toy) -> Iterator[RunningApp]:
    running = RunningApp(
        settings,
        sqlite_engine,
        rasa,
        channels=toy.channels(),
        rate_limits=True,
        trusted_proxies="127.0.0.1",
    )
    toy.attach(running.url)
    yield running
    running.stop()


def test_who_guesses_secrets_is_stopped_by_their_own_address(app: RunningApp, toy: Toy) -> None:
    def guess(address: str, secret: str = "a guess") -> int:
        headers = {"x-toy-secret": secret, "x-forwarded-for": address}
        return app.client.post(f"/channels/{toy.name}", json=[], headers=headers).status_code

    statuses = [guess("203.0.113.7") for _ in range(40)]
    assert statuses[0] == 401 and statuses[-1] == 429
    assert guess("198.51.100.2") == 401
    # What is signed is never held up, wherever it comes from.
    assert guess("203.0.113.7", SECRET) == 200


def test_the_notice_comes_in_the_persons_language(app: RunningApp, toy: Toy, sqlite_engine: Engine) -> None:
    toy.post({"from": "ann", "id": "1", "text": "hei", "language": "nb"})
    for number in range(40):
        toy.post({"from": "ann", "id": f"m{number}", "text": "mas"})
    words = {notices.reply(notices.TOO_FAST, "nb", turn).text for turn in (0, 1)}
    with read_scope(sqlite_engine) as session:
        assert session.scalars(select(Conversation.language)).one() == "nb"
    assert until(lambda: [one for one in toy.sent("ann") if one.text in words], 20)
    assert len([one for one in toy.sent("ann") if one.text in words]) == 1
