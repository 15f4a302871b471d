"""When a model is out of date, and what is said about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rapport.cli import bot_environment, model
from rapport.kit.errors import ConfigurationError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("config.yml", "domain.yml", "bot/uv.lock", "bot/nlu/intent.py", "data/nlu/talk.yml"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name, encoding="utf-8")
    return tmp_path


def test_nothing_changed(project: Path) -> None:
    assert model.changes(model.inputs(project, project), model.inputs(project, project)) == []


def test_what_changed_is_named(project: Path) -> None:
    before = model.inputs(project, project)
    (project / "domain.yml").write_text("other", encoding="utf-8")
    (project / "data/nlu/talk.yml").unlink()
    (project / "data/nlu/orders.yml").write_text("new", encoding="utf-8")
    assert model.changes(before, model.inputs(project, project)) == [
        "new      data/nlu/orders.yml",
        "changed  domain.yml",
        "removed  data/nlu/talk.yml",
    ]


def test_a_missing_config_is_said(project: Path) -> None:
    (project / "config.yml").unlink()
    with pytest.raises(ConfigurationError, match=r"config\.yml is missing"):
        model.inputs(project, project)


def test_the_newest_model_with_an_archive_counts(tmp_path: Path) -> None:
    assert model.newest(tmp_path) is None
    for name in ("20260101-000000-0", "20260102-000000-0", "20260103-000000-0"):
        manifest = {"trained_at": "2026-01-01T00:00:00+00:00", "inputs": {"domain.yml": name}}
        (tmp_path / f"{name}.json").write_text(json.dumps(manifest), encoding="utf-8")
        (tmp_path / f"{name}.tar.gz").write_bytes(b"")
    (tmp_path / "20260103-000000-0.tar.gz").unlink()
    newest = model.newest(tmp_path)
    assert newest is not None
    assert newest.inputs == {"domain.yml": "20260102-000000-0"}


def test_the_live_model_is_the_one_that_was_chosen(tmp_path: Path) -> None:
    assert model.live(tmp_path) is None
    for name in ("20260101-000000-0", "20260102-000000-0"):
        (tmp_path / f"{name}.tar.gz").write_bytes(b"")
        model.keep(tmp_path, tmp_path / f"{name}.tar.gz", {"domain.yml": name})
    newest = model.live(tmp_path)
    assert newest is not None
    assert newest.name == "20260102-000000-0", "nobody has chosen"
    model.set_live(tmp_path, "20260101-000000-0")
    chosen = model.live(tmp_path)
    assert chosen is not None
    assert chosen.name == "20260101-000000-0"
    assert model.is_right(chosen, tmp_path, {"domain.yml": "20260101-000000-0"})
    assert not model.is_right(chosen, tmp_path, {"domain.yml": "other"})
    model.set_live(tmp_path, chosen.name, {"domain.yml": "other"})
    assert model.is_right(chosen, tmp_path, {"domain.yml": "other"}), "these files were accepted with it"
    assert not model.is_right(chosen, tmp_path, {"domain.yml": "yet another"})
    assert not model.is_right(newest, tmp_path, {"domain.yml": "other"})
    (tmp_path / "20260101-000000-0.tar.gz").unlink()
    assert model.live(tmp_path) == newest, "it is gone"


def test_old_models_are_forgotten_but_never_the_live_one(tmp_path: Path) -> None:
    names = [f"2026010{day}-000000-0" for day in range(1, 10)]
    for name in names:
        (tmp_path / f"{name}.tar.gz").write_bytes(b"")
        model.keep(tmp_path, tmp_path / f"{name}.tar.gz", {})
    model.set_live(tmp_path, names[0])
    model.forget_old(tmp_path)
    assert [kept.name for kept in model.kept(tmp_path)] == [*names[: -model.KEEP - 1 : -1], names[0]]


def test_what_the_trainer_says_is_told_and_its_last_line_is_the_reason(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trainer that fails as bot/train.py does on a broken config.yml."""
    bot = tmp_path / "bot"
    (bot / "train.py").write_text(
        "import sys\nprint('train: loading Rasa')\nsys.exit('train: config.yml: line 3 is wrong')", "utf-8"
    )
    monkeypatch.setattr(bot_environment, "BOT", bot)
    monkeypatch.setattr(bot_environment, "python", lambda: Path(sys.executable))
    monkeypatch.setattr(model, "inputs", dict)
    said: list[str] = []
    with pytest.raises(ConfigurationError, match=r"^Training failed: config\.yml: line 3 is wrong$"):
        model.train(tmp_path / "models", said.append)
    assert said[0] == "loading Rasa"
