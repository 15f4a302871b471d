"""What pages tell: who it is said of, what is kept, and what is not. On both databases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from rapport.conversations.models import Conversation
from rapport.customers.models import ConsentEvent, Customer, Identity, Interest
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from rapport.outreach.journeys.models import JourneyEntry
from rapport.outreach.journeys.triggers import Found
from rapport.outreach.models import OutboxMessage
from rapport.preferences import rules as preference_rules
from rapport.site import api, tasks
from rapport.site.models import SiteVisitor
from tests.fake_rasa import FakeRasa
from tests.outreach.journeys.triggers.finding import enter
from tests.running import RunningApp
from tests.site.conftest import SHOP, Browser, all_events, all_wishes, cart, running, token_of, view

Browse = Callable[[], Browser]


def known(engine: Engine, email: str) -> int:
    """The id of the customer with this address."""
    with session_scope(engine) as session:
        return session.scalars(select(Identity.customer_id).where(Identity.value == email)).one()


def test_what_is_kept_is_what_triggers_need(engine: Engine, browse: Browse) -> None:
    browser = browse()
    day = 86_400
    browser.does(view("TENT"), view("TENT", ago=2), view("NO SUCH THING"), view("BOOTS"))
    browser.does(cart("TENT", ago=60), cart("TENT", "BOOTS", "NO SUCH THING", url=f"{SHOP}/cart"))
    browser.does(cart(ago=30))  # arrives late: a later state is known
    browser.does({"kind": "signed_up", "ago": 10 * day}, {"kind": "signed_up", "ago": 20 * day})
    kept = all_events(engine)
    assert [event.kind for event in kept] == ["view", "view", "cart", "signup"]
    assert kept[2].cart == {
        "items": [{"sku": "TENT", "quantity": 1}, {"sku": "BOOTS", "quantity": 1}],
        "url": f"{SHOP}/cart",
    }
    assert timedelta(hours=23) < clock.now() - kept[3].at < timedelta(hours=25)
    assert {event.customer_id for event in kept} == {None}
    browser.does(cart())
    assert all_events(engine)[-1].cart is None
    with session_scope(engine) as session:
        assert session.scalars(select(Interest)).all() == []
        assert browser.visitor not in session.scalars(select(SiteVisitor.key_hash)).all()


def test_a_visitor_is_one_customer_s_and_stays_it(engine: Engine, browse: Browse) -> None:
    """One computer, two customers: nothing of the one ever becomes the other's."""
    browser, other = browse(), browse()
    browser.does(view("TENT"))
    other.does(view("TENT"))
    browser.does(view("BOOTS"), identity_token=token_of("ann@example.com"))
    ann = known(engine, "ann@example.com")
    browser.does(cart("TENT"), identity_token=token_of("ann@example.com"))
    assert [event.customer_id for event in all_events(engine)] == [ann, None, ann, ann]

    # Somebody else, or nobody who shows who they are: the page's token has expired.
    for shown in ({"identity_token": token_of("bob@example.com")}, {}):
        refused = browser.send(view("BOOTS"), **shown)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
        assert [event.customer_id for event in all_events(engine)] == [ann, None, ann, ann]

    browser.visitor = browse().visitor  # what the script does then
    browser.does(view("TENT"))
    assert all_events(engine)[-1].customer_id is None
    browser.does(view("BOOTS"), identity_token=token_of("bob@example.com"))
    bob = known(engine, "bob@example.com")
    assert [event.customer_id for event in all_events(engine)] == [ann, None, ann, ann, bob, bob]
    assert ann != bob


def test_two_who_claim_a_visitor_at_once_do_not_share_it(engine: Engine, browse: Browse) -> None:
    browser = browse()
    browser.does(view("TENT"), view("BOOTS"))
    tokens = [token_of(f"{name}@example.com") for name in ("ann", "bob") * 3]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda token: browser.send(cart("TENT"), identity_token=token), tokens))
    assert sorted({answer.status_code for answer in answers}) == [202, 409]
    assert len({event.customer_id for event in all_events(engine)}) == 1


