"""`rapport channel` as a shop owner sees it, with a stand-in for Telegram."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Engine
from typer.testing import CliRunner

from rapport.channels.models import ContactPoint, Delivery
from rapport.channels.telegram_updates import ALLOWED_UPDATES
from rapport.cli import channel_setup, channel_telegram, env_file
from rapport.cli.main import app as commands
from rapport.conversations import service as conversations
from rapport.customers.models import Customer
from rapport.kit.clock import now
from rapport.kit.database import make_engine, session_scope
from rapport.kit.errors import ConfigurationError, RapportError
from rapport.kit.settings import Settings, get_settings
from tests.channels.fakes.telegram import TOKEN, BotApi, Telegram
from tests.cli.running import rapport
from tests.cli.test_commands import installation
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp

URL = "https://chat.fjordly.com"
HOOK = f"{URL}/channels/telegram"
NAMES = ["RAPPORT_TELEGRAM_TOKEN", "RAPPORT_TELEGRAM_SECRET", "RAPPORT_TELEGRAM_BOT", "RAPPORT_PUBLIC_URL"]


@pytest.fixture
def api() -> Iterator[BotApi]:
    fake = BotApi()
    yield fake
    fake.close()


@pytest.fixture
def shop(tmp_path: Path, api: BotApi) -> dict[str, str]:
    return {**installation(tmp_path), "RAPPORT_TELEGRAM_URL": api.url}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


@pytest.fixture
def inside(shop: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands run in this very process; faster, and they can be asked things."""
    for name, value in shop.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield
    Settings.model_config["env_file"] = None
    get_settings.cache_clear()


