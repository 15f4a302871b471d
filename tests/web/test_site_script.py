"""The script for the shop's pages, in a browser, with the real app: nothing before somebody agrees."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from playwright.sync_api import Request as Sent
from playwright.sync_api import Route as Answer
from sqlalchemy import Engine, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from rapport.conversations.models import Conversation
from rapport.customers.models import Customer, Identity
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from rapport.shop.models import ProductText
from rapport.site.models import SiteEvent, SiteVisitor
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp
from tests.site.conftest import all_events, all_wishes, identity, running, token_of
from tests.site.conftest import stock as put_in_stock
from tests.web.fake_api import Server

__all__ = ["identity"]

STORED = "() => [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie]"
NOTHING = ["{}", "{}", ""]


class Shop:
    """The shop's own site: any product's page, with the script on it and a strict policy."""

    def __init__(self, rapport: str) -> None:
        self._rapport = rapport

    async def page(self, request: Request) -> Response:
        given = {f"data-{name}": value for name, value in request.query_params.items()}
        attributes = " ".join(f'{name}="{value}"' for name, value in given.items())
        page = f"""<!doctype html><html lang="nb"><title>Shop</title>
            <body data-rapport-sku="{request.path_params["sku"]}">
            <script src="{self._rapport}/site.js" {attributes}></script></body></html>"""
        policy = f"default-src 'none'; script-src {self._rapport}; connect-src {self._rapport}"
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/favicon.ico", lambda _request: Response(status_code=204)),
                Route("/{sku}", self.page),
            ]
        )


@pytest.fixture
def app(identity: Settings, sqlite_engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    with running(identity, sqlite_engine, rasa) as app:
        yield app


class Visit:
    """A browser at the shop, what it sends to the site's API, and every error of its pages."""

    def __init__(self, browser: Browser, shop: str) -> None:
        self.shop = shop
        self.context: BrowserContext = browser.new_context(locale="en-GB")
        self.page: Page = self.context.new_page()
        self.sent: list[Sent] = []
        self.errors: list[str] = []
        self.context.on("request", lambda one: self.sent.append(one) if "/api/site/" in one.url else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, said: ConsoleMessage) -> None:
        # The browser itself notes each answer that is no success.
        if said.type == "error" and "Failed to load resource" not in said.text:
            self.errors.append(said.text)

    def opens(self, sku: str = "TENT", **attributes: str) -> None:
        """A product's page; `attributes` are the script's."""
        given = {name.replace("_", "-"): value for name, value in attributes.items()}
        self.page.goto(f"{self.shop}/{sku}?{urlencode(given)}")

    def run(self, code: str) -> Any:
        return self.page.evaluate(code)

    def until(self, condition: Callable[[], object], seconds: float = 10) -> None:
        """Waits, while the browser goes on."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end
            self.page.wait_for_timeout(20)

    def visitor(self) -> str | None:
        """The id in the browser's storage."""
        return self.run("() => JSON.parse(localStorage.getItem('rapport-site'))?.id ?? null")


@pytest.fixture
def visit(app: RunningApp, browser: Browser) -> Iterator[Visit]:
    with Server(Shop(app.url)) as port:
        visit = Visit(browser, f"http://127.0.0.1:{port}")
        yield visit
        visit.context.close()
    assert visit.errors == []


def owners(engine: Engine) -> list[int | None]:
    with session_scope(engine) as session:
        return list(session.scalars(select(SiteEvent.customer_id).order_by(SiteEvent.id)))


def test_nothing_before_consent_a_view_after_it_and_no_id_when_it_is_taken_back(
    sqlite_engine: Engine, visit: Visit
) -> None:
    visit.opens()
    visit.run("() => { rapport.track('product_viewed', {sku: 'BOOTS'}); rapport.track('signed_up'); }")
    visit.run("() => rapport.consent(false)")
    visit.page.goto("about:blank")  # what waits would be sent when the page is left
    visit.opens()
    visit.run("() => rapport.track('signed_up')")  # nor is it told afterwards
    visit.page.wait_for_timeout(700)
    assert (visit.run(STORED), visit.sent) == (NOTHING, [])

    visit.run("() => rapport.consent(true)")
    visit.until(lambda: all_events(sqlite_engine))
    (event,) = all_events(sqlite_engine)
    assert (event.kind, event.customer_id) == ("view", None)
    (sent,) = [one for one in visit.sent if one.method == "POST"]
    said = json.loads(sent.post_data or "")
    assert set(said) == {"visitor", "language", "events"}
    assert said["visitor"] == visit.visitor() and said["language"] == "nb"
    assert not {"cookie", "authorization"} & set(sent.headers)
    assert visit.run(STORED)[1:] == ["{}", ""]

    # What is done in the last moment arrives all the same.
    url = f"{visit.shop}/TENT"
    visit.run(f"() => rapport.track('cart_changed', {{items: [{{sku: 'TENT', quantity: 2}}], url: '{url}'}})")
    visit.page.goto("about:blank")
    visit.until(lambda: len(all_events(sqlite_engine)) == 2)
    assert all_events(sqlite_engine)[1].cart == {
        "items": [{"sku": "TENT", "quantity": 2}],
        "url": url,
    }

    visit.opens()
    visit.run("() => rapport.consent(false)")
    visit.until(lambda: not all_events(sqlite_engine))
    visit.run("() => rapport.track('signed_up')")
    visit.page.goto("about:blank")
    visit.opens()
    visit.until(lambda: visit.run(STORED) == NOTHING)
    with session_scope(sqlite_engine) as session:
        assert session.scalars(select(SiteVisitor)).one().forgotten_at is not None
    assert all_events(sqlite_engine) == []

    # Who takes it back where there is no network is heard as soon as there is.
    visit.run("() => rapport.consent(true)")
    visit.until(lambda: all_events(sqlite_engine))
    visit.context.set_offline(True)
    visit.run("() => rapport.consent(false)")
    visit.page.wait_for_timeout(200)
    visit.context.set_offline(False)
    assert all_events(sqlite_engine)
    visit.opens()
    visit.until(lambda: not all_events(sqlite_engine))
    visit.until(lambda: visit.run(STORED) == NOTHING)


