"""The widget's script, the pages, CORS and the headers of everything."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from sqlalchemy import Engine

from rapport.channels import site
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from rapport.shop.models import Product, ProductText
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp


def test_the_widget_is_compressed_and_cached(app: RunningApp) -> None:
    script = app.client.get("/widget.js")
    assert script.status_code == 200
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert script.headers["Content-Encoding"] == "gzip"
    assert script.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert script.content == site.WIDGET.read_bytes()
    plain = app.client.get("/widget.js", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.content == script.content
    again = app.client.get("/widget.js", headers={"If-None-Match": script.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_changed_widget_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "widget.js"
    path.write_text("one")
    widget = site.Script(path)
    first = widget._read()
    assert gzip.decompress(first.packed) == b"one"
    path.write_text("two and more")
    os.utime(path, ns=(1, 1))
    assert widget._read().etag != first.etag


def test_the_demo_page_has_a_strict_policy(app: RunningApp) -> None:
    page = app.client.get("/")
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"] == site.PAGE_POLICY
    assert "/widget.js" in page.text
    for path in ("/demo/shop.js", "/demo/shop.css", "/demo/images/logo.svg"):
        file = app.client.get(path)
        assert file.status_code == 200
        assert file.headers["Content-Security-Policy"] == site.PAGE_POLICY


def test_without_the_demo_the_page_says_how_to_go_on(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa
) -> None:
    running = RunningApp(settings, sqlite_engine, rasa, demo=False)
    try:
        page = running.client.get("/", headers={"Host": 'x"><script>alert(1)</script>'})
        assert page.status_code in {200, 400}
        assert "<script>alert" not in page.text
        assert f'src="{running.url}/widget.js"' in running.client.get("/").text.replace("&quot;", '"')
        assert running.client.get("/api/demo/products").status_code == 404
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("asked", "language", "name", "price"),
    [
        ("nb", "nb", "Telt", "1 249 kr"),
        ("en-GB", "en", "Tent", "NOK 1,249"),
        ("xx", "en", "Tent", None),
    ],
)
def test_products(
    app: RunningApp, sqlite_engine: Engine, asked: str, language: str, name: str, price: str | None
) -> None:
    with session_scope(sqlite_engine) as session:
        texts = [
            ProductText(language="en", name="Tent", description="dry"),
            ProductText(language="nb", name="Telt", description="tørt"),
        ]
        session.add(Product(sku="t-1", category="tents", price_minor=124900, currency="NOK", texts=texts))
    answered = app.client.get("/api/demo/products", params={"language": asked}).json()
    assert answered["language"] == language
    (product,) = answered["products"]
    assert (product["sku"], product["category"], product["name"]) == ("t-1", "tents", name)
    if price:
        assert product["price"].replace("\u00a0", " ") == price


def test_cors_opens_the_api_and_nothing_else(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa
) -> None:
    running = RunningApp(settings, sqlite_engine, rasa, allowed_origins="https://shop.example")
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    try:
        for origin, allowed in (("https://shop.example", True), ("https://evil.example", False)):
            asked = running.client.options("/api/chat/messages", headers={"Origin": origin, **preflight})
            assert (asked.headers.get("Access-Control-Allow-Origin") == origin) is allowed
            assert "Access-Control-Allow-Credentials" not in asked.headers
        mail = running.client.get("/dev/mail", headers={"Origin": "https://shop.example"})
        assert "Access-Control-Allow-Origin" not in mail.headers
    finally:
        running.stop()


def test_ready_only_with_database_and_rasa(app: RunningApp, rasa: FakeRasa) -> None:
    assert app.client.get("/healthz").json() == {"status": "ok"}
    assert app.client.get("/readyz").status_code == 200
    rasa.status = 503
    away = app.client.get("/readyz")
    assert away.status_code == 503
    assert away.json()["type"] == "/problems/unavailable"
    assert "Rasa" in away.json()["detail"]
    rasa.stop()
    assert app.client.get("/readyz").status_code == 503
    assert app.client.get("/healthz").status_code == 200
    rasa.restart()
