"""The page of accounts: what an administrator does there, and what the rules forbid."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, select
from starlette.testclient import TestClient

from rapport.conversations.models import Conversation
from rapport.kit.database import read_scope, session_scope
from rapport.outreach.models import OutboxMessage
from rapport.staff import repository
from rapport.staff.models import AuditEvent, Staff
from tests.browser import assert_accessible
from tests.console.client import PASSWORD, StaffClient, add_staff, address, readable
from tests.console.conftest import Logged, OpenPage
from tests.console.talks import talk


def staff_of(engine: Engine, email: str) -> Staff:
    with read_scope(engine) as session:
        found = repository.by_email(session, email)
        session.expunge_all()
    assert found is not None
    return found


def link_in(html: str) -> str:
    found = re.search(r'id="link" value="http://127\.0\.0\.1:\d+(/console/password\?token=[\w.-]+)"', html)
    assert found
    return found[1]


def test_inviting_somebody_until_they_are_in(app: FastAPI, engine: Engine, log_in: Logged) -> None:
    admin = log_in("admin", "nb")
    invited = {"email": "Ola@Fjordly.example", "name": "Ola", "role": "manager", "language": "es"}
    answer = admin.post("/console/staff", **invited)
    assert answer.status_code == 200
    link = link_in(answer.text)
    assert "token" not in admin.page("/console/staff"), "it is shown this once"
    with read_scope(engine) as session:
        mail = session.scalars(select(OutboxMessage)).one()
        told = (mail.recipient, mail.language, mail.subject)
    assert told == ("ola@fjordly.example", "es", "Tu cuenta en Fjordly")
    guest = TestClient(app, base_url="http://localhost", headers={"Accept": "text/html"})
    page = guest.get(link)
    assert '<html lang="es">' in page.text
    fields = {"token": link.partition("=")[2], "name": "Ola Nordmann", "language": "ro", "password": "short"}
    again = guest.post("/console/password", data=fields)
    assert again.status_code == 422
    assert 'value="Ola Nordmann"' in again.text
    fields["password"] = PASSWORD
    assert guest.post("/console/password", data=fields, follow_redirects=False).status_code == 303
    assert '<html lang="ro">' in guest.get("/console/account").text
    assert guest.get(link).status_code == 401, "a link works once"
    assert guest.post("/console/password", data=fields).status_code == 401
    assert StaffClient(app, "ola@fjordly.example").get("/console/staff").status_code == 403
    with read_scope(engine) as session:
        noted = session.scalars(select(AuditEvent.action).where(AuditEvent.subject == "staff")).all()
    assert {"create account", "invite", "choose password"} <= set(noted)


@pytest.mark.parametrize(
    "wrong", [{"email": "nonsense"}, {"name": " "}, {"role": "owner"}, {"email": "Admin@fjordly.example"}]
)
def test_a_wrong_invitation_is_shown_again(log_in: Logged, engine: Engine, wrong: dict[str, str]) -> None:
    admin = log_in("admin")
    fields = {"email": "new@fjordly.example", "name": "New <b>One</b>", "role": "agent", "language": "en"}
    answer = admin.post("/console/staff", **{**fields, **wrong})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "<b>One</b>" not in answer.text
    with read_scope(engine) as session:
        assert repository.count(session) == 1


def test_roles_change_at_once_and_nobody_changes_their_own(log_in: Logged, engine: Engine) -> None:
    admin, agent = log_in("admin"), log_in("agent")
    one, me = staff_of(engine, address("agent")).id, staff_of(engine, address("admin")).id
    assert agent.get("/console/staff").status_code == 403
    assert admin.post(f"/console/staff/{one}/role", role="admin").status_code == 200
    assert "Ada Agent" in agent.text("/console/staff")
    refused = admin.post(f"/console/staff/{me}/role", role="agent")
    assert refused.status_code == 403
    assert "Nobody changes their own role." in readable(refused.text)
    assert admin.post(f"/console/staff/{me}/off").status_code == 403
    assert admin.post(f"/console/staff/{one}/role", role="owner").status_code == 409
    assert admin.post("/console/staff/999/role", role="agent").status_code == 404
    assert admin.post(f"/console/staff/{one}/role", role="agent").status_code == 200
    assert agent.get("/console/staff").status_code == 403


def test_switching_off_and_logging_out_take_effect_at_once(
    app: FastAPI, log_in: Logged, engine: Engine
) -> None:
    admin, agent = log_in("admin"), log_in("agent")
    one = staff_of(engine, address("agent")).id

    def is_in() -> bool:
        return agent.http.get("/console/account", follow_redirects=False).status_code == 200

    admin.post(f"/console/staff/{one}/logout")
    assert not is_in()
    agent.log_in(address("agent"), PASSWORD)
    assert is_in()
    admin.post(f"/console/staff/{one}/off")
    assert not is_in()
    assert "switched off" in admin.text("/console/staff")
    assert admin.post(f"/console/staff/{one}/invitation").status_code == 409
    admin.post(f"/console/staff/{one}/on")
    assert not is_in(), "an old cookie does not come to life again"
    agent.log_in(address("agent"), PASSWORD)
    assert is_in()


def test_a_forgotten_password(app: FastAPI, engine: Engine) -> None:
    add_staff(engine, "agent")
    guest = TestClient(app, base_url="http://localhost", headers={"Accept": "text/html"})
    said = [
        readable(guest.post("/console/forgot", data={"email": email}).text).replace(email, "…")
        for email in (address("agent"), "nobody@fjordly.example", "nonsense")
    ]
    assert len(set(said)) == 1
    with read_scope(engine) as session:
        mail = session.scalars(select(OutboxMessage).where(OutboxMessage.status == "queued")).one()
        recipient, text = mail.recipient, mail.text or ""
    assert recipient == address("agent")
    link = re.search(r"/console/password\?token=([\w.-]+)", text)
    assert link
    assert "Choose a new password" in guest.get(link[0]).text
    new = "another four words entirely"
    fields = {"token": link[1], "name": "Ada", "language": "en", "password": new}
    assert guest.post("/console/password", data=fields, follow_redirects=False).status_code == 303
    StaffClient(app, address("agent"), new)


def test_asking_for_links_is_throttled_whoever_it_is(app: FastAPI, engine: Engine) -> None:
    add_staff(engine, "agent")
    guest = TestClient(app, base_url="http://localhost")
    for email in (address("agent"), "nobody@fjordly.example"):
        statuses = [guest.post("/console/forgot", data={"email": email}).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]


def test_foreign_pages_cannot_send_these_forms(app: FastAPI) -> None:
    guest = TestClient(app, base_url="http://localhost", headers={"Origin": "https://evil.example"})
    for path in ("forgot", "welcome", "password"):
        assert guest.post(f"/console/{path}", data={"email": "a@b.no"}).status_code == 403


@pytest.mark.parametrize(("dark", "width"), [(False, 375), (True, 1280)])
def test_the_page_is_accessible(open_page: OpenPage, sqlite_engine: Engine, dark: bool, width: int) -> None:
    with session_scope(sqlite_engine) as session:
        session.add(
            Staff(email="<script>@x.no", name="<img src=x onerror=alert(1)>", role="agent", language="en")
        )
    page = open_page("admin", "/console/staff", width=width, dark=dark)
    page.click("summary")
    assert_accessible(page)
    page.fill("form.card input[name=name]", "Ola Nordmann")
    page.fill("form.card input[name=email]", "ola@fjordly.example")
    page.click("form.card button.primary")
    page.wait_for_selector("#link")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_somebody_had_who_is_switched_off_waits_for_a_colleague(log_in: Logged, engine: Engine) -> None:
    admin, agent = log_in("admin"), log_in("agent")
    conversation = talk(engine, ("customer", "help"))
    agent.post(f"/console/conversations/{conversation}/take")
    admin.post(f"/console/staff/{staff_of(engine, address('agent')).id}/off")
    with read_scope(engine) as session:
        found = session.get_one(Conversation, conversation)
        assert (found.status, found.assigned_to) == ("waiting", None)
