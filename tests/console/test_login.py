"""Logging in: who gets in, who does not, and what a stolen or foreign page can do."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, event, select
from starlette.testclient import TestClient

from rapport.app import create_app
from rapport.console.desk import COOKIE, next_path
from rapport.console.login import KNOWN_BROWSER_COOKIE, TRIES_PER_ACCOUNT, TRIES_PER_ADDRESS
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import InvalidInputError, TooManyRequestsError, UnauthorizedError
from rapport.kit.settings import Settings
from rapport.staff import rules, service
from rapport.staff.models import AuditEvent, Staff, StaffSession
from tests.console.client import PASSWORD, StaffClient, add_staff, address, readable
from tests.console.conftest import Logged


def visitor(app: FastAPI) -> TestClient:
    client = TestClient(app, base_url="http://localhost", follow_redirects=False)
    client.headers["Accept"] = "text/html"
    return client


def try_to_log_in(client: TestClient, email: str, password: str, **more: str) -> int:
    return client.post("/console/login", data={"email": email, "password": password, **more}).status_code


def test_a_stranger_is_asked_to_log_in_and_then_gets_where_they_wanted(app: FastAPI, engine: Engine) -> None:
    add_staff(engine, "agent")
    client = visitor(app)
    sent = client.get("/console/account")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/console/login?next=/console/account"
    assert 'name="next" value="/console/account"' in client.get(sent.headers["location"]).text
    answer = client.post(
        "/console/login",
        data={"email": " Agent@Fjordly.example ", "password": PASSWORD, "next": "/console/account"},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/account")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/console" in cookie


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("agent@fjordly.example", "wrong words altogether"),
        ("nobody@fjordly.example", PASSWORD),
        ("agent@fjordly.example", ""),
        ("", ""),
        ("agent@fjordly.example", PASSWORD + "x" * 100_00),
        ("agent@fjordly.example\0x", PASSWORD),
    ],
)
def test_wrong_ones_are_refused_alike(app: FastAPI, engine: Engine, email: str, password: str) -> None:
    add_staff(engine, "agent")
    client = visitor(app)
    answer = client.post("/console/login", data={"email": email, "password": password})
    assert answer.status_code == 401
    assert "The address or the password is wrong." in readable(answer.text)
    assert COOKIE not in client.cookies


def test_somebody_switched_off_is_out_at_once(app: FastAPI, engine: Engine, log_in: Logged) -> None:
    agent = log_in("agent")
    with session_scope(engine) as session:
        session.scalars(select(Staff)).one().disabled_at = clock.now()
    assert agent.http.get("/console/account", follow_redirects=False).status_code == 303
    assert try_to_log_in(visitor(app), address("agent"), PASSWORD) == 401


def test_passwords_are_kept_as_argon2id(engine: Engine) -> None:
    add_staff(engine, "agent")
    with read_scope(engine) as session:
        kept = session.scalars(select(Staff.password_hash)).one()
    assert kept is not None
    assert kept.startswith("$argon2id$")


def test_guessing_is_throttled_for_the_account_and_recovers(app: FastAPI, engine: Engine) -> None:
    add_staff(engine, "agent")
    client = visitor(app)
    for _ in range(TRIES_PER_ACCOUNT):
        assert try_to_log_in(client, address("agent"), "wrong words altogether") == 401
    throttled = client.post("/console/login", data={"email": address("agent"), "password": PASSWORD})
    assert throttled.status_code == 429
    assert int(throttled.headers["Retry-After"]) > 0
    assert "Too many tries" in readable(throttled.text)
    add_staff(engine, "manager")
    assert try_to_log_in(client, address("manager"), PASSWORD) == 303, "another account is not held up"


def test_a_login_makes_a_new_cookie_and_ends_the_old(app: FastAPI, engine: Engine) -> None:
    """No fixation: what a browser had before, perhaps planted there, is worth nothing afterwards."""
    add_staff(engine, "agent")
    client = visitor(app)
    client.cookies.set(COOKIE, "planted", path="/console")
    assert try_to_log_in(client, address("agent"), PASSWORD) == 303
    first = next(c.value for c in client.cookies.jar if c.name == COOKIE and c.value != "planted")
    assert first
    client.cookies.clear()
    client.cookies.set(COOKIE, first, path="/console")
    assert try_to_log_in(client, address("agent"), PASSWORD) == 303
    client.cookies.clear()
    client.cookies.set(COOKIE, first, path="/console")
    assert client.get("/console/account").status_code == 303


def test_only_a_hash_of_the_cookie_is_kept(engine: Engine, log_in: Logged) -> None:
    agent = log_in("agent")
    token = agent.http.cookies.get(COOKIE)
    with read_scope(engine) as session:
        assert token not in session.scalars(select(StaffSession.token_hash)).all()


@pytest.mark.parametrize("gone", [rules.IDLE, rules.LONGEST_SESSION])
def test_a_login_ends_by_time(log_in: Logged, gone: timedelta) -> None:
    agent = log_in("agent")
    step = rules.IDLE - timedelta(minutes=1)
    start = clock.now()
    at = start
    while gone == rules.LONGEST_SESSION and at - start + step < gone:  # in use all the time
        at += step
        with clock.freeze(at):
            assert agent.http.get("/console/account", follow_redirects=False).status_code == 200
    with clock.freeze(start + gone + timedelta(minutes=2)):
        assert agent.http.get("/console/account", follow_redirects=False).status_code == 303


def test_logging_out_ends_it(log_in: Logged) -> None:
    agent = log_in("agent")
    token = agent.http.cookies[COOKIE]
    assert agent.post("/console/logout").url.path == "/console/login"
    agent.http.cookies.set(COOKIE, token, path="/console")
    assert agent.http.get("/console/account", follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ],
)
def test_another_sites_page_can_do_nothing(app: FastAPI, log_in: Logged, headers: dict[str, str]) -> None:
    agent = log_in("agent")
    fields = {"csrf": agent.csrf, "name": "Evil", "language": "en"}
    assert agent.http.post("/console/account", data=fields, headers=headers).status_code == 403
    client = visitor(app)
    assert try_to_log_in(client, address("agent"), PASSWORD) == 303
    client.headers.update(headers)
    assert try_to_log_in(client, address("agent"), PASSWORD) == 403, "nor log somebody in as another"


@pytest.mark.parametrize("csrf", [None, "", "0" * 64])
def test_a_form_needs_the_token_of_its_own_page(log_in: Logged, csrf: str | None) -> None:
    agent = log_in("agent")
    fields = {"name": "Evil", "language": "en"} | ({} if csrf is None else {"csrf": csrf})
    assert agent.http.post("/console/account", data=fields).status_code == 403
    assert "Evil" not in agent.text("/console/account")


def test_the_token_belongs_to_one_login(log_in: Logged) -> None:
    agent, manager = log_in("agent"), log_in("manager")
    assert manager.csrf != agent.csrf
    fields = {"csrf": manager.csrf, "name": "Evil", "language": "en"}
    assert agent.http.post("/console/account", data=fields).status_code == 403


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("/console/cases?open=1", "/console/cases?open=1"),
        ("/console/", "/console/"),
        ("", "/console/"),
        (None, "/console/"),
        ("https://evil.example/console/", "/console/"),
        ("//evil.example/console/", "/console/"),
        ("/\\evil.example/console/", "/console/"),
        ("/console/\\evil", "/console/"),
        ("/demo", "/console/"),
        ("/console/login?next=/console/login", "/console/"),
    ],
)
def test_nobody_is_sent_elsewhere_after_logging_in(wanted: str | None, expected: str) -> None:
    assert next_path(wanted) == expected


def test_pages_run_no_foreign_script_and_sit_in_no_frame(log_in: Logged) -> None:
    agent = log_in("agent")
    answer = agent.get("/console/account")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", answer.text)


def test_the_account_in_every_language(log_in: Logged, engine: Engine) -> None:
    agent = log_in("agent", "nb")
    assert '<html lang="nb">' in agent.page("/console/account")
    answer = agent.post("/console/account", name="  Ada   Lovelace ", language="ro")
    assert answer.status_code == 200
    assert '<html lang="ro">' in answer.text
    assert "Ada Lovelace" in answer.text
    with read_scope(engine) as session:
        actions = session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert actions == ["log in", "change account"]


@pytest.mark.parametrize("name", ["", " ", "x" * 121, "a\u202eb"])
def test_a_name_must_be_one(log_in: Logged, name: str) -> None:
    agent = log_in("agent")
    assert agent.post("/console/account", name=name, language="en").status_code == 422


def test_a_new_password_logs_out_all_other_browsers(app: FastAPI, log_in: Logged) -> None:
    agent = log_in("agent")
    elsewhere = StaffClient(app, address("agent"))
    new = "another four words entirely"
    refused = agent.post("/console/account/password", current="wrong", password=new)
    assert refused.status_code == 422
    assert "The current password is wrong." in readable(refused.text)
    assert agent.post("/console/account/password", current=PASSWORD, password="short").status_code == 422
    answer = agent.post("/console/account/password", current=PASSWORD, password=new)
    assert answer.url.path == "/console/account"
    assert elsewhere.http.get("/console/account", follow_redirects=False).status_code == 303
    assert try_to_log_in(visitor(app), address("agent"), PASSWORD) == 401
    assert try_to_log_in(visitor(app), address("agent"), new) == 303


@pytest.mark.parametrize("password", ["a" * 20, "agent@fjordly.example", "short", "x" * 201])
def test_passwords_that_are_easily_guessed_are_refused(password: str) -> None:
    with pytest.raises(InvalidInputError):
        rules.checked_password(password, "agent@fjordly.example", "Ada Agent")


def test_an_unknown_page_is_a_page(log_in: Logged) -> None:
    answer = log_in("agent").get("/console/no-such-page")
    assert answer.status_code == 404
    assert "There is no such page" in readable(answer.text)


def test_who_guesses_keeps_nobody_out_of_their_own_browser(app: FastAPI, engine: Engine) -> None:
    add_staff(engine, "agent")
    own, elsewhere = visitor(app), visitor(app)
    assert try_to_log_in(own, address("agent"), PASSWORD) == 303
    for _ in range(TRIES_PER_ACCOUNT):
        try_to_log_in(elsewhere, address("agent"), "wrong words altogether")
    assert try_to_log_in(elsewhere, address("agent"), PASSWORD) == 429
    assert try_to_log_in(own, address("agent"), PASSWORD) == 303
    stolen = own.cookies[KNOWN_BROWSER_COOKIE]
    elsewhere.cookies.set(KNOWN_BROWSER_COOKIE, "x" + stolen, path="/console")
    assert try_to_log_in(elsewhere, address("agent"), PASSWORD) == 429, "made up"
    add_staff(engine, "manager")
    for _ in range(TRIES_PER_ACCOUNT):
        try_to_log_in(own, address("manager"), "wrong words altogether")
    assert try_to_log_in(own, address("manager"), PASSWORD) == 429, "it is good for its own account"


def test_one_network_address_tries_only_so_many_accounts(app: FastAPI, engine: Engine) -> None:
    client = visitor(app)
    for number in range(TRIES_PER_ADDRESS):
        assert try_to_log_in(client, f"somebody{number}@fjordly.example", "wrong words altogether") == 401
    assert try_to_log_in(client, "another@fjordly.example", "wrong words altogether") == 429


def test_nothing_is_locked_while_a_password_is_checked(
    settings: Settings, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite a transaction that is open would hold up every chat for as long as the hash takes."""
    app = create_app(settings, sqlite_engine)
    add_staff(sqlite_engine, "agent")
    checked: list[int] = []

    def verify(staff: Staff | None, password: str) -> Staff:
        checked.append(sqlite_engine.pool.checkedout())  # type: ignore[attr-defined]
        raise UnauthorizedError(service.WRONG)

    monkeypatch.setattr(service, "verify", verify)
    assert try_to_log_in(visitor(app), address("agent"), PASSWORD) == 401
    assert checked == [0]