def outside(
    file: Path, *arguments: str, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return rapport("channel", "--env-file", str(file), *arguments, stdin=typed, **environment)


def run(file: Path, *arguments: str, typed: str = "") -> Result:
    get_settings.cache_clear()
    return CliRunner().invoke(commands, ["channel", "--env-file", str(file), *arguments], input=typed)


def add(file: Path, *arguments: str, typed: str = "") -> Result:
    return run(file, "add", "telegram", *arguments, typed=typed)


def refused(result: Result) -> str:
    """What a command that could not be done says; a sentence and no trace."""
    assert isinstance(result.exception, RapportError), result.output
    return str(result.exception)


def values(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


# --- add ---------------------------------------------------------------------------------------------------


def test_telegram_is_added_and_again_changes_nothing(file: Path, shop: dict[str, str], api: BotApi) -> None:
    kept = "# my shop\nRAPPORT_LOG_LEVEL=WARNING\n\n#RAPPORT_TELEGRAM_TOKEN=\nOTHER='of another program'"
    file.write_text(kept, encoding="utf-8")
    file.chmod(0o644)
    arguments = ("add", "telegram", "--token", "-", "--url", f"{URL}/", "--yes")
    first = outside(file, *arguments, typed=f"{TOKEN}\n", **shop)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "@fjordly_bot" in first.stdout
    assert HOOK in first.stdout
    assert "rapport up" in first.stdout
    assert "https://t.me/fjordly_bot" in first.stdout
    written = file.read_text("utf-8")
    assert written.startswith(kept + "\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = values(file)
    assert [name for name in found if name in NAMES] == NAMES
    assert found["RAPPORT_TELEGRAM_TOKEN"] == TOKEN
    assert found["RAPPORT_PUBLIC_URL"] == URL
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", found["RAPPORT_TELEGRAM_SECRET"])
    assert (api.webhook["url"], api.secret) == (HOOK, found["RAPPORT_TELEGRAM_SECRET"])
    assert api.webhook["allowed_updates"] == list(ALLOWED_UPDATES)
    for secret in (TOKEN, found["RAPPORT_TELEGRAM_SECRET"]):
        assert secret not in first.stdout + first.stderr

    again = outside(file, "add", "telegram", "--yes", **shop)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "already" in again.stdout
    assert file.read_text("utf-8") == written
    assert api.called.count("setWebhook") == 1

    listed = outside(file, "list", **shop)
    assert re.search(r"Telegram +│ on ", listed.stdout), listed.stdout
    checked = outside(file, "check", "telegram", **shop)
    assert checked.returncode == 1  # nobody has started the app
    assert "rapport up" in checked.stdout
    assert HOOK in checked.stdout
    assert TOKEN not in checked.stdout + listed.stdout


def test_a_guide_asks_until_it_is_right(inside: None, file: Path, api: BotApi) -> None:
    wrong = TOKEN[:-1] + "X"
    answers = ["nonsense", wrong, TOKEN, "http://chat.fjordly.com", "https://localhost", URL]
    result = add(file, typed="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert "@BotFather" in result.output
    assert "That is no token of a bot" in result.output
    assert "does not know this token" in result.output
    assert "does not begin with https://" in result.output
    assert "cannot be reached from the internet" in result.output
    assert api.webhook["url"] == HOOK
    assert TOKEN not in result.output
    assert wrong not in result.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_guide_gives_up_after_three_wrong_tokens(inside: None, file: Path, api: BotApi) -> None:
    assert "no token of a bot" in refused(add(file, typed="one\ntwo\nthree\nfour\n"))
    assert not file.exists() or "TELEGRAM" not in file.read_text("utf-8")


def test_a_token_that_is_of_no_use_any_more_is_asked_for_again(inside: None, file: Path, api: BotApi) -> None:
    add(file, "--token", TOKEN, "--url", URL, "--yes")
    before = values(file)
    api.token = TOKEN.replace("AAfake", "AAnext")
    assert "does not know this token" in refused(add(file, "--yes"))
    result = add(file, typed=f"{api.token}\n")
    assert result.exit_code == 0, result.output
    assert values(file) == {**before, "RAPPORT_TELEGRAM_TOKEN": api.token}


def test_what_is_wrong_at_telegram_is_mended(inside: None, file: Path, api: BotApi) -> None:
    assert add(file, "--token", TOKEN, "--url", URL, "--yes").exit_code == 0
    written = file.read_text("utf-8")
    for broken in (
        {"url": ""},
        {"url": "https://old.example/hook"},
        {"allowed_updates": ["message"]},
        {"allowed_updates": []},
        {
            "last_error_message": "Wrong response from the webhook: 401 Unauthorized",
            "last_error_date": int(time.time()) - 60,
        },
    ):
        api.called.clear()
        api.webhook.update(broken)
        result = add(file, "--yes")
        assert result.exit_code == 0, result.output
        assert "setWebhook" in api.called, broken
        assert (api.webhook["url"], api.webhook["allowed_updates"]) == (HOOK, list(ALLOWED_UPDATES))
    assert api.secret == values(file)["RAPPORT_TELEGRAM_SECRET"]
    assert file.read_text("utf-8") == written
    # A refusal of long ago has been mended since.
    api.webhook.update(last_error_message="Wrong response from the webhook: 401 Unauthorized")
    api.webhook.update(last_error_date=int(time.time()) - 7200)
    api.called.clear()
    add(file, "--yes")
    assert "setWebhook" not in api.called


def test_another_programs_webhook_is_not_taken_unasked(inside: None, file: Path, api: BotApi) -> None:
    api.webhook["url"] = "https://old.example/hook"
    result = add(file, "--token", TOKEN, "--url", URL, typed="n\n")
    assert result.exit_code == 1
    assert "https://old.example/hook" in result.output
    assert api.webhook["url"] == "https://old.example/hook"
    assert add(file, typed="y\n").exit_code == 0
    assert api.webhook["url"] == HOOK


def test_a_secret_that_is_none_is_made_anew(inside: None, file: Path, api: BotApi) -> None:
    file.write_text("RAPPORT_TELEGRAM_SECRET=short\n", encoding="utf-8")
    assert add(file, "--token", TOKEN, "--url", URL, "--yes").exit_code == 0
    assert api.secret == values(file)["RAPPORT_TELEGRAM_SECRET"] != "short"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--yes",), "No token is given"),
        (("--token", "123", "--yes"), "no token of a bot"),
        (("--token", "", "--yes"), "--token is empty"),
        (("--token", "9" + TOKEN, "--yes"), "does not know this token"),
        (("--token", TOKEN, "--yes"), "--url"),
        (("--token", TOKEN, "--url", "http://chat.fjordly.com"), "does not begin with https://"),
        (("--token", TOKEN, "--url", "chat.fjordly.com"), "does not begin with https://"),
        (("--token", TOKEN, "--url", "https://"), "not the address of a site"),
        (("--token", TOKEN, "--url", "https://fjordly.com/?a=b"), "not the address of a site"),
        (("--token", TOKEN, "--url", "https://a b.com"), "not the address of a site"),
        (("--token", TOKEN, "--url", "https://me:you@fjordly.com"), "not the address of a site"),
        (("--token", TOKEN, "--url", "https://fjordly.com:99999"), "no address"),
        (("--token", TOKEN, "--url", "https://127.0.0.1"), "cannot be reached from the internet"),
        (("--token", TOKEN, "--url", "https://192.168.1.4"), "cannot be reached from the internet"),
        (("--token", TOKEN, "--url", "https://shop.local"), "cannot be reached from the internet"),
        (("--token", TOKEN, "--url", "https://fjordly.com:8080"), "443"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_changed(
    inside: None, file: Path, api: BotApi, arguments: tuple[str, ...], sentence: str
) -> None:
    said = refused(add(file, *arguments))
    assert sentence in said
    assert TOKEN not in said
    assert not file.exists() or "TELEGRAM" not in file.read_text("utf-8")
    assert api.webhook["url"] == ""


def test_an_address_telegram_does_not_take(inside: None, file: Path, api: BotApi) -> None:
    said = refused(add(file, "--token", TOKEN, "--url", "https://chat.nowhere.example", "--yes"))
    assert "Failed to resolve host" in said
    assert "DNS" in said
    assert add(file, "--url", URL, "--yes").exit_code == 0  # the token was kept
    assert values(file)["RAPPORT_PUBLIC_URL"] == URL


def test_telegram_that_cannot_be_reached(inside: None, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAPPORT_TELEGRAM_URL", f"http://127.0.0.1:{probe.getsockname()[1]}")
        said = refused(add(file, "--token", TOKEN, "--url", URL, "--yes"))
    assert "cannot be reached" in said
    assert "online" in said


def test_the_environment_wins_and_that_is_said(
    inside: None, file: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAPPORT_TELEGRAM_BOT", "another_bot")
    result = add(file, "--token", TOKEN, "--url", URL, "--yes")
    assert "RAPPORT_TELEGRAM_BOT is also set in the environment" in result.output


def test_a_mistake_is_one_clear_line(file: Path, shop: dict[str, str]) -> None:
    result = outside(file, "add", "telegram", "--token", "123", "--yes", **shop)
    assert result.returncode == 1
    assert "no token of a bot" in result.stderr
    assert "Traceback" not in result.stderr
    lost = outside(file.parent / "no" / ".env", "add", "telegram", "--yes", **shop)
    assert lost.returncode == 1
    assert "is no folder" in lost.stderr


# --- the file ----------------------------------------------------------------------------------------------


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    assert env_file.write(file, {"A": "1", "B": "two words # no comment", "C": 'say "hi"'}) == ["A", "B", "C"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text("utf-8")
    assert env_file.write(file, {"A": "1", "B": "two words # no comment", "C": 'say "hi"'}) == []
    assert file.read_text("utf-8") == before
    assert env_file.write(file, {"A": "2"}) == ["A"]
    assert file.read_text("utf-8") == before.replace("A=1", "A=2")


def test_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("A=1\n", encoding="utf-8")
    link.symlink_to(real)
    env_file.write(link, {"A": "2"})
    assert link.is_symlink()
    assert real.read_text("utf-8") == "A=2\n"


@pytest.mark.parametrize("value", ["two\nlines", "it's", "back\\slash", "${HOME}"])
def test_what_would_be_read_back_as_something_else_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot stand in"):
        env_file.write(tmp_path / "settings", {"A": value})
    assert not (tmp_path / "settings").exists()


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        env_file.write(tmp_path / "settings", {"A": "1"})


# --- list and check ----------------------------------------------------------------------------------------


def test_nothing_is_on_at_first(inside: None, file: Path) -> None:
    result = run(file, "list")
    assert result.exit_code == 0
    for title in ("Telegram", "WhatsApp", "Messenger", "SMS", "E-mail"):
        assert title in result.output
    assert "rapport channel add" in result.output
    checked = run(file, "check")
    assert checked.exit_code == 0
    assert "rapport channel add telegram" in checked.output
    assert "RAPPORT_TELEGRAM_TOKEN" in refused(run(file, "check", "telegram"))
    assert "telegram, whatsapp" in refused(run(file, "check", "fax"))


def test_how_each_is_doing(
    inside: None, file: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'rapport.db'}"
    (tmp_path / "rapport.db").write_bytes(migrated_sqlite.read_bytes())
    engine = make_engine(database)
    _people(engine)
    monkeypatch.setattr("rapport.kit.database.get_engine", lambda: engine)
    add(file, "--token", TOKEN, "--url", URL, "--yes")
    result = run(file, "list")
    assert result.exit_code == 0, repr(result.exception)
    engine.dispose()
    [line] = [line for line in result.output.splitlines() if "Telegram" in line]
    assert re.split(r" *[│|] *", line.strip(" │"))[:5] == ["Telegram", "on", "2", "3", "2"]


def _people(engine: Engine) -> None:
    with session_scope(engine) as session:
        for number in range(2):
            customer = Customer(language="en")
            session.add(customer)
            session.flush()
            conversation = conversations.start(session, "telegram", "en")
            session.add(
                ContactPoint(
                    channel="telegram",
                    address=str(number),
                    conversation_id=conversation.id,
                    customer_id=customer.id,
                    last_inbound_at=now(),
                )
            )
            for sequence, status in enumerate(("queued", "sending", "failed", "sent")[number:], 1):
                session.add(
                    Delivery(
                        conversation_id=conversation.id, sequence=sequence, channel="telegram", status=status
                    )
                )


def test_settings_that_contradict_each_other_are_said(
    inside: None, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAPPORT_TELEGRAM_TOKEN", TOKEN)
    result = run(file, "list")
    assert result.exit_code == 1
    assert "RAPPORT_TELEGRAM_SECRET is not set" in result.output
    assert "RAPPORT_TELEGRAM_SECRET is not set" in refused(run(file, "check"))


@pytest.fixture
def provider() -> Iterator[Telegram]:
    made = Telegram()
    yield made
    made.close()


@pytest.fixture
def running(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, provider: Telegram
) -> Iterator[tuple[Settings, BotApi]]:
    """The app with Telegram on, and all well there."""
    started = RunningApp(settings, sqlite_engine, rasa, **provider.settings())
    provider.attach(started.url)
    port = int(started.url.rsplit(":", 1)[1])
    set_up = settings.model_copy(update={**provider.settings(), "public_url": URL, "port": port})
    provider.api.webhook.update(url=HOOK, allowed_updates=list(ALLOWED_UPDATES))
    yield set_up, provider.api
    started.stop()


def found(settings: Settings) -> dict[str, tuple[str, str]]:
    return {
        finding.name: (finding.state, f"{finding.detail} → {finding.advice}")
        for finding in channel_telegram.check(settings)
    }


def test_all_is_well(running: tuple[Settings, BotApi]) -> None:
    settings, _ = running
    findings = found(settings)
    assert list(findings) == ["Token", "Address", "Deliveries", "App"]
    assert {state for state, _ in findings.values()} == {"ok"}


@pytest.mark.parametrize(
    ("webhook", "name", "state", "words"),
    [
        ({"url": ""}, "Address", "wrong", "rapport channel add telegram"),
        ({"url": "https://old.example/x"}, "Address", "wrong", "https://old.example/x"),
        ({"allowed_updates": ["message"]}, "Updates", "warning", "my_chat_member"),
        ({"allowed_updates": []}, "Updates", "warning", "message_reaction"),
        (
            {"last_error_message": "Wrong response from the webhook: 401 Unauthorized"},
            "Deliveries",
            "warning",
            "another secret",
        ),
        (
            {"last_error_message": "Wrong response from the webhook: 404 Not Found"},
            "Deliveries",
            "warning",
            "without Telegram",
        ),
        (
            {"last_error_message": "Wrong response from the webhook: 502 Bad Gateway"},
            "Deliveries",
            "warning",
            "is it running",
        ),
        (
            {"last_error_message": "SSL error {error:0A000086:SSL routines::certificate verify failed}"},
            "Deliveries",
            "warning",
            "certificate must be valid",
        ),
        (
            {"last_error_message": "Connection timed out", "pending_update_count": 12},
            "Deliveries",
            "wrong",
            "reachable from the internet",
        ),
        ({"last_error_message": "A new kind of trouble"}, "Deliveries", "warning", "core.telegram.org"),
    ],
)
def test_what_is_wrong_is_found(
    running: tuple[Settings, BotApi], webhook: dict[str, Any], name: str, state: str, words: str
) -> None:
    settings, api = running
    if "last_error_message" in webhook:
        webhook = {"last_error_date": int(time.time()) - 30, **webhook}
    api.webhook.update(webhook)
    findings = found(settings)
    assert findings[name][0] == state
    assert words in findings[name][1]


def test_what_the_app_lacks_is_found(running: tuple[Settings, BotApi], rasa: FakeRasa) -> None:
    settings, api = running
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = settings.model_copy(update={"port": probe.getsockname()[1]})
        assert found(away)["App"][0] == "wrong"
        assert "rapport up" in found(away)["App"][1]
    # Something runs there, without Telegram: any server that knows nothing of the address.
    without = settings.model_copy(update={"port": rasa.port})
    assert channel_setup.app_state(without, "nothing") in {"on", "off"}
    other = settings.model_copy(update={"port": int(api.url.rsplit(":", 1)[1])})
    assert found(other)["App"][0] == "wrong"
    assert "start it again" in found(other)["App"][1]
    wrong_name = settings.model_copy(update={"telegram_bot": "@another_bot"})
    assert "links lead to another bot" in found(wrong_name)["User name"][1]
    unknown = settings.model_copy(update={"public_url": None})
    assert found(unknown)["Address"][0] == "warning"


def test_a_wrong_token_is_found(running: tuple[Settings, BotApi]) -> None:
    settings, api = running
    api.token = "1:another"
    assert found(settings) == {
        "Token": (
            "wrong",
            "Unauthorized → copy it again from @BotFather: rapport channel add telegram",
        )
    }
    gone = settings.model_copy(update={"telegram_url": "http://127.0.0.1:9"})
    assert found(gone)["Telegram"][0] == "wrong"
