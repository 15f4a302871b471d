"""`rapport staff`, as somebody at the machine uses it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from rapport.cli import doctor, main, up
from rapport.cli import staff as command
from rapport.kit.database import get_engine, read_scope, session_scope
from rapport.kit.errors import RapportError
from rapport.kit.settings import Settings
from rapport.staff import accounts, repository, service

PASSWORD = "four words that nobody guesses"


@pytest.fixture
def engine(settings: Settings, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The installation's own database is the test's."""
    get_engine.cache_clear()
    yield get_engine()
    get_engine().dispose()
    get_engine.cache_clear()


def run(*arguments: str, typed: str = "") -> Result:
    result = CliRunner().invoke(main.app, ["staff", *arguments], input=typed, env={"COLUMNS": "150"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_from_the_first_account_to_the_last(engine: Engine, settings: Settings) -> None:
    made = run("add", "Ann@x.no", "--name", "Ann", "--role", "admin", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert made.exit_code == 0
    assert PASSWORD not in made.output, "what is typed stays hidden"
    with read_scope(engine) as session:
        assert service.verify(service.known_as(session, "ann@x.no"), PASSWORD).role == "admin"
    invited = run("add", "bo@x.no", "--name", "Bo", "--language", "es", "--link").output
    token = invited.partition("?token=")[2].strip()
    with session_scope(engine) as session:
        assert accounts.check_link(session, settings, token).email == "bo@x.no"
    listed = run("list").output
    assert "ann@x.no" in listed
    assert "invited" in listed
    assert run("role", "bo@x.no", "manager").exit_code == 0
    with pytest.raises(RapportError, match="last administrator"):
        run("disable", "ann@x.no")
    assert run("disable", "bo@x.no").exit_code == 0
    assert run("enable", "bo@x.no").exit_code == 0
    assert "token=" in run("password", "bo@x.no", "--link").output
    with session_scope(engine) as session, pytest.raises(RapportError):
        accounts.check_link(session, settings, token)
    new = "another four words entirely"
    assert run("password", "ann@x.no", typed=f"{new}\n{new}\n").exit_code == 0
    with read_scope(engine) as session:
        service.verify(service.known_as(session, "ann@x.no"), new)


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (("add", "nonsense", "--name", "A"), ""),
        (("add", "a@x.no", "--name", "A", "--role", "owner"), ""),
        (("add", "a@x.no", "--name", "A", "--language", "xx"), ""),
        (("add", "a@x.no", "--name", "A"), "short\nshort\n"),
        (("disable", "nobody@x.no"), ""),
        (("password", "nobody@x.no"), ""),
    ],
)
def test_what_is_wrong_is_said_and_nothing_made(
    engine: Engine, arguments: tuple[str, ...], typed: str
) -> None:
    run("add", "z@x.no", "--name", "Z", "--link")
    with pytest.raises(RapportError):
        run(*arguments, typed=typed)
    with read_scope(engine) as session:
        assert repository.count(session) == 1


def test_the_start_shows_the_way_to_the_first_account_until_there_is_one(
    engine: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    up._print_ready(settings, 1.0, 0.1)
    shown = capsys.readouterr().out
    assert f"http://127.0.0.1:{settings.port}/console/" in shown
    token = shown.partition("/console/welcome?token=")[2].split()[0]
    with read_scope(engine) as session:
        accounts.check_welcome(session, settings, token)
    assert doctor._staff(settings).state == "warning"
    run("add", "ann@x.no", "--name", "Ann", "--role", "admin", "--link")
    capsys.readouterr()
    up._print_ready(settings, 1.0, 0.1)
    assert "token=" not in capsys.readouterr().out
    assert doctor._staff(settings).state == "ok"


def test_the_doctor_looks_at_the_provider(settings: Settings) -> None:
    assert doctor._openid(settings).state == "ok"
    half = settings.model_copy(update={"oidc_issuer": "https://id.example"})
    assert doctor._openid(half).state == "wrong"
    gone = settings.model_copy(
        update={
            "oidc_issuer": "http://127.0.0.1:1",
            "oidc_client_id": "x",
            "oidc_client_secret": settings.secret_key,
        }
    )
    assert "cannot be reached" in doctor._openid(gone).detail


def test_every_command_explains_itself() -> None:
    for name in [found.name for found in command.app.registered_commands]:
        assert "Usage" in run(str(name), "--help").output