def test_a_verified_chat_names_the_visitor_while_it_is_verified(
    app: RunningApp, engine: Engine, browse: Browse
) -> None:
    chat, browser = app.chat(), browse()
    token = chat.headers["Authorization"].removeprefix("Bearer ")
    browser.does(view("TENT"), chat_token=token)
    browser.does(view("TENT"), chat_token="not one of ours")
    assert all_events(engine)[0].customer_id is None
    with session_scope(engine) as session:
        ann = Customer()
        session.add(ann)
        session.flush()
        conversation = session.get_one(Conversation, chat.id)
        conversation.customer_id, conversation.verified_until = ann.id, clock.now() - timedelta(seconds=1)
    browser.does(view("TENT"), chat_token=token)
    assert all_events(engine)[0].customer_id is None
    with session_scope(engine) as session:
        session.get_one(Conversation, chat.id).verified_until = clock.now() + timedelta(minutes=1)
    browser.does(view("TENT"), chat_token=token)
    assert [event.customer_id for event in all_events(engine)] == [ann.id]

    # The hour ends, or the chat begins anew, or somebody else gives a code in it: nothing more is hers.
    with session_scope(engine) as session:
        session.get_one(Conversation, chat.id).verified_until = clock.now() - timedelta(seconds=1)
    anew = app.chat().headers["Authorization"].removeprefix("Bearer ")
    for shown in ({"chat_token": token}, {"chat_token": anew}, {}):
        assert browser.send(view("BOOTS"), **shown).status_code == 409
    with session_scope(engine) as session:
        bob = Customer()
        session.add(bob)
        session.flush()
        conversation = session.get_one(Conversation, chat.id)
        conversation.customer_id, conversation.verified_until = bob.id, clock.now() + timedelta(minutes=1)
    assert browser.send(view("BOOTS"), chat_token=token).status_code == 409
    assert [event.customer_id for event in all_events(engine)] == [ann.id]
    browser.visitor = browse().visitor
    browser.does(view("BOOTS"), chat_token=token)
    assert [event.customer_id for event in all_events(engine)] == [ann.id, bob.id]


def test_who_takes_it_back_is_forgotten_also_by_what_was_under_way(engine: Engine, browse: Browse) -> None:
    browser, other = browse(), browse()
    other.does(view("TENT"))
    browser.does(view("TENT"), cart("TENT"), identity_token=token_of("ann@example.com"))
    browser.forget()
    browser.does(view("BOOTS"), identity_token=token_of("ann@example.com"))
    never_heard_of = browse()
    never_heard_of.forget()
    never_heard_of.does(view("BOOTS"))
    assert len(all_events(engine)) == 1
    with session_scope(engine) as session:
        assert session.scalars(select(SiteVisitor.customer_id)).all() == [None] * 3


def test_a_wish_is_a_consent_of_who_has_shown_who_they_are(engine: Engine, browse: Browse) -> None:
    browser = browse()
    wish = {"kind": "wants_back", "sku": "BOOTS"}
    browser.does(wish)  # nobody could be told
    browser.does(wish | {"email": "not an address"})
    assert all_wishes(engine) == []
    browser.does(wish, wish, identity_token=token_of("ann@example.com"))
    assert browser.send(wish).status_code == 409  # who sits there has not shown that it is she
    ann = known(engine, "ann@example.com")
    assert [(one.customer_id, one.email, one.seen_out) for one in all_wishes(engine)] == [(ann, None, True)]
    with session_scope(engine) as session:
        consent = session.scalars(select(ConsentEvent)).one()
    assert (consent.purpose, consent.channel, consent.granted) == ("alerts", "email", True)
    assert consent.source == "site:back_in_stock"


URLS = [
    "javascript:alert(1)",
    "https://evil.example/cart",
    f"{SHOP}@evil.example/cart",
    f"{SHOP}\\@evil.example",
    "//shop.example/cart",
    f"{SHOP}/ <b>",
    "https://[",
]


def test_a_cart_s_address_is_one_of_the_page_s_own(engine: Engine, browse: Browse) -> None:
    for url in URLS:
        browse().does(cart("TENT", url=url))
    assert [event.cart for event in all_events(engine)] == [{"items": [{"sku": "TENT", "quantity": 1}]}] * 7


BAD = [
    {},
    {"visitor": "short", "events": [view("TENT")]},
    {"visitor": "x" * 30 + "\0", "events": [view("TENT")]},
    {"visitor": "x" * 30, "events": []},
    {"visitor": "x" * 30, "events": [view("TENT")] * 51},
    {"visitor": "x" * 30, "events": [view("TENT") | {"customer_id": 1}]},
    {"visitor": "x" * 30, "events": [view("TENT", ago=-1)]},
    {"visitor": "x" * 30, "events": [view("\ud800")]},
    {"visitor": "x" * 30, "events": [view("a\0b")]},
    {"visitor": "x" * 30, "events": [{"kind": "__class__"}]},
    {"visitor": "x" * 30, "events": [cart("TENT") | {"items": [{"sku": "TENT", "quantity": 10**30}]}]},
    {"visitor": "x" * 30, "events": [{"kind": "wants_back", "sku": "BOOTS", "email": ["a@b.no"]}]},
]


