"""Who may use which route: looked up at the routes themselves, and tried at each of them.

A route that asks for no permission stands in one of the two lists below, with its reason, or this fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import Engine
from starlette.routing import BaseRoute, Mount
from starlette.testclient import TestClient

from rapport.console.app import PAGES
from rapport.console.desk import Allowed, signed_in
from rapport.staff.rules import May, may
from tests.console.client import ROLES, StaffClient, add_staff, address

# Without an account: how one gets in.
ANYBODY = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/welcome"),
    ("POST", "/welcome"),
    ("GET", "/password"),
    ("POST", "/password"),
    ("GET", "/forgot"),
    ("POST", "/forgot"),
    ("GET", "/openid"),
    ("GET", "/openid/back"),
}
# With any account: what is one's own.
EVERYBODY = {
    ("GET", "/"),
    ("POST", "/logout"),
    ("GET", "/account"),
    ("POST", "/account"),
    ("POST", "/account/password"),
}


@dataclass(frozen=True)
class Way:
    """One method of one route: whether it asks who somebody is (`login`), and for which permission if any."""

    method: str
    path: str
    login: bool
    permission: May | None

    @property
    def address(self) -> str:
        return "/console" + re.sub(r"\{[^}]+\}", "1", self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def ways(routes: list[BaseRoute]) -> Iterator[Way]:
    for route in routes:
        if isinstance(route, APIRoute):
            asked = list(dependencies(route.dependant))
            permissions = [call.permission for call in asked if isinstance(call, Allowed)]
            for method in sorted(route.methods):
                yield Way(method, route.path, signed_in in asked, permissions[0] if permissions else None)
        elif isinstance(inner := getattr(route, "original_router", None), APIRouter):
            assert inner.prefix == "", "paths are written out, so that this test finds them"
            yield from ways(inner.routes)
        else:
            assert isinstance(route, Mount), f"what is {route}?"
            assert route.path == "/static", f"what is {route.path}?"


def dependencies(dependant: Dependant) -> Iterator[object]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from dependencies(inner)


def unguarded(found: list[Way]) -> list[str]:
    """Routes that ask for less than they should."""
    return [
        str(way)
        for way in found
        if way.permission is None
        and (way.method, way.path) not in ANYBODY
        and not (way.login and (way.method, way.path) in EVERYBODY)
    ]


WAYS = [way for page in PAGES for way in ways(page.routes.routes)]
GUARDED = [way for way in WAYS if (way.method, way.path) not in ANYBODY]


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """One database is enough: none of these gets that far."""
    return sqlite_engine


@pytest.fixture
def staffed(app: FastAPI, engine: Engine) -> FastAPI:
    """The app with an account of each role."""
    for role in ROLES:
        add_staff(engine, role)
    return app


def test_every_route_asks_who_may_use_it() -> None:
    assert unguarded(WAYS) == []


def test_every_route_of_the_app_was_looked_at(app: FastAPI) -> None:
    console = next(route for route in app.routes if isinstance(route, Mount) and route.path == "/console")
    assert isinstance(console.app, FastAPI)
    assert set(ways(console.app.routes)) == set(WAYS)
    assert {way.method for way in WAYS} <= {"GET", "POST"}, "other methods need a test of their own"


def test_a_route_without_a_permission_would_be_found() -> None:
    careless = APIRouter()

    @careless.get("/customers/{customer_id}/secrets")
    def _secrets(customer_id: int) -> None: ...

    assert unguarded(list(ways(careless.routes))) == ["GET /customers/{customer_id}/secrets"]


def test_nobody_gets_in_without_logging_in(app: FastAPI) -> None:
    stranger = TestClient(app, base_url="http://localhost", follow_redirects=False)
    for way in GUARDED:
        page = stranger.request(way.method, way.address, headers={"Accept": "text/html"})
        if way.method == "GET":
            assert page.status_code == 303, str(way)
            assert page.headers["location"].startswith("/console/login?next="), str(way)
        else:
            assert page.status_code == 401, str(way)
        assert stranger.request(way.method, way.address, headers={"Accept": "*/*"}).status_code == 401, str(
            way
        )


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_no_further_than_it_may(staffed: FastAPI, role: str) -> None:
    staff = StaffClient(staffed, address(role))
    beyond = [way for way in GUARDED if way.permission is not None and not may(role, way.permission)]
    for way in beyond:
        answer = staff.http.request(way.method, way.address, data=_token(way, staff.csrf))
        assert answer.status_code == 403, f"{role}: {way} gave {answer.status_code}"


def test_every_form_needs_the_token_of_its_page(staffed: FastAPI) -> None:
    admin = StaffClient(staffed, address("admin"))
    for way in GUARDED:
        if way.method == "POST":
            for sent in ({}, {"csrf": "0" * 64}):
                assert admin.http.post(way.address, data=sent).status_code == 403, str(way)
    assert admin.get("/console/account").url.path == "/console/account", "and is still logged in"


def _token(way: Way, csrf: str) -> dict[str, str] | None:
    return {"csrf": csrf} if way.method == "POST" else None
