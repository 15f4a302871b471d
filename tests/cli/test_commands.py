"""The command line as a user sees it."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import stat
from pathlib import Path

import pytest

from rapport.cli import doctor, up
from rapport.cli.imports import overrides
from rapport.kit.database import get_engine
from rapport.kit.errors import RapportError
from rapport.kit.settings import ROOT, Settings
from tests.cli.running import rapport
from tests.ports import free_port

ORDERS = (
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    "1001,A1,Blue mug,2,2026-01-05 10:00:00,3.50,77,Norway\n"
    "1001,A2,Red mug,1,2026-01-05 10:00:00,4.50,77,Norway\n"
    "1002,A1,Blue mug,1,2026-01-06 11:00:00,3.50,,Norway\n"
)


def installation(folder: Path) -> dict[str, str]:
    return {
        "RAPPORT_VAR_DIR": str(folder),
        "RAPPORT_DATABASE_URL": f"sqlite:///{folder / 'rapport.db'}",
        "RAPPORT_TRACKER_URL": f"sqlite:///{folder / 'tracker.db'}",
        "RAPPORT_PORT": str(free_port()),
        "RAPPORT_RASA_PORT": str(free_port()),
    }


@pytest.mark.parametrize("command", [(), ("up",), ("chat",), ("train",), ("doctor",), ("log",), ("import",)])
def test_help_explains_every_command(command: tuple[str, ...]) -> None:
    result = rapport(*command, "--help")
    assert result.returncode == 0
    assert "Usage" in result.stdout
    assert result.stdout.count("\n") > 5


def test_importing_orders_shows_the_mapping_and_twice_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS, encoding="utf-8")
    settings = installation(tmp_path)
    first = rapport("import", "orders", str(file), "--currency", "GBP", **settings)
    assert first.returncode == 0, first.stderr
    assert "InvoiceNo" in first.stdout
    assert "added 2 orders" in first.stdout
    again = rapport("import", "orders", str(file), "--currency", "GBP", **settings)
    assert "0 taken" in again.stdout
    with sqlite3.connect(tmp_path / "rapport.db") as database:
        assert database.execute('SELECT count(*), sum(total_minor) FROM "order"').fetchone() == (2, 1500)
    database.close()


def test_a_wrong_mapping_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS, encoding="utf-8")
    result = rapport("import", "orders", str(file), "--map", "date=NoSuchColumn", **installation(tmp_path))
    assert result.returncode == 1
    assert "NoSuchColumn" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("pair", ["date", "=x", "date=", ""])
def test_what_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(RapportError, match="field=Column"):
        overrides([pair])


@pytest.mark.parametrize("there", [False, True])
def test_other_users_of_the_machine_cannot_look_into_the_data(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "new" / "var"
    if there:
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    up.keep_private(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_log_of_an_empty_installation_says_how_to_begin(tmp_path: Path) -> None:
    settings = installation(tmp_path)
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS, encoding="utf-8")
    rapport("import", "orders", str(file), **settings)  # makes the database
    result = rapport("log", **settings)
    assert result.returncode == 0, result.stderr
    assert "rapport chat" in result.stdout


def test_chat_without_a_running_app_says_how_to_start_it(tmp_path: Path) -> None:
    result = rapport("chat", **installation(tmp_path))
    assert result.returncode == 1
    assert "rapport up" in result.stderr
    assert "Traceback" not in result.stderr


def test_up_names_the_port_that_is_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = rapport("up", "--port", str(port), **installation(tmp_path))
    assert result.returncode == 1
    assert f"Port {port} " in result.stderr
    assert "--port" in result.stderr
    assert "Traceback" not in result.stderr


def test_up_says_what_is_wrong_with_the_shop_file(tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text("name: [", encoding="utf-8")
    result = rapport("up", **installation(tmp_path), RAPPORT_SHOP_FILE=str(tmp_path / "shop.yml"))
    assert result.returncode == 1
    assert "shop.yml" in result.stderr
    assert "Traceback" not in result.stderr


def test_up_says_what_is_wrong_with_the_knowledge(tmp_path: Path) -> None:
    folder = tmp_path / "knowledge"
    shutil.copytree(ROOT / "knowledge", folder)
    (folder / "new.yml").write_text("opening: {answer: {en: '{shop} opens at {time}'}}", encoding="utf-8")
    result = rapport("up", **installation(tmp_path), RAPPORT_KNOWLEDGE_DIR=str(folder))
    assert result.returncode == 1
    assert "new.yml: opening.answer.en: " in result.stderr
    assert "{time}" in result.stderr
    assert "new.yml: opening.answer.nb: Field required" in result.stderr
    assert "Traceback" not in result.stderr


def test_secrets_are_written_once_and_only_for_their_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAPPORT_SECRET_KEY")
    monkeypatch.delenv("RAPPORT_BOT_SECRET")
    path = tmp_path / ".env"
    path.write_text("RAPPORT_PORT=8081", encoding="utf-8")
    path.chmod(0o600)
    up.ensure_secrets(path)
    first = path.read_text(encoding="utf-8")
    up.ensure_secrets(path)
    assert path.read_text(encoding="utf-8") == first
    assert first.startswith("RAPPORT_PORT=8081\nRAPPORT_SECRET_KEY=")
    assert all(len(line.partition("=")[2]) >= 32 for line in first.splitlines()[1:])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_doctor_says_what_to_do(settings: Settings) -> None:
    get_engine.cache_clear()
    findings = {finding.name: finding for finding in doctor.examine()}
    assert findings["Database"].state == "warning"
    assert "rapport up" in findings["Database"].advice
    assert all(finding.advice for finding in findings.values() if finding.state != "ok")
    assert settings.port


def test_doctor_looks_at_the_knowledge(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {finding.name: finding for finding in doctor.examine()}["Knowledge"]
    assert found.state == "ok" and "knowledge/" in found.detail
    wrong = settings.model_copy(update={"knowledge_dir": tmp_path / "none"})
    monkeypatch.setattr(doctor, "get_settings", lambda: wrong)
    found = {finding.name: finding for finding in doctor.examine()}["Knowledge"]
    assert found.state == "wrong"
    assert "there is no folder" in found.detail and "README.md" in found.advice


def test_doctor_finds_a_mail_server_that_is_not_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_port": free_port()})
    monkeypatch.setattr(doctor, "get_settings", lambda: broken)
    mail = next(finding for finding in doctor.examine() if finding.name == "Mail")
    assert mail.state == "wrong"
    assert "SMTP" in mail.advice