def test_hostile_bodies_are_problems(sqlite_app: RunningApp) -> None:
    for body in BAD:
        # As ASCII: half a surrogate pair is valid JSON.
        headers = {"Content-Type": "application/json"}
        answer = sqlite_app.client.post("/api/site/events", content=json.dumps(body), headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request"), body


def test_hostile_words_do_nothing(engine: Engine, browse: Browse) -> None:
    sku = "'; DROP TABLE site_event; --"
    browse().does(view(sku), cart(sku, "TENT"), view("TENT' OR '1'='1"), language="xx'\"<b>")
    assert [event.kind for event in all_events(engine)] == ["cart"]


def test_forged_tokens_large_bodies_and_other_methods(sqlite_app: RunningApp, sqlite_engine: Engine) -> None:
    browser = Browser(sqlite_app.client)
    for token in (
        token_of("ann@example.com", "x" * 40),
        token_of("ann@example.com", seconds=-9),
        "",
        "a.b.c",
    ):
        refused = browser.send(view("TENT"), identity_token=token)
        assert (refused.status_code, refused.json()["type"]) == (401, "/problems/unauthorized")
    large = sqlite_app.client.post("/api/site/events", content=b'"' + b"x" * 33_000)
    assert (large.status_code, large.json()["type"]) == (413, "/problems/payload-too-large")
    assert sqlite_app.client.get("/api/site/events").status_code == 405
    assert all_events(sqlite_engine) == []


def test_too_many_are_told_to_wait(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PER_VISITOR", (3, 60))
    monkeypatch.setattr(api, "PER_ADDRESS", (6, 60))
    running = RunningApp(settings, sqlite_engine, rasa, rate_limits=True)
    try:
        browser = Browser(running.client)
        assert [browser.send(view("TENT")).status_code for _ in range(4)] == [202] * 3 + [429]
        others = [Browser(running.client).send(view("TENT")) for _ in range(3)]
        assert [answer.status_code for answer in others] == [202] * 2 + [429]
        assert others[-1].json()["type"] == "/problems/too-many-requests"
    finally:
        running.stop()


def test_pages_of_the_allowed_sites_may_send_and_fetch_the_script(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa
) -> None:
    running = RunningApp(settings, sqlite_engine, rasa, allowed_origins=SHOP)
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    try:
        for origin, allowed in ((SHOP, True), ("https://evil.example", False)):
            asked = running.client.options("/api/site/events", headers={"Origin": origin, **asks})
            assert (asked.headers.get("Access-Control-Allow-Origin") == origin) is allowed
        script = running.client.get("/site.js", headers={"Origin": SHOP})
        assert script.headers["Content-Encoding"] == "gzip"
        assert int(script.headers["Content-Length"]) <= 3 * 1024
        assert script.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        again = running.client.get("/site.js", headers={"If-None-Match": script.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    finally:
        running.stop()


def test_whose_address_was_typed_is_asked_and_waits_only_once_they_said_yes(
    app: RunningApp, engine: Engine, browse: Browse
) -> None:
    browser, wish = browse(), {"kind": "wants_back", "sku": "BOOTS"}
    browser.does(wish | {"email": "Ann@Example.com "}, view("TENT"), language="nn-NO")
    browser.does(wish | {"email": "ann@example.com"})
    (mine,) = all_wishes(engine)
    assert (mine.customer_id, mine.email) == (None, "ann@example.com")
    with session_scope(engine) as session:
        (mail,) = session.scalars(select(OutboxMessage)).all()
        assert session.scalars(select(ConsentEvent)).all() == []
    assert (mail.recipient, mail.purpose, mail.language) == ("ann@example.com", "subscription", "nb")
    (path,) = set(re.findall(r"/s/[a-z2-7]{40}", mail.text))
    assert app.client.post(path).status_code == 200
    tasks.see_stock(engine)
    (mine,) = all_wishes(engine)
    assert (mine.customer_id, mine.email) == (known(engine, "ann@example.com"), None)
    browser.does(wish | {"email": "ann@example.com"})
    assert [one.customer_id for one in all_wishes(engine)] == [mine.customer_id, None]


def test_one_place_asks_for_few_mails_and_loses_nothing_else(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preference_rules, "REQUESTS_PER_CLIENT", (2, timedelta(hours=1)))
    with running(settings, sqlite_engine, rasa, rate_limits=True) as app:
        wishes = [{"kind": "wants_back", "sku": "BOOTS", "email": f"{n}@example.com"} for n in range(4)]
        Browser(app.client).does(*wishes, view("TENT"))
    assert [one.email for one in all_wishes(sqlite_engine)] == ["0@example.com", "1@example.com"]
    assert len(all_events(sqlite_engine)) == 1


def test_journeys_that_rest_on_it_are_left_when_it_is_gone(engine: Engine, browse: Browse) -> None:
    def running_ones() -> set[str]:
        with session_scope(engine) as session:
            query = select(JourneyEntry.journey).where(JourneyEntry.status == "running")
            return set(session.scalars(query))

    browser = browse()
    browser.does(cart("TENT"), identity_token=token_of("ann@example.com"))
    ann = known(engine, "ann@example.com")
    with session_scope(engine) as session:
        for journey in ("cart_left", "viewed_product", "back_in_stock"):
            enter(session, Found(ann, journey, clock.now()), journey)
    browser.does(cart("TENT", "BOOTS"), identity_token=token_of("ann@example.com"))
    assert running_ones() == {"cart_left", "viewed_product", "back_in_stock"}
    browser.does(cart(), identity_token=token_of("ann@example.com"))
    assert running_ones() == {"viewed_product", "back_in_stock"}
    browser.forget()
    assert running_ones() == {"back_in_stock"}
