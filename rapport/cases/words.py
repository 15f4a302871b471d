"""What customers read of their cases without anybody writing it, in their language."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rapport.cases import rules
from rapport.cases.models import Case

FILE = Path(__file__).with_name("texts.yml")


def about(case: Case, language: str) -> str:
    """What a case is about: "the cancellation of order 10001"."""
    subjects = _texts()["about"]
    subject = subjects.get(case.topic or "") or subjects[case.kind]
    if "{order}" in subject[language] and not case.order_number:
        subject = subjects[case.kind]
    return str(subject[language]).format(order=case.order_number)


def resolution(case: Case, outcome: str, language: str) -> str | None:
    """What is sent when nobody writes anything; None for an outcome that speaks for itself or needs words."""
    if outcome in rules.SILENT:
        return None
    text = str(_texts()["resolved"][outcome][language])
    return text.format(what=about(case, language), case=case.id)


@cache
def _texts() -> dict[str, dict[str, dict[str, str]]]:
    content: Any = yaml.safe_load(FILE.read_text("utf-8"))
    texts: dict[str, dict[str, dict[str, str]]] = content
    return texts
