"""The addresses that sources call: signatures, forms, sizes, handshakes, and accounts that we know."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import Engine, select
from starlette.testclient import TestClient

from rapport.app import create_app
from rapport.cases.models import Case
from rapport.channels.models import ContactPoint
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings
from rapport.mentions import facebook, service
from rapport.mentions.models import Mention
from tests.channels.fakes.meta import VERIFY_TOKEN
from tests.mentions.fakes.facebook import FakePage
from tests.mentions.worlds import SECRET, signed

WRITER = "1254477777770001"


@pytest.fixture
def page() -> Iterator[FakePage]:
    page = FakePage()
    yield page
    page.close()


@pytest.fixture
def client(settings: Settings, sqlite_engine: Engine, page: FakePage) -> TestClient:
    """The app with Facebook, Messenger and the signed webhook, without its threads."""
    changes = {**page.settings(), "mentions_secret": SecretStr(SECRET)}
    return TestClient(create_app(settings.model_copy(update=changes), sqlite_engine))


def texts(engine: Engine) -> list[str]:
    with session_scope(engine) as session:
        return list(session.scalars(select(Mention.text).order_by(Mention.id)))


def content(**changes: Any) -> dict[str, Any]:
    return {"id": "r-1", "at": "2026-03-02T12:00:00+01:00", "text": "it came broken", **changes}


def send(client: TestClient, body: Any, **how: Any) -> Any:
    request = signed(body, **how)
    return client.post("/webhooks/mentions", content=request.body, headers=dict(request.headers))


def test_a_signed_mention_is_stored_once(client: TestClient, sqlite_engine: Engine) -> None:
    for _ in range(2):
        answer = send(client, content(author="Ann", url="https://r.example/1", language="es-MX"))
        assert (answer.status_code, answer.json()) == (200, {"status": "received"})
    assert texts(sqlite_engine) == ["it came broken"]
    assert send(client, content(event="removed", text="")).status_code == 200
    assert texts(sqlite_engine) == [""]


def test_what_is_not_signed_now_by_who_knows_the_secret_is_refused(
    client: TestClient, sqlite_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    now = clock.now().timestamp()
    right = signed(content())
    header = right.headers["rapport-signature"]
    bad = [
        send(client, content(), secret="x" * 40),
        send(client, content(), at=now - 400),
        send(client, content(), at=now + 400),
        client.post("/webhooks/mentions", content=right.body),
        client.post("/webhooks/mentions", content=right.body + b" ", headers={"Rapport-Signature": header}),
        client.post("/webhooks/mentions", content=right.body, headers={"Rapport-Signature": "t=,v1="}),
        client.post(
            "/webhooks/mentions",
            content=right.body,
            headers={"Rapport-Signature": header.replace("t=", "t=1")},
        ),
    ]
    assert {answer.status_code for answer in bad} == {401}
    assert {answer.headers["content-type"] for answer in bad} == {"application/problem+json"}
    assert {answer.json()["type"] for answer in bad} == {"/problems/unauthorized"}
    assert texts(sqlite_engine) == []
    assert "broken" not in caplog.text


def test_what_is_not_of_the_form_is_refused(client: TestClient, sqlite_engine: Engine) -> None:
    wrong: list[Any] = [
        [],
        "text",
        content(id=""),
        content(id="x" * 201),
        content(text=" "),
        content(text="x" * 10_001),
        content(at="yesterday"),
        content(at="2026-03-02T12:00:00"),
        content(at="0001-01-01T00:00:00+14:00"),
        content(event="liked"),
        content(more=1),
    ]
    for body in wrong:
        answer = send(client, body)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed"), body
    assert texts(sqlite_engine) == []


def test_what_is_too_large_is_refused(client: TestClient) -> None:
    answer = send(client, content(text="x" * 70_000))
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/payload-too-large")


def test_without_a_secret_there_is_no_address(settings: Settings, sqlite_engine: Engine) -> None:
    client = TestClient(create_app(settings, sqlite_engine))
    assert send(client, content()).status_code == 404
    assert client.post("/webhooks/facebook", content=b"{}").status_code == 404


def test_a_short_secret_is_refused(settings: Settings) -> None:
    with pytest.raises(ValidationError, match="at least 32 characters"):
        Settings.model_validate({**settings.model_dump(), "mentions_secret": "short"})


def test_half_of_facebooks_settings_switch_nothing_on(settings: Settings, page: FakePage) -> None:
    changes = page.settings()
    del changes["meta_app_secret"]
    with pytest.raises(ConfigurationError, match=r"META_APP_SECRET.*docs/mentions\.md"):
        facebook.make(settings.model_copy(update=changes))


def post(
    client: TestClient, page: FakePage, *entries: Any, path: str = "/webhooks/facebook", **how: Any
) -> int:
    body, headers = page.signed(*entries, **how)
    return client.post(path, content=body, headers=headers).status_code


def test_comments_come_to_either_address(client: TestClient, page: FakePage, sqlite_engine: Engine) -> None:
    assert post(client, page, page.comment("first", 1)) == 200
    talk = {**page.comment("second", 2), **page.entry(page.message(WRITER, text="hello there"))}
    assert post(client, page, talk, path="/channels/messenger") == 200
    assert post(client, page, page.comment("forged", 3), secret="a guess") == 401
    assert texts(sqlite_engine) == ["first", "second"]
    with session_scope(sqlite_engine) as session:
        assert session.scalars(select(Message.text)).first() == "hello there"


def test_what_is_no_visitors_word_is_left_out(
    client: TestClient, page: FakePage, sqlite_engine: Engine
) -> None:
    ours = {"id": page.own_id, "name": "Fjordly"}
    other = {**page.comment("of another page", 2), "id": "5"}
    reaction = page.comment("", 3, item="reaction", reaction_type="like")
    hidden = page.comment("hidden", 4, verb="hide")
    odd = page.comment("odd", 5, comment_id="../me/feed")
    liked = {
        "id": page.own_id,
        "time": 1,
        "changes": [{"field": "ratings", "value": {}}, "x", {"field": "feed"}],
    }
    for entry in (page.comment("ours", 1, **{"from": ours}), other, reaction, hidden, odd, liked):
        assert post(client, page, entry) == 200
    assert texts(sqlite_engine) == []
    visitor = page.comment("on your wall", 6, item="post", post_id=f"{page.own_id}_77", comment_id=None)
    assert post(client, page, visitor, page.comment("anonymous", 7, **{"from": None})) == 200
    assert texts(sqlite_engine) == ["on your wall", "anonymous"]
    with session_scope(sqlite_engine) as session:
        [wall, anonymous] = session.scalars(select(Mention).order_by(Mention.id))
        assert wall.details == {"item": "post"} and wall.url == f"https://www.facebook.com/{page.own_id}_77"
        assert anonymous.author == anonymous.author_id == ""


def test_what_was_taken_back_before_it_came_stays_away(
    client: TestClient, page: FakePage, sqlite_engine: Engine
) -> None:
    told = page.comment("broken", 1)
    assert post(client, page, page.comment("", 1, verb="remove")) == 200
    assert post(client, page, told) == 200
    assert texts(sqlite_engine) == [""]
    with session_scope(sqlite_engine) as session:
        assert session.scalars(select(Case)).all() == []


def test_meta_asks_whether_the_address_is_ours(client: TestClient) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY_TOKEN}
    assert client.get("/webhooks/facebook", params=asked).text == "1158201444"
    assert client.get("/webhooks/facebook", params={**asked, "hub.verify_token": "x"}).status_code == 401
    assert client.get("/webhooks/mentions").status_code == 404


def test_who_writes_to_us_in_messenger_is_known_in_public_too(
    client: TestClient, page: FakePage, sqlite_engine: Engine
) -> None:
    post(client, page, page.entry(page.message(WRITER, text="hello")), path="/channels/messenger")
    post(client, page, page.comment("it came broken", 1, who=WRITER), page.comment("broken", 2, who="99"))
    with session_scope(sqlite_engine) as session:
        point = session.scalars(select(ContactPoint)).one()
        known, stranger = session.scalars(select(Mention).order_by(Mention.id))
        assert (known.customer_id, stranger.customer_id) == (point.customer_id, None)
        case = session.get_one(Case, known.case_id)
        assert (case.customer_id, case.conversation_id) == (point.customer_id, point.conversation_id)
        assert service.has_bad(session, point.customer_id, clock.now())
        assert session.get_one(Conversation, point.conversation_id).channel == "messenger"


def test_what_staff_say_of_an_account_holds_for_all_it_writes(
    client: TestClient, page: FakePage, sqlite_engine: Engine
) -> None:
    from tests.mentions.conftest import add_staff

    post(client, page, page.comment("nice", 1, who="99"), page.comment("it came broken", 2, who="99"))
    with session_scope(sqlite_engine) as session:
        customer, staff_id = Customer(name="Ann Lee"), add_staff(session)
        session.add(customer)
        session.flush()
        first, second = session.scalars(select(Mention).order_by(Mention.id))
        service.link(session, first.id, 1, staff_id, customer.id)
        assert second.customer_id == customer.id
        assert session.get_one(Case, second.case_id).customer_id == customer.id
        assert service.has_bad(session, customer.id, clock.now())
    post(client, page, page.comment("again broken", 3, who="99"), page.comment("hm", 4, who="98"))
    with session_scope(sqlite_engine) as session:
        *_, third, fourth = session.scalars(select(Mention).order_by(Mention.id))
        assert (third.customer_id, fourth.customer_id) == (customer.id, None)


def test_nothing_that_was_said_stands_in_the_log(
    client: TestClient, page: FakePage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    post(client, page, page.comment("it came broken", 1))
    send(client, content(text="broken as well", author="Ann Lee"))
    assert "broken" not in caplog.text and "Ann" not in caplog.text
