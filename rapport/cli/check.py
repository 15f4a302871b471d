"""`uv run check`: format, lint and types, in one go."""

from __future__ import annotations

import subprocess
import sys

from rapport.kit.settings import ROOT

STEPS = (
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("types", ["mypy"]),
    ("types of the bot", ["mypy", "--config-file", "bot/pyproject.toml"]),
)


def main() -> None:
    """Run every step, even after one failed; exit with 1 when any did. `--fix` formats and mends first."""
    if "--fix" in sys.argv[1:]:
        subprocess.run(["ruff", "check", "--fix", "."], cwd=ROOT, check=False)
        subprocess.run(["ruff", "format", "."], cwd=ROOT, check=False)
    failed = [name for name, command in STEPS if subprocess.run(command, cwd=ROOT, check=False).returncode]
    if failed:
        sys.exit(f"✗ {', '.join(failed)} (uv run check --fix mends what can be mended)")
    print("✓ format, lint and types are fine")
