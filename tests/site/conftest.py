"""Products, customers and pages that tell of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any

import httpx
import jwt
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.kit.database import session_scope
from rapport.kit.settings import Settings, get_settings
from rapport.shop.models import Product
from rapport.site.models import SiteEvent, StockWish
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp

KEY = "k" * 40
SHOP = "https://shop.example"


def stock(session: Session, sku: str, stock: int | None = 5) -> Product:
    """A product with so many of it left."""
    product = session.scalar(select(Product).where(Product.sku == sku))
    if product is None:
        product = Product(sku=sku, category="tents", price_minor=1, currency="NOK")
        session.add(product)
    product.stock = stock
    session.flush()
    return product


def token_of(email: str, key: str = KEY, seconds: float = 60) -> str:
    """What the host site signs for its logged-in customer."""
    return jwt.encode({"email": email, "exp": time.time() + seconds}, key, algorithm="HS256")


@dataclass
class Browser:
    """A browser on a page of the shop's, as far as the server knows it."""

    client: httpx.Client
    visitor: str = field(default_factory=lambda: token_urlsafe(16))

    def send(self, *events: dict[str, Any], **more: Any) -> httpx.Response:
        body = {"visitor": self.visitor, "events": list(events)} | more
        return self.client.post("/api/site/events", json=body, headers={"Origin": SHOP})

    def does(self, *events: dict[str, Any], **more: Any) -> None:
        answer = self.send(*events, **more)
        assert (answer.status_code, answer.content) == (202, b""), answer.text

    def forget(self) -> None:
        assert self.client.post("/api/site/forget", json={"visitor": self.visitor}).status_code == 202


def view(sku: str, ago: int = 0) -> dict[str, Any]:
    return {"kind": "product_viewed", "sku": sku, "ago": ago}


def cart(*skus: str, ago: int = 0, **more: Any) -> dict[str, Any]:
    items = [{"sku": sku, "quantity": 1} for sku in skus]
    return {"kind": "cart_changed", "items": items, "ago": ago, **more}


def all_events(engine: Engine) -> Sequence[SiteEvent]:
    with session_scope(engine) as session:
        return session.scalars(select(SiteEvent).order_by(SiteEvent.id)).all()


def all_wishes(engine: Engine) -> Sequence[StockWish]:
    with session_scope(engine) as session:
        return session.scalars(select(StockWish).order_by(StockWish.id)).all()


@contextmanager
def running(settings: Settings, engine: Engine, rasa: FakeRasa, **changes: Any) -> Iterator[RunningApp]:
    """The app, with two products of which one is sold out."""
    with session_scope(engine) as session:
        stock(session, "TENT")
        stock(session, "BOOTS", 0)
    app = RunningApp(settings, engine, rasa, **changes)
    yield app
    app.stop()


@pytest.fixture
def identity(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with which host sites can name their customers."""
    monkeypatch.setenv("RAPPORT_IDENTITY_SECRET", KEY)
    get_settings.cache_clear()
    return get_settings()


@pytest.fixture
def app(identity: Settings, engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    """On each kind of database."""
    with running(identity, engine, rasa) as app:
        yield app


@pytest.fixture
def sqlite_app(identity: Settings, sqlite_engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    with running(identity, sqlite_engine, rasa) as app:
        yield app


@pytest.fixture
def browse(app: RunningApp) -> Callable[[], Browser]:
    """Opens another browser."""
    return lambda: Browser(app.client)
