"""The pages of mentions: what is shown to whom, and the way of one from a complaint to its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Engine, select

from rapport.app import create_app
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import Settings
from rapport.mentions import service
from rapport.mentions.models import Mention, MentionSource
from tests.browser import assert_accessible
from tests.console.client import StaffClient, add_staff, address, readable
from tests.console.conftest import Logged, OpenPage
from tests.console.talks import somebody
from tests.fake_rasa import FakeRasa
from tests.mentions.fakes.mastodon import TOKEN, FakeMastodon
from tests.running import RunningApp, until

SUGGESTED = "Sorry! Please write to us in a private message."


@pytest.fixture
def server() -> Iterator[FakeMastodon]:
    server = FakeMastodon()
    yield server
    server.close()


@pytest.fixture
def app(settings: Settings, engine: Engine, server: FakeMastodon) -> FastAPI:
    changes = {"mastodon_url": server.url, "mastodon_token": SecretStr(TOKEN), "rasa_port": 1}
    return create_app(settings.model_copy(update=changes), engine)


def mention(
    engine: Engine, source_id: str, text: str = "Torn! Call me: +47 22 33 44 55", **more: object
) -> int:
    values: dict[str, object] = {"kind": "neutral", "at": clock.now(), "confidence": 0.61, **more}
    with session_scope(engine) as session:
        row = Mention(
            source="mastodon",
            source_id=source_id,
            author="@ann@social.example",
            author_id="7",
            text=text,
            language="en",
            url="https://social.example/@ann/1",
            suggestion=SUGGESTED,
            **values,
        )
        session.add(row)
        session.flush()
        return row.id


def test_the_way_of_a_mention(log_in: Logged, engine: Engine, server: FakeMastodon) -> None:
    toot = server.toot("@fjordly Torn!")
    customer_id = somebody(engine, "Ana Pop", "ana.pop@example.com")
    one = mention(engine, toot)
    agent = log_in("agent")
    path = f"/console/mentions/{one}"
    html = agent.page(path)
    assert 'rel="noopener noreferrer nofollow"' in html
    assert "22 33 44 55" not in html and "@ann@" not in html, "not in their hands"
    assert "61 % sure" in readable(html)

    said = readable(agent.post(f"{path}/kind", version=1, kind="complaint").text)
    assert "said by staff" in said and "Has a case" in said
    with read_scope(engine) as session:
        case_id = session.get_one(Mention, one).case_id
    agent.post(f"/console/cases/{case_id}/take", version=1)
    assert f'href="/console/mentions/{one}"' in agent.page(f"/console/cases/{case_id}")
    assert "22 33 44 55" in agent.page(path)

    said = readable(agent.post(f"{path}/customer", version=2, email="ana.pop@example.com").text)
    assert "Ana Pop" not in said and "A. P." in said, "naming somebody shows nothing of them"
    with read_scope(engine) as session:
        assert service.has_bad(session, customer_id, clock.now())

    refused = agent.post(f"{path}/answer", version=3, answer="Dear Ana, you get 50 kr for FJ-20001.")
    assert refused.status_code == 422
    said = readable(refused.text)
    assert all(what in said for what in ("the name of the customer", "a sum", "an order number"))
    assert "Dear Ana, you get 50 kr" in said, "what they typed is kept"
    assert server.posted == []

    assert agent.post(f"{path}/answer", version=2, answer=SUGGESTED).status_code == 409
    assert "Your answer is on its way." in readable(
        agent.post(f"{path}/answer", version=3, answer=SUGGESTED).text
    )
    assert [(p["in_reply_to_id"], p["content"]) for p in server.posted] == [
        (toot, f"@ann@social.example {SUGGESTED}")
    ]
    assert re.search(r"Ada Agent [^.]{3,20} Sent", agent.text(path))
    assert "Ada Agent answered in public" in agent.text(f"/console/cases/{case_id}")
    agent.post(f"{path}/note", version=4, note="Known for years.", state="noted")
    agent.post(f"{path}/note", version=5, note="Phoned.", state="answered")
    assert "Known for years.\nPhoned." in agent.page(path)
    assert agent.get("/console/mentions/99").status_code == 404


def test_the_list_is_narrowed_and_goes_on(log_in: Logged, engine: Engine) -> None:
    manager = log_in("manager")
    assert "Nobody has mentioned the shop yet" in manager.text("/console/mentions")
    now = clock.now()
    for number in range(51):
        mention(engine, f"{number}", f"text number {number}.", at=now - timedelta(minutes=number))
    mention(engine, "x", "we love it", kind="praise", state="answered", at=now - timedelta(days=1))
    with session_scope(engine) as session:
        session.add(MentionSource(name="mastodon", last_error="the access token is not taken"))
    first = manager.page("/console/mentions")
    assert "text number 49." in first and "text number 50." not in first
    assert "Mastodon: the access token is not taken" in readable(first)
    following = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    assert "text number 50." in manager.page(following.replace("&amp;", "&"))
    praise = manager.text("/console/mentions", kind="praise", state="answered", source="mastodon")
    assert "we love it" in praise and "text number" not in praise
    assert "No mention here fits" in manager.text("/console/mentions", source="facebook")
    assert manager.get("/console/mentions", after="nonsense").status_code == 422


def test_who_has_no_source_is_told_how_to_connect_one(settings: Settings, sqlite_engine: Engine) -> None:
    app = create_app(settings, sqlite_engine)
    add_staff(sqlite_engine, "agent")
    text = StaffClient(app, address("agent")).text("/console/mentions")
    assert "RAPPORT_MASTODON_TOKEN" in text and "/webhooks/mentions" in text
    one = mention(sqlite_engine, "1")
    text = StaffClient(app, address("agent")).text(f"/console/mentions/{one}")
    assert "Answer where it stands" in text and SUGGESTED in text
    with session_scope(sqlite_engine) as session:
        assert session.scalars(select(Mention.state)).one() == "new"


HOSTILE = "<script>evil=1</script>\"'><img src=x onerror=evil=1>{{7*7}} broken"


@pytest.fixture
def running(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, server: FakeMastodon
) -> Iterator[RunningApp]:
    """The whole app with the shop's account on a server."""
    running = RunningApp(
        settings, sqlite_engine, rasa, mastodon_url=server.url, mastodon_token=SecretStr(TOKEN)
    )
    yield running
    running.stop()


def test_the_way_of_a_mention_in_a_browser(
    open_page: OpenPage, sqlite_engine: Engine, server: FakeMastodon
) -> None:
    toot = server.toot(HOSTILE)
    one = mention(sqlite_engine, toot, HOSTILE)
    page = open_page("manager", "/console/mentions", width=375)
    assert page.locator("li.badge", has_text="Mastodon").count() == 1
    assert_accessible(page)
    page.click("th a")
    page.wait_for_url(f"**/mentions/{one}")
    assert page.locator("blockquote").first.inner_text() == HOSTILE
    page.fill("textarea[name=answer]", "Sorry! Write to us: 22 33 44 55")
    page.click("text=Send")
    page.locator("[role=alert]", has_text="a phone number").wait_for()
    assert page.input_value("textarea[name=answer]") == "Sorry! Write to us: 22 33 44 55"
    page.fill("textarea[name=answer]", f"Sorry! {HOSTILE.replace('7*7', '')}")
    page.click("text=Send")
    page.locator("[role=status]", has_text="Your answer is on its way.").wait_for()
    until(lambda: server.posted)
    page.reload()
    page.locator(".badge", has_text="Sent").wait_for()
    assert_accessible(page)
    assert page.evaluate("typeof evil") == "undefined"
