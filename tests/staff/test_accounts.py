"""Accounts: the first one, links to choose a password, and that an administrator always remains."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    RapportError,
    UnauthorizedError,
)
from rapport.kit.settings import Settings
from rapport.outreach.models import OutboxMessage
from rapport.staff import accounts, links, repository, rules, service
from rapport.staff.models import AuditEvent, Staff, StaffSession

SECRET = "test-secret-key-0123456789-0123456789"
PASSWORD = "four words that nobody guesses"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_hasher", PasswordHasher(time_cost=1, memory_cost=64))


def make(engine: Engine, name: str, role: str = "admin") -> int:
    with session_scope(engine) as session:
        return service.create(session, f"{name}@fjordly.example", name, role, PASSWORD).id


def roles(engine: Engine) -> list[str]:
    with read_scope(engine) as session:
        return [s.role for s in repository.everybody(session) if s.disabled_at is None]


def token_of(link: str) -> str:
    return link.partition("?token=")[2]


def at_once(*work: Callable[[], object]) -> list[Exception]:
    """Runs these in threads of their own, as together as can be; what they raised."""
    raised: list[Exception] = []
    gate = threading.Barrier(len(work))

    def run(one: Callable[[], object]) -> None:
        gate.wait()
        try:
            one()
        except RapportError as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_the_first_account_is_an_administrators_and_the_only_one(engine: Engine, settings: Settings) -> None:
    token = token_of(accounts.welcome_link(settings))

    def claim(name: str) -> Callable[[], object]:
        def work() -> None:
            with session_scope(engine) as session:
                email = f"{name}@fjordly.example"
                accounts.create_first(session, settings, token, email, name, PASSWORD, "nb")

        return work

    raised = at_once(claim("ann"), claim("bo"), claim("cy"))
    assert [type(error) for error in raised] == [UnauthorizedError] * 2
    assert roles(engine) == ["admin"]
    with session_scope(engine) as session, pytest.raises(UnauthorizedError):
        accounts.check_welcome(session, settings, token)


def test_links_are_good_for_one_purpose_and_a_time() -> None:
    token = links.make(SECRET, "welcome", timedelta(hours=1), staff=1)
    assert links.read(SECRET, "welcome", token)["staff"] == 1
    with clock.freeze(clock.now() + timedelta(minutes=61)), pytest.raises(UnauthorizedError):
        links.read(SECRET, "welcome", token)
    for secret, purpose, wrong in [
        (SECRET, "password", token),
        (SECRET + "x", "welcome", token),
        (SECRET, "welcome", token[:-2]),
        (SECRET, "welcome", ""),
        (SECRET, "welcome", "\ud800"),
    ]:
        with pytest.raises(UnauthorizedError):
            links.read(secret, purpose, wrong)


@pytest.mark.parametrize("how", ["demote", "switch off"])
def test_two_administrators_against_each_other_leave_one(engine: Engine, how: str) -> None:
    for _ in range(5):
        ann, bo = make(engine, f"ann{clock.now():%f}"), make(engine, f"bo{clock.now():%f}")
        with session_scope(engine) as session:  # nobody else is one
            for staff in repository.everybody(session):
                if staff.id not in {ann, bo}:
                    staff.role = "agent"

        def act(actor: int, target: int) -> None:
            with session_scope(engine) as session:
                if how == "demote":
                    accounts.change_role(session, actor, target, "agent")
                else:
                    accounts.switch_off(session, actor, target)

        raised = at_once(lambda: act(ann, bo), lambda: act(bo, ann))  # noqa: B023
        assert [type(error) for error in raised] == [ForbiddenError]
        with read_scope(engine) as session:
            assert repository.count_active(session, "admin") == 1


@given(
    admins=st.sets(st.integers(1, 4), max_size=4),
    actor=st.one_of(st.none(), st.integers(1, 4)),
    target=st.integers(1, 4),
    role=st.sampled_from(sorted(rules.ROLES)),
)
def test_whatever_is_allowed_leaves_an_administrator(
    admins: set[int], actor: int | None, target: int, role: str
) -> None:
    for check, left in (
        (
            lambda: rules.check_role_change(actor, target, role, admins),
            admins | {target} if role == "admin" else admins - {target},
        ),
        (lambda: rules.check_switch_off(actor, target, admins), admins - {target}),
    ):
        try:
            check()
        except (ForbiddenError, ConflictError):
            continue
        assert left or not admins
        assert actor is None or (actor in admins and actor != target)


def test_the_last_administrator_stays_also_from_the_command_line(engine: Engine) -> None:
    ann = make(engine, "ann")
    bo = make(engine, "bo", "agent")
    with session_scope(engine) as session:
        for attempt in (
            lambda: accounts.switch_off(session, None, ann),
            lambda: accounts.change_role(session, None, ann, "manager"),
        ):
            with pytest.raises(ConflictError):
                attempt()
        with pytest.raises(ForbiddenError):
            accounts.change_role(session, bo, ann, "agent")
        accounts.change_role(session, None, bo, "admin")
        accounts.switch_off(session, bo, ann)
    assert roles(engine) == ["admin"]


def test_an_invitation_works_once(engine: Engine, settings: Settings) -> None:
    admin = make(engine, "ann")
    with session_scope(engine) as session:
        staff, link = accounts.invite_new(session, settings, admin, "Bo@Fjordly.example", "Bo", "agent", "ro")
        assert rules.state(staff) == "invited"
        mail = session.scalars(select(OutboxMessage)).one()
        assert link in (mail.text or "")
        assert (mail.recipient, mail.language) == ("bo@fjordly.example", "ro")
    token = token_of(link)
    done: list[int] = []

    def use() -> None:
        with session_scope(engine) as session:
            new = service.hashed(PASSWORD, "bo@fjordly.example", "Bo")
            done.append(accounts.accept(session, settings, token, new, "Bo", "es").id)

    assert [type(error) for error in at_once(use, use, use)] == [UnauthorizedError] * 2
    assert done == [staff.id]
    with read_scope(engine) as session:
        assert service.verify(service.known_as(session, "bo@fjordly.example"), PASSWORD).language == "es"


def _invite_again(session: Session, settings: Settings, staff: Staff) -> None:
    accounts.invite(session, settings, None, staff)


def _off_and_on(session: Session, settings: Settings, staff: Staff) -> None:
    accounts.switch_off(session, None, staff.id)
    accounts.switch_on(session, None, staff.id)


@pytest.mark.parametrize(
    "what",
    [
        _invite_again,
        _off_and_on,
        lambda session, settings, staff: accounts.switch_off(session, None, staff.id),
        lambda session, settings, staff: accounts.log_out_everywhere(session, None, staff.id),
        lambda session, settings, staff: service.set_password(session, staff, "x"),
    ],
)
def test_what_makes_earlier_links_worthless(
    engine: Engine, settings: Settings, what: Callable[[Session, Settings, Staff], None]
) -> None:
    bo = make(engine, "bo", "agent")
    with session_scope(engine) as session:
        staff = service.get(session, bo)
        token = token_of(accounts.invite(session, settings, None, staff))
        assert accounts.check_link(session, settings, token).id == bo
        what(session, settings, staff)
        with pytest.raises(UnauthorizedError):
            accounts.check_link(session, settings, token)


def test_somebody_switched_off_gets_no_invitation(engine: Engine, settings: Settings) -> None:
    make(engine, "ann")
    bo = make(engine, "bo", "agent")
    with session_scope(engine) as session:
        staff = accounts.switch_off(session, None, bo)
        with pytest.raises(ConflictError):
            accounts.invite(session, settings, None, staff)


def test_switching_off_ends_all_logins(engine: Engine) -> None:
    make(engine, "ann")
    bo = make(engine, "bo", "agent")
    with session_scope(engine) as session:
        cookies = [service.log_in(session, SECRET, service.get(session, bo)) for _ in range(2)]
    with session_scope(engine) as session:
        accounts.switch_off(session, None, bo)
        accounts.switch_on(session, None, bo)
    with session_scope(engine) as session:
        assert session.scalars(select(StaffSession)).all() == []
        for cookie in cookies:
            with pytest.raises(UnauthorizedError):
                service.logged_in(session, SECRET, cookie)


def test_who_forgot_a_password_gets_a_link_and_strangers_cost_the_same(
    engine: Engine, settings: Settings
) -> None:
    make(engine, "ann")
    off = make(engine, "off", "agent")
    linked = make(engine, "linked", "agent")
    with session_scope(engine) as session:
        accounts.switch_off(session, None, off)
        by_provider_only = session.get_one(Staff, linked)
        by_provider_only.password_hash, by_provider_only.oidc_subject = None, "https://login.example 7"
    seen: dict[str, list[str]] = {}
    for name in ("ann", "nobody", "off", "linked"):
        statements = seen[name] = []

        def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
            statements.append(statement)  # noqa: B023

        event.listen(engine, "before_cursor_execute", note)
        with session_scope(engine) as session:
            accounts.forgot(session, settings, f" {name.title()}@fjordly.example\0")
        event.remove(engine, "before_cursor_execute", note)
    assert seen["ann"] == seen["nobody"] == seen["off"] == seen["linked"]
    with read_scope(engine) as session:
        mails = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)).all()
        assert [mail.recipient for mail in mails] == ["ann@fjordly.example", None, None, None]
        assert (mails[0].text or "").count("/console/password?token=") == 1
        assert "ask for new password" in session.scalars(select(AuditEvent.action)).all()


def test_links_lead_to_our_own_address(settings: Settings) -> None:
    """Not to where a request says it was sent: a forged Host header must send no link elsewhere."""
    assert accounts.welcome_link(settings).startswith(f"http://127.0.0.1:{settings.port}/console/welcome?")
    public = settings.model_copy(update={"public_url": "https://chat.fjordly.example/"})
    assert accounts.welcome_link(public).startswith("https://chat.fjordly.example/console/welcome?")


def test_an_address_has_one_account(engine: Engine) -> None:
    make(engine, "ann")
    with session_scope(engine) as session, pytest.raises(ConflictError):
        service.create(session, "ANN@fjordly.example", "Ann", "agent")
    raised = at_once(*[lambda: make(engine, "bo")] * 4)
    assert [type(error) for error in raised] == [ConflictError] * 3


@pytest.mark.parametrize(
    ("email", "name", "role"), [("x", "Bo", "agent"), ("a@b.no", "", "agent"), ("a@b.no", "B", "x")]
)
def test_wrong_accounts_are_refused(session: Session, email: str, name: str, role: str) -> None:
    with pytest.raises(InvalidInputError):
        service.create(session, email, name, role)


def test_a_password_changed_meanwhile_does_not_let_in(engine: Engine) -> None:
    ann = make(engine, "ann")
    with read_scope(engine) as session:
        known = service.verify(service.known_as(session, "ann@fjordly.example"), PASSWORD)
        session.expunge_all()
    with session_scope(engine) as session:
        service.set_password(session, service.get(session, ann), service.hashed("x yz abc def ghi", "a", "b"))
    with session_scope(engine) as session, pytest.raises(UnauthorizedError):
        service.unchanged(session, known, PASSWORD)
