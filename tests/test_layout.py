"""Rules about the tree itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def sources(folder: Path) -> Iterator[Path]:
    """Our Python files below `folder`; the environment's, which are many, are not walked through."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            yield from sources(entry)
        elif entry.suffix == ".py":
            yield entry


def imported(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every top-level package that a file below `folder` imports."""
    for file in sources(folder):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield file, node.module.split(".")[0]


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [("bot", {"rapport", "actions"}), ("rapport", {"rasa", "bot"}), ("actions", {"rasa", "bot"})],
)
def test_the_two_environments_meet_only_over_http(folder: str, forbidden: set[str]) -> None:
    found = [f"{file.relative_to(ROOT)} imports {name}" for file, name in imported(ROOT / folder)]
    assert found, "nothing was looked at"
    assert [line for line in found if line.split()[-1] in forbidden] == []


def test_services_leave_the_commit_to_their_callers() -> None:
    offenders = [
        str(file.relative_to(ROOT))
        for name in ("service.py", "repository.py", "rules.py")
        for file in (ROOT / "rapport").rglob(name)
        if ".commit()" in file.read_text(encoding="utf-8")
    ]
    assert offenders == []


def test_rules_do_no_input_or_output() -> None:
    allowed_not = {"requests", "sqlalchemy", "smtplib", "socket", "os", "subprocess"}
    offenders = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file, name in imported(ROOT / "rapport")
        if file.name == "rules.py" and name in allowed_not
    ]
    assert offenders == []


def test_readme_names_every_folder() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    folders = [f"rapport/{d.name}/" for d in (ROOT / "rapport").iterdir() if (d / "__init__.py").is_file()]
    assert [folder for folder in folders if f"`{folder}`" not in readme] == []


def test_nothing_reads_outside_the_clone() -> None:
    tracked = [
        file
        for pattern in ("*.py", "*.yml", "*.js", "*.toml", ".ci/run")
        for file in ROOT.rglob(pattern)
        if not {".venv", "var", "models", "node_modules"} & set(file.parts)
    ]
    needle = "shared/" + "data"
    assert [str(f) for f in tracked if needle in f.read_text(encoding="utf-8", errors="replace")] == []
