"""The document of the shop API is true: schemathesis makes up requests from it and finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from rapport.kit.settings import ROOT, Settings
from tests.api.conftest import BASE, new_key
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def app(settings: Settings, sqlite_engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    running = RunningApp(settings, sqlite_engine, rasa)
    yield running
    running.stop()


def schemathesis(app: RunningApp, key: str, *options: str) -> str:
    """Runs it against the app; its report, which is empty when it found nothing."""
    command = [sys.executable, "-W", "ignore", "-m", "schemathesis.cli", "--config-file", str(CONFIG)]
    command += ["run", f"{app.url}{BASE}/openapi.json", "--generation-deterministic", "--no-color"]
    done = subprocess.run(
        [*command, "--checks", "all", *options],
        env=os.environ
        | {"SCHEMATHESIS_HOOKS": "tests.api.fresh_keys", "PYTHONPATH": str(ROOT), "SHOP_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_with_a_key(app: RunningApp, settings: Settings, sqlite_engine: Engine) -> None:
    key = new_key(settings, sqlite_engine, "fuzzer")
    found = schemathesis(app, key, "--max-time", "40")
    assert not found, found


def test_without_a_key(app: RunningApp) -> None:
    found = schemathesis(app, "none", "--max-time", "5")
    assert not found, found


def test_every_address_is_described(app: RunningApp) -> None:
    document = app.client.get(f"{BASE}/openapi.json").json()
    described = sorted(
        f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations
    )
    assert described == [
        "GET /customers/{customer}/points",
        "GET /customers/{customer}/value",
        "POST /coupons/{code}/check",
        "POST /coupons/{code}/hold",
        "POST /coupons/{code}/redeem",
        "POST /coupons/{code}/release",
        "POST /coupons/{code}/rollback",
        "POST /orders/events",
        "POST /points/burn",
        "POST /points/capture",
        "POST /points/earn",
        "POST /points/hold",
        "POST /points/release",
    ]
    assert document["servers"] == [{"url": BASE}]
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["security"] == [{"API key": []}]
            assert operation["summary"]
            assert operation["description"]


def test_what_a_field_means_is_said(app: RunningApp) -> None:
    schemas = app.client.get(f"{BASE}/openapi.json").json()["components"]["schemas"]
    assert schemas["Placed"]["examples"]
    assert [
        name for name, schema in schemas.items() if "properties" in schema and not schema.get("description")
    ] == []