def test_only_a_few_passwords_are_checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes 64 MiB."""
    monkeypatch.setattr(service, "LONGEST_WAIT_SECONDS", 0)
    monkeypatch.setattr(service, "_hashing", threading.BoundedSemaphore(1))
    assert service.hashed(PASSWORD, "a@b.no", "Ann").startswith("$argon2id$")
    with service._one_of_few(), pytest.raises(TooManyRequestsError):
        service.verify(None, PASSWORD)


def test_what_was_refused_is_in_the_audit_log(app: FastAPI, engine: Engine) -> None:
    add_staff(engine, "agent")
    for email in (address("agent"), "nobody@fjordly.example"):
        try_to_log_in(visitor(app), email, "wrong words altogether")
    with read_scope(engine) as session:
        noted = session.execute(select(AuditEvent.action, AuditEvent.subject_id)).all()
        known = session.scalars(select(Staff.id)).one()
    assert [tuple(row) for row in noted] == [("refuse log in", str(known)), ("refuse log in", None)]


def test_wrong_addresses_take_as_long_as_wrong_passwords(
    app: FastAPI, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in hashes and statements, which is where the time goes."""
    add_staff(engine, "agent")
    done: list[list[str]] = []
    hasher = service._hasher

    class Counting:
        def hash(self, password: str) -> str:
            return hasher.hash(password)

        def verify(self, known: str, password: str) -> bool:
            done[-1].append("hash")
            return hasher.verify(known, password)

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        done[-1].append(statement)

    monkeypatch.setattr(service, "_hasher", Counting())
    event.listen(engine, "before_cursor_execute", note)
    for email in (address("agent"), "nobody@fjordly.example"):
        done.append([])
        try_to_log_in(visitor(app), email, "wrong words altogether")
    event.remove(engine, "before_cursor_execute", note)
    assert done[0] == done[1]
    assert done[0].count("hash") == 1
