"""Receiving the webhooks of shops: proven, stored, acknowledged, and only then applied.

A shop's address exists only with its secret in the settings. The signature is that of the raw body, checked
before anything of it is read.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import SecretStr
from sqlalchemy import Engine
from starlette.background import BackgroundTask

from rapport.connectors import repository, tasks
from rapport.connectors.shops import SHOPIFY, WOOCOMMERCE, Shop
from rapport.kit import clock, problems
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings

# An order of some hundred lines; the shops themselves send no more than this.
MAX_BODY_BYTES = 2 * 1024 * 1024
PATH = "/webhooks/"
# WooCommerce asks whether an address is there before it has anything to sign.
PING = re.compile(rb"webhook_id=[0-9]{1,20}")
LONGEST_ID, LONGEST_TOPIC, LONGEST_SENDER = 120, 60, 200


def router(settings: Settings, database: Engine) -> APIRouter:
    """`/webhooks/<shop>` for each shop whose secret is set."""
    routes = APIRouter(prefix="/webhooks", include_in_schema=False)
    if secret := _secret(settings.woocommerce_secret):
        _add(routes, WOOCOMMERCE, secret, "", database)
    if secret := _secret(settings.shopify_secret):
        _add(routes, SHOPIFY, secret, settings.shopify_shop.strip().lower(), database)
    return routes


def signature(secret: bytes, body: bytes) -> str:
    """What a shop that knows the secret sends with this body."""
    return base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest()).decode()


def is_signed(secret: bytes, body: bytes, given: str) -> bool:
    """Whether a signature is right; takes as long when it is not."""
    return hmac.compare_digest(signature(secret, body).encode(), given.encode("latin-1", "replace"))


def _secret(setting: SecretStr | None) -> bytes:
    return setting.get_secret_value().encode() if setting else b""


def _add(routes: APIRouter, shop: Shop, secret: bytes, sender: str, database: Engine) -> None:
    """The address of one kind of shop. `sender` is the only one whose deliveries are taken; any, if empty."""

    def store(request: Request, body: bytes) -> int | None:
        digest = hashlib.sha256(body).hexdigest()
        headers = request.headers
        with session_scope(database) as session:
            return repository.add_delivery(
                session,
                source=shop.source,
                delivery_id=_line(headers.get(shop.delivery, ""), LONGEST_ID) or digest,
                digest=digest,
                topic=_line(headers.get(shop.topic, ""), LONGEST_TOPIC),
                sender=_line(headers.get(shop.sender, ""), LONGEST_SENDER) or None,
                body=body,
                next_try_at=clock.now(),
            )

    @routes.post(f"/{shop.source}")
    async def receive(request: Request) -> Response:
        body = await request.body()
        given = request.headers.get(shop.signature)
        if given is None and shop is WOOCOMMERCE and PING.fullmatch(body):
            return JSONResponse({"status": "pong"})
        if given is None or not is_signed(secret, body, given):
            return problems.problem("unauthorized", "The signature is not that of this body.")
        if sender and request.headers.get(shop.sender, "").strip().lower() != sender:
            return problems.problem("unauthorized", "This is not the shop whose webhooks are taken.")
        delivery_id = await to_thread.run_sync(store, request, body)
        if delivery_id is None:
            return JSONResponse({"status": "repeated"})
        return JSONResponse(
            {"status": "received"}, background=BackgroundTask(tasks.apply_delivery, database, delivery_id)
        )


def _line(text: str, longest: int) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:longest].strip()
