"""The first account, and the pages one sees before one is logged in."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser
from sqlalchemy import Engine
from starlette.testclient import TestClient

from rapport.console.desk import COOKIE
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import Settings
from rapport.staff import accounts, repository, rules, service
from tests.browser import assert_accessible
from tests.console.client import PASSWORD, add_staff, readable
from tests.running import RunningApp

FIELDS = {"email": "ann@fjordly.example", "name": "Ann", "password": PASSWORD, "language": "nb"}


def guest(app: FastAPI, language: str = "en") -> TestClient:
    client = TestClient(app, base_url="http://localhost", follow_redirects=False)
    client.headers.update({"Accept": "text/html", "Accept-Language": language})
    return client


def link(settings: Settings) -> str:
    return accounts.welcome_link(settings).partition(str(settings.port))[2]


def test_from_the_link_to_the_console(app: FastAPI, engine: Engine, settings: Settings) -> None:
    client = guest(app, "ro-RO")
    assert "rapport staff add" in client.get("/console/login").text
    address = link(settings)
    assert '<option value="ro" selected' in client.get(address).text
    fields = {**FIELDS, "token": address.partition("=")[2]}
    wrong = client.post("/console/welcome", data={**fields, "password": "ann@fjordly.example"})
    assert wrong.status_code == 422
    assert "Parola nu poate fi numele sau adresa ta." in readable(wrong.text)
    assert 'value="ann@fjordly.example"' in wrong.text
    assert PASSWORD not in wrong.text
    made = client.post("/console/welcome", data=fields)
    assert (made.status_code, made.headers["location"]) == (303, "/console/")
    assert '<html lang="nb">' in client.get("/console/account").text
    assert "rapport staff add" not in client.get("/console/login").text
    for again in (guest(app).get(address), guest(app).post("/console/welcome", data=fields)):
        assert again.status_code == 401
        assert COOKIE not in again.cookies
    with read_scope(engine) as session:
        assert [(staff.role, staff.name) for staff in repository.everybody(session)] == [("admin", "Ann")]


def test_the_link_is_good_for_a_while_and_signed(app: FastAPI, settings: Settings) -> None:
    address = link(settings)
    for wrong in ("/console/welcome", "/console/welcome?token=x", address[:-2], address + "x" * 5000):
        assert guest(app).get(wrong).status_code == 401
    with clock.freeze(clock.now() + rules.WELCOME_LIFE):
        assert guest(app).get(address).status_code == 401
    assert guest(app).get(address.replace("welcome", "password")).status_code == 401
    assert guest(app).get(address).status_code == 200


def test_no_link_opens_what_another_is_for(app: FastAPI, engine: Engine, settings: Settings) -> None:
    with session_scope(engine) as session:
        staff = service.create(session, "ann@fjordly.example", "Ann", "agent")
        invitation = accounts.invite(session, settings, None, staff).partition("?token=")[2]
    assert guest(app).get("/console/password", params={"token": invitation}).status_code == 200
    assert guest(app).get("/console/welcome", params={"token": invitation}).status_code == 401


@pytest.mark.parametrize(("dark", "width"), [(False, 375), (True, 1280)])
def test_the_ways_in_are_accessible(
    running: RunningApp, browser: Browser, sqlite_engine: Engine, settings: Settings, dark: bool, width: int
) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
    )
    blocked: list[str] = []
    page.on("console", lambda said: blocked.append(said.text) if "Content Security" in said.text else None)

    def look(path: str, heading: str) -> None:
        page.goto(running.url + path)
        assert page.locator("h1").inner_text() == heading
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    look("/console/login", "Log in")
    look("/console/forgot", "Forgot your password?")
    look(link(settings), "Welcome")
    page.fill("input[name=password]", PASSWORD)
    page.click("text=Show the password")
    assert page.locator("input[name=password]").get_attribute("type") == "text"
    page.fill("input[name=name]", "Ann")
    page.fill("input[name=email]", "ann@fjordly.example")
    page.click("button.primary")
    page.wait_for_selector("text=Log out")
    with session_scope(sqlite_engine) as session:
        staff = service.create(session, "bo@fjordly.example", "Bo", "agent")
        path = accounts.invite(session, settings, None, staff).partition(str(settings.port))[2]
    look(path, "Welcome, Bo")
    look("/console/password?token=x", "This link does not work")
    page.close()
    assert blocked == []


def test_what_is_typed_is_shown_and_not_run(app: FastAPI, engine: Engine) -> None:
    add_staff(engine, "agent")
    hostile = '"><script>alert(1)</script>'
    for path, fields in (
        ("/console/forgot", {"email": hostile}),
        ("/console/login", {"email": hostile, "password": "x", "next": hostile}),
    ):
        answer = guest(app).post(path, data=fields)
        assert "<script>alert" not in answer.text
        assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text)
