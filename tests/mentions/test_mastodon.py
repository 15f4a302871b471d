"""Mastodon: pages, searches, rate limits, HTML, and who is whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from rapport.channels.base import RefusedError, TryAgainError
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings
from rapport.mentions import mastodon, tasks
from rapport.mentions.base import Target
from rapport.mentions.mastodon import MastodonSource
from rapport.mentions.models import Mention, MentionSource
from tests.mentions.fakes.mastodon import SHOP, TOKEN, FakeMastodon


@pytest.fixture
def server() -> Iterator[FakeMastodon]:
    server = FakeMastodon()
    yield server
    server.close()


def said(engine: Engine) -> list[Mention]:
    with session_scope(engine) as session:
        return list(session.scalars(select(Mention).order_by(Mention.id)))


def test_nothing_is_left_out_when_more_than_a_page_has_come(
    sqlite_engine: Engine, server: FakeMastodon
) -> None:
    source = MastodonSource(server.url, TOKEN)
    for number in range(60):
        server.toot(f"old {number}")
    tasks.poll(sqlite_engine, source)
    assert len(said(sqlite_engine)) == mastodon.PAGE, "what was said long before is not news"
    for number in range(95):
        server.toot(f"new {number}")
    assert tasks.poll(sqlite_engine, source) == 95
    assert [one.text for one in said(sqlite_engine)[mastodon.PAGE :]] == [f"new {n}" for n in range(95)]
    assert ("GET", "/api/v2/instance") not in server.calls, "no call that is not needed"


def test_what_is_found_by_searching_is_theirs_and_not_to_us(
    sqlite_engine: Engine, server: FakeMastodon
) -> None:
    source = MastodonSource(server.url, TOKEN, ["#fjordly", "fjordly tent"])
    server.toot("a day out", to_us=False, tags=("fjordly",))
    server.toot("my Fjordly tent", to_us=False)
    both = server.toot("@fjordly look", tags=("fjordly",))
    server.toot("ours", acct="fjordly", to_us=False, tags=("fjordly",), account=SHOP)
    boosted = {"id": "9", "content": "x"}
    server.toot("a boost", to_us=False, tags=("fjordly",), reblog=boosted)
    server.toot("odd", to_us=False, tags=("fjordly",), account=None)
    tasks.poll(sqlite_engine, source)
    found = {one.text: one for one in said(sqlite_engine)}
    assert set(found) == {"a day out", "my Fjordly tent", "@fjordly look"}
    assert found["@fjordly look"].source_id == both and found["@fjordly look"].addressed
    assert not found["a day out"].addressed
    assert tasks.poll(sqlite_engine, source) == 0


def test_html_is_text_and_links_lead_to_web_pages(sqlite_engine: Engine, server: FakeMastodon) -> None:
    server.toot(
        "",
        html='<p><span class="h-card"><a href="https://x.example/@f">@<span>fjordly</span></a></span> Torn'
        "<br>and wet</p><script>evil()</script><p>1 &lt; 2 <img src=x onerror=evil()></p>",
        url="javascript:evil()",
        spoiler_text="Gear",
        language="nb",
        visibility="unlisted",
    )
    tasks.poll(sqlite_engine, MastodonSource(server.url, TOKEN))
    [one] = said(sqlite_engine)
    assert one.text == "Gear\n\n@fjordly Torn\nand wet\n\n1 < 2"
    assert (one.url, one.visibility, one.author) == (None, "unlisted", "@ann@social.example")


def test_a_reply_is_seen_by_those_who_saw_what_it_answers(server: FakeMastodon) -> None:
    source = MastodonSource(server.url, TOKEN)
    toot = server.toot("@fjordly hi", visibility="unlisted")
    target = Target(toot, "@ann@social.example", "unlisted", "nb", "key-1")
    assert source.answer(target, "Takk!", private=False) == source.answer(target, "Takk!", private=False)
    source.answer(Target(toot, "@ann@social.example", "unlisted", "nb", "key-2"), "Hei!", private=True)
    assert [(one["visibility"], one["content"], one["in_reply_to_id"]) for one in server.posted] == [
        ("unlisted", "@ann@social.example Takk!", toot),
        ("direct", "@ann@social.example Hei!", toot),
    ]
    # Who is named more or less like them reads nothing in their place.
    like = "Write to kari@ann@social.example.org"
    source.answer(Target(toot, "@ann@social.example", "unlisted", "nb", "key-4"), like, private=True)
    assert server.posted[-1]["content"] == f"@ann@social.example {like}"
    server.delete(toot)
    with pytest.raises(RefusedError):
        source.answer(Target(toot, "@ann", "public", "nb", "key-3"), "Takk!", private=False)


def test_the_servers_rate_limit_is_kept(
    sqlite_engine: Engine, server: FakeMastodon, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MastodonSource(server.url, TOKEN, ["#fjordly"])
    server.toot("first")
    server.remaining = mastodon.SPARED + 2
    assert tasks.poll(sqlite_engine, source) == 1
    asked = len(server.calls)
    assert asked == 2, "who we are and what was said to us, but no search: others need what is left"
    assert tasks.poll(sqlite_engine, source) == 0
    assert len(server.calls) == asked, "nothing is asked until the limit is reset"
    later = clock.now() + timedelta(minutes=6)
    monkeypatch.setattr(clock, "now", lambda: later)
    server.remaining = 300
    server.failures.append(429)
    tasks.poll(sqlite_engine, source)
    with session_scope(sqlite_engine) as session:
        known = session.get_one(MentionSource, "mastodon")
        assert known.last_error == "too many requests"
        assert known.paused_until is not None
        assert timedelta(minutes=4) < known.paused_until - later < timedelta(minutes=6)


def test_check_says_whether_the_server_takes_us(server: FakeMastodon) -> None:
    source = MastodonSource(server.url, TOKEN)
    assert source.check() == "@fjordly"
    for status in (401, 403, 429, 503):
        server.failures.append(status)
        with pytest.raises(TryAgainError):
            source.check()
    with pytest.raises(TryAgainError):
        MastodonSource(server.url, "another token").check()


def test_a_server_that_is_not_there_is_tried_again(server: FakeMastodon) -> None:
    source = MastodonSource("http://127.0.0.1:9", TOKEN)
    with pytest.raises(TryAgainError):
        source.fetch({})
    server.failures.append(410)
    gone = MastodonSource(server.url, TOKEN).look_again(["1"], datetime.now(UTC))
    assert [event.source_id for event in gone] == ["1"]


@pytest.mark.parametrize(
    "values",
    [
        {"mastodon_url": "https://m.example"},
        {"mastodon_token": "x"},
        {"mastodon_url": "http://m.example", "mastodon_token": "x"},
    ],
)
def test_half_of_the_settings_switch_nothing_on(settings: Settings, values: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        mastodon.make(Settings.model_validate({**settings.model_dump(), **values}))
    assert mastodon.make(settings) is None
