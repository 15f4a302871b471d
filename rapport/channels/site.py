"""What a browser needs beside the APIs: our scripts, and a page to try them on."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlalchemy import Engine
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from rapport.kit import languages, problems
from rapport.kit.database import read_scope
from rapport.kit.format import money
from rapport.kit.settings import ROOT
from rapport.shop import repository

WIDGET = ROOT / "web" / "widget.js"
SITE_SCRIPT = ROOT / "web" / "site.js"
DEMO = ROOT / "web" / "demo"
MAX_PRODUCTS = 200
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
BARE_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Rapport</title>
<h1>Rapport is running</h1>
<p>To put the chat on a page, add this line to it:</p>
<pre>&lt;script src="{url}widget.js" defer&gt;&lt;/script&gt;</pre>
<p>The chat is on this page as well.
<a href="/readyz">Is everything ready?</a> <a href="/openapi.json">The API</a></p>
<script src="/widget.js" defer></script>
</html>
"""


@dataclass(frozen=True)
class _Content:
    """A script as it is sent; `changed` is its file's time when it was read."""

    changed: int
    plain: bytes
    packed: bytes
    etag: str


class Script:
    """A script of ours, compressed once; a changed file is read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._script: _Content | None = None

    def respond(self, request: Request) -> Response:
        script = self._read()
        packed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {
            "ETag": script.etag,
            "Cache-Control": "public, max-age=300",
            "Vary": "Accept-Encoding",
            # Pages of other sites may use it, also isolated ones.
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        if script.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = script.packed if packed else script.plain
        return Response(body, headers=headers, media_type="text/javascript; charset=utf-8")

    def _read(self) -> _Content:
        changed = self._path.stat().st_mtime_ns
        if self._script is None or self._script.changed != changed:
            plain = self._path.read_bytes()
            # Weak, as the compressed and the plain form share it.
            etag = f'W/"{hashlib.sha256(plain).hexdigest()[:20]}"'
            self._script = _Content(changed, plain, gzip.compress(plain, 9, mtime=0), etag)
        return self._script


class DemoFiles(StaticFiles):
    """The demo shop's files; browsers ask each time whether they have changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        response.headers["Cache-Control"] = "no-cache"
        return response


def page(demo: bool, url: str = "/") -> Response:
    """The demo shop's page, or one that says how to put the chat on a page of one's own."""
    if demo:
        content = (DEMO / "index.html").read_text(encoding="utf-8")
    else:
        content = BARE_PAGE.replace("{url}", escape(url))
    headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
    return HTMLResponse(content, headers=headers)


def router(database: Engine, demo: bool) -> APIRouter:
    """Our scripts; with the demo shop its products, without it a page that says how to go on."""
    routes = APIRouter()
    widget, site_script = Script(WIDGET), Script(SITE_SCRIPT)

    @routes.get("/widget.js", include_in_schema=False)
    async def script(request: Request) -> Response:
        return widget.respond(request)

    @routes.get("/site.js", include_in_schema=False)
    async def for_site(request: Request) -> Response:
        return site_script.respond(request)

    @routes.get("/", include_in_schema=False)
    def root(request: Request) -> Response:
        return page(demo, str(request.base_url))

    if demo:
        _add_products(routes, database)
    return routes


def _add_products(routes: APIRouter, database: Engine) -> None:
    def read(language: str) -> list[dict[str, Any]]:
        with read_scope(database) as session:
            return [
                {
                    "sku": product.sku,
                    "category": product.category,
                    "name": text.name,
                    "description": text.description,
                    "price": money(product.price_minor, product.currency, language),
                    "image": product.image,
                    "url": product.url,
                    "sold_out": product.stock == 0,
                }
                for product, text in repository.products_in(session, language, MAX_PRODUCTS)
            ]

    @routes.get(
        "/api/demo/products",
        tags=["demo"],
        summary="The demo shop's products",
        responses=problems.documented(422, 503),
    )
    async def products(
        language: Annotated[str, Query(max_length=35, description="en, es, nb or ro; else English.")] = "en",
    ) -> JSONResponse:
        spoken = languages.normalise(language) or languages.DEFAULT_LANGUAGE
        return JSONResponse({"language": spoken, "products": await to_thread.run_sync(read, spoken)})