def test_two_customers_at_one_computer_stay_two(sqlite_engine: Engine, visit: Visit) -> None:
    visit.opens(consent="granted")
    visit.until(lambda: owners(sqlite_engine) == [None])
    first = visit.visitor()
    visit.opens("BOOTS", consent="granted", identity_token=token_of("ann@example.com"))
    visit.until(lambda: owners(sqlite_engine) == [1, 1])
    assert visit.visitor() == first
    visit.until(lambda: visit.run("() => JSON.parse(localStorage.getItem('rapport-site')).known"))
    # She logs out; somebody looks around; then Bob logs in, without a page of his own between.
    visit.opens(consent="granted")
    visit.until(lambda: owners(sqlite_engine) == [1, 1, None])
    visit.run(f"() => rapport.identify('{token_of('bob@example.com')}')")
    visit.run("() => rapport.track('product_viewed', {sku: 'BOOTS'})")
    visit.until(lambda: owners(sqlite_engine) == [1, 1, 2, 2])
    # He stays logged in on a page that still has her token: the server says so, and he gets a new id.
    visit.opens(consent="granted", identity_token=token_of("ann@example.com"))
    visit.until(lambda: owners(sqlite_engine) == [1, 1, 2, 2, 1])
    with session_scope(sqlite_engine) as session:
        addresses = {one.customer_id: one.value for one in session.scalars(select(Identity))}
        assert len(session.scalars(select(SiteVisitor)).all()) == 3
    assert addresses == {1: "ann@example.com", 2: "bob@example.com"}


def test_who_the_chat_knew_is_not_who_sits_there_later(
    app: RunningApp, sqlite_engine: Engine, visit: Visit
) -> None:
    chat = app.chat()
    saved = json.dumps({"token": chat.headers["Authorization"].removeprefix("Bearer ")})
    with session_scope(sqlite_engine) as session:
        session.add(Customer(id=1))
        session.flush()
        conversation = session.get_one(Conversation, chat.id)
        conversation.customer_id, conversation.verified_until = 1, clock.now() + timedelta(minutes=1)
    visit.opens()
    visit.run(f"() => localStorage.setItem('rapport-chat', '{saved}')")
    visit.opens(consent="granted")
    visit.until(lambda: owners(sqlite_engine) == [1])
    first = visit.visitor()
    visit.run("() => localStorage.removeItem('rapport-chat')")  # a new chat
    visit.opens("BOOTS", consent="granted")
    visit.until(lambda: owners(sqlite_engine) == [1, None])
    assert visit.visitor() != first
    # Taking it back is for all that this browser told.
    visit.run("() => rapport.consent(false)")
    visit.until(lambda: not all_events(sqlite_engine))


def test_it_tries_again_and_never_breaks_the_page(sqlite_engine: Engine, visit: Visit) -> None:
    refusals = iter([503])

    def refuse(route: Answer) -> None:
        if status := next(refusals, None):
            route.fulfill(status=status, headers={"Access-Control-Allow-Origin": "*"})
        else:
            route.continue_()

    visit.opens()
    visit.context.route("**/api/site/events", refuse)
    visit.run(
        """() => {
            const circle = {};
            circle.self = circle;
            rapport.consent(true);
            rapport.track("product_viewed", circle);
            rapport.track("no such thing", {});
            rapport.track("product_viewed", {sku: "BOOTS"});
        }"""
    )
    # One of them is not understood: the others are sent without it.
    visit.until(lambda: len(all_events(sqlite_engine)) == 2, 15)


def test_the_demo_shop_shows_it(app: RunningApp, sqlite_engine: Engine, visit: Visit) -> None:
    with session_scope(sqlite_engine) as session:
        for sku, left in (("TENT-1", 3), ("TENT-2", 0)):
            product = put_in_stock(session, sku, left)
            product.texts = [ProductText(language="en", name=f"Tent {sku}", description="")]
    page = visit.page
    page.goto(f"{app.url}/?lang=en#TENT-1")
    page.get_by_role("button", name="Add to cart: Tent TENT-1").click()
    assert visit.sent == []
    page.get_by_role("button", name="Yes, you may").click()
    expect(page.get_by_text("We remember what you look at here.")).to_be_visible()
    page.get_by_role("button", name="Add to cart: Tent TENT-1").click()
    page.get_by_label("Your e-mail").fill("ann@example.com")
    page.get_by_role("button", name="Tell me when it’s back").click()
    expect(page.get_by_text("Look into your mail")).to_be_visible()
    visit.until(lambda: all_wishes(sqlite_engine))
    assert [one.kind for one in all_events(sqlite_engine)] == ["view", "cart"]
    page.reload()
    expect(page.get_by_role("status").filter(has_text="In your cart: Tent TENT-1")).to_be_visible()
    page.get_by_role("button", name="Please forget it").click()
    visit.until(lambda: not all_events(sqlite_engine))
    assert visit.visitor() is None
    assert [one.email for one in all_wishes(sqlite_engine)] == ["ann@example.com"]
