"""`rapport channel add whatsapp|messenger` and their checks, with stand-ins for Meta."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Engine
from typer.testing import CliRunner

from rapport.channels.messenger import GET_STARTED
from rapport.cli.main import app as commands
from rapport.kit.errors import RapportError
from rapport.kit.settings import Settings, get_settings
from tests.channels.fakes.messenger import PAGE_ID, Messenger
from tests.channels.fakes.meta import APP_SECRET, TOKEN, VERIFY_TOKEN, FakeGraph
from tests.channels.fakes.whatsapp import ACCOUNT_ID, NUMBER, PHONE_ID, WhatsApp
from tests.cli.test_commands import installation
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp

URL = "https://chat.fjordly.com"
FAKES: dict[str, type[FakeGraph]] = {"whatsapp": WhatsApp, "messenger": Messenger}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


@pytest.fixture(params=sorted(FAKES))
def fake(request: pytest.FixtureRequest) -> Iterator[FakeGraph]:
    made = FAKES[request.param]()
    yield made
    made.close()


@pytest.fixture
def whatsapp() -> Iterator[WhatsApp]:
    made = WhatsApp()
    yield made
    made.close()


@pytest.fixture
def messenger() -> Iterator[Messenger]:
    made = Messenger()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in installation(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")
    get_settings.cache_clear()
    yield
    Settings.model_config["env_file"] = None
    get_settings.cache_clear()


def run(file: Path, fake: FakeGraph, *arguments: str, typed: str = "") -> Result:
    get_settings.cache_clear()
    environment = {"RAPPORT_META_URL": fake.graph_url}
    given = ["channel", "--env-file", str(file), *arguments]
    return CliRunner().invoke(commands, given, input=typed, env=environment)


def add(file: Path, fake: FakeGraph, *more: str, token: str = TOKEN, secret: str = APP_SECRET) -> Result:
    given = ("--token", token, "--app-secret", secret, "--url", URL, "--yes", *more)
    return run(file, fake, "add", fake.name, *given)


def said(result: Result) -> str:
    """What a command that was done says; no secret is in it."""
    assert result.exit_code == 0, f"{result.output}{result.exception!r}"
    return _discreet(result.output)


def refused(result: Result) -> str:
    """What a command that could not be done says; a sentence and no trace."""
    assert isinstance(result.exception, RapportError), result.output
    return _discreet(f"{result.output}{result.exception}")


def _discreet(text: str) -> str:
    assert TOKEN not in text and APP_SECRET not in text and VERIFY_TOKEN not in text
    return text


def values(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def running(
    settings: Settings,
    sqlite_engine: Engine,
    rasa: FakeRasa,
    fake: FakeGraph,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[RunningApp]:
    """The app with the channel on, at the port that the settings name and at the address Meta knows."""
    app = RunningApp(settings, sqlite_engine, rasa, **fake.settings())
    monkeypatch.setenv("RAPPORT_PORT", app.url.rpartition(":")[2])
    monkeypatch.setenv("RAPPORT_META_VERIFY_TOKEN", VERIFY_TOKEN)
    fake.attach(app.url)
    fake.routes[URL] = app.url
    yield app
    app.stop()


# --- add ---------------------------------------------------------------------------------------------------


def test_whatsapp_finds_the_number_by_itself(file: Path, whatsapp: WhatsApp) -> None:
    found = said(add(file, whatsapp))
    assert "+1 555-078-3881" in found and "rapport up" in found and "add whatsapp" in found
    written = values(file)
    assert written["RAPPORT_WHATSAPP_PHONE_ID"] == PHONE_ID
    assert written["RAPPORT_WHATSAPP_NUMBER"] == NUMBER
    assert written["RAPPORT_META_APP_SECRET"] == APP_SECRET
    assert written["RAPPORT_PUBLIC_URL"] == URL
    assert len(written["RAPPORT_META_VERIFY_TOKEN"]) >= 24
    assert len(whatsapp.subscribed_apps) == 1
    assert whatsapp.subscriptions == []  # nobody could answer Meta's question yet


def test_messenger_finds_the_page_by_itself(file: Path, messenger: Messenger) -> None:
    found = said(add(file, messenger))
    assert "Fjordly" in found and "rapport up" in found
    written = values(file)
    assert written["RAPPORT_MESSENGER_PAGE"] == PAGE_ID
    assert messenger.profile == {"get_started": {"payload": GET_STARTED}}
    [subscribed] = messenger.subscribed_apps
    assert "message_edits" in subscribed["subscribed_fields"]
    subscribed["subscribed_fields"] = ["feed", "messages"]
    add(file, messenger)
    [again] = messenger.subscribed_apps
    assert {"feed", "message_edits"} <= set(again["subscribed_fields"]), "comments are still brought"


def test_once_the_app_runs_meta_brings_messages_and_again_changes_nothing(
    file: Path, fake: FakeGraph, running: RunningApp
) -> None:
    said(add(file, fake))
    found = said(run(file, fake, "add", fake.name, "--yes"))
    assert f"Meta brings messages to {URL}/channels/{fake.name}" in found
    [subscription] = fake.subscriptions
    assert subscription["object"] == fake.object
    assert "messages" in {field["name"] for field in subscription["fields"]}
    before = file.read_text("utf-8")
    posted = len([call for call in fake.calls if call.method == "POST"])
    found = said(run(file, fake, "add", fake.name, "--yes"))
    assert "already" in found and "once more" not in found
    assert file.read_text("utf-8") == before
    assert len([call for call in fake.calls if call.method == "POST"]) == posted
    assert fake.say(fake.person(1), "hello") == 200


def test_an_app_with_another_verify_token_is_found_out(
    file: Path, fake: FakeGraph, running: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(add(file, fake))
    monkeypatch.setenv("RAPPORT_META_VERIFY_TOKEN", "another")
    assert "start it again" in said(run(file, fake, "add", fake.name, "--yes"))
    found = refused(run(file, fake, "add", fake.name, "--yes"))
    assert "401" in found and "RAPPORT_META_VERIFY_TOKEN" in found


def test_an_address_that_meta_cannot_reach(file: Path, fake: FakeGraph, running: RunningApp) -> None:
    said(add(file, fake))
    fake.routes[URL] = "http://127.0.0.1:9"
    assert "reachable from the internet" in refused(run(file, fake, "add", fake.name, "--yes"))


def test_a_wrong_token_and_a_wrong_secret(file: Path, fake: FakeGraph) -> None:
    assert "does not take this token" in refused(add(file, fake, token="EAAwrong"))
    assert "app secret is not that of the app Fjordly" in refused(add(file, fake, secret="wrong"))
    assert not file.exists()


def test_what_is_not_given_is_asked_for_and_may_be_typed_again(file: Path, fake: FakeGraph) -> None:
    typed = f"EAAwrong\n{TOKEN}\nwrong\n{APP_SECRET}\n{URL}\n"
    found = said(run(file, fake, "add", fake.name, typed=typed))
    assert "https://developers.facebook.com/apps" in found
    assert "does not take this token" in found
    assert values(file)["RAPPORT_PUBLIC_URL"] == URL


def test_a_script_is_told_what_is_missing(file: Path, fake: FakeGraph) -> None:
    assert "The access token is not given" in refused(run(file, fake, "add", fake.name, "--yes"))
    found = refused(run(file, fake, "add", fake.name, "--yes", "--token", "-", typed=f"{TOKEN}\n"))
    assert "The app secret is not given" in found


def test_a_script_hands_over_both_secrets_unseen(file: Path, fake: FakeGraph) -> None:
    given = ("--token", "-", "--app-secret", "-", "--url", URL, "--yes")
    said(run(file, fake, "add", fake.name, *given, typed=f"{TOKEN}\n{APP_SECRET}\n"))
    assert values(file)["RAPPORT_META_APP_SECRET"] == APP_SECRET
    assert file.stat().st_mode & 0o077 == 0


def test_a_token_without_permissions(file: Path, fake: FakeGraph) -> None:
    lacking = fake.scopes.pop()
    assert lacking in refused(add(file, fake))


def test_a_token_that_expires(file: Path, fake: FakeGraph) -> None:
    fake.expires_at = int(time.time()) + 3600
    assert "expires on" in said(add(file, fake))


def test_a_token_of_a_person(file: Path, messenger: Messenger) -> None:
    messenger.is_page = False
    assert "no page's token" in refused(add(file, messenger))


def test_a_token_that_does_not_name_its_accounts(file: Path, whatsapp: WhatsApp) -> None:
    whatsapp.names_accounts = False
    assert "--phone-id" in refused(add(file, whatsapp))
    assert "--account" in said(add(file, whatsapp, "--phone-id", PHONE_ID))
    assert whatsapp.subscribed_apps == []
    assert "--account" not in said(add(file, whatsapp, "--account", ACCOUNT_ID))
    assert len(whatsapp.subscribed_apps) == 1


@pytest.mark.parametrize("number", ["+47 12", "1", "99999999"])
def test_a_wrong_number_id(file: Path, whatsapp: WhatsApp, number: str) -> None:
    found = refused(add(file, whatsapp, "--phone-id", number))
    assert "phone number ID" in found or "Is its id right" in found


def test_meta_that_cannot_be_reached(file: Path, fake: FakeGraph) -> None:
    fake.close()
    assert "Meta cannot be reached" in refused(add(file, fake))


# --- check and list ----------------------------------------------------------------------------------------


def check(file: Path, fake: FakeGraph) -> tuple[int, str]:
    result = run(file, fake, "check", fake.name)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, _discreet(result.output)


def test_all_is_well(file: Path, fake: FakeGraph, running: RunningApp) -> None:
    said(add(file, fake))
    said(run(file, fake, "add", fake.name, "--yes"))
    code, found = check(file, fake)
    assert code == 0, found
    assert "✗" not in found and "!" not in found
    assert "does not expire" in found and f"{URL}/channels/{fake.name}" in found
    listed = run(file, fake, "list").output
    assert "on" in next(line for line in listed.splitlines() if fake.name.lower() in line.lower())


def _wrong_token(fake: Any) -> None:
    fake.token = "another"


def _no_permissions(fake: Any) -> None:
    fake.scopes = []


def _elsewhere(fake: Any) -> None:
    fake.subscriptions[0]["callback_url"] = "https://other.example/hook"


def _nowhere(fake: Any) -> None:
    fake.subscriptions = []


def _no_messages(fake: Any) -> None:
    fake.subscriptions[0]["fields"] = ["messaging_optins"]


def _switched_off(fake: Any) -> None:
    fake.subscriptions[0]["active"] = False


def _not_subscribed(fake: Any) -> None:
    fake.subscribed_apps = []


@pytest.mark.parametrize(
    ("breaks", "told"),
    [
        (_wrong_token, "does not take this token"),
        (_no_permissions, "lacks the permission"),
        (_elsewhere, "instead of"),
        (_nowhere, "not told where"),
        (_no_messages, "does not bring messages"),
        (_switched_off, "switched off"),
        (_not_subscribed, "does not"),
    ],
)
def test_what_is_wrong_is_said(
    file: Path, fake: FakeGraph, running: RunningApp, breaks: Any, told: str
) -> None:
    said(add(file, fake))
    said(run(file, fake, "add", fake.name, "--yes"))
    breaks(fake)
    code, found = check(file, fake)
    assert code == 1 and told in found, found
    assert f"rapport channel add {fake.name}" in found


def test_an_app_that_does_not_run_is_said(file: Path, fake: FakeGraph) -> None:
    said(add(file, fake))
    code, found = check(file, fake)
    assert code == 1 and "rapport up" in found


def test_a_missing_start_button(file: Path, messenger: Messenger) -> None:
    said(add(file, messenger))
    messenger.profile = {}
    assert "Get Started" in check(file, messenger)[1]


def test_another_number_for_links(file: Path, whatsapp: WhatsApp, monkeypatch: pytest.MonkeyPatch) -> None:
    said(add(file, whatsapp))
    monkeypatch.setenv("RAPPORT_WHATSAPP_NUMBER", "4712345678")
    assert "RAPPORT_WHATSAPP_NUMBER" in check(file, whatsapp)[1]
