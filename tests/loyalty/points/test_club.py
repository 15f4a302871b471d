"""The club's part of shop.yml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rapport.kit.errors import ConfigurationError
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT
from rapport.shop.facts import load_facts

NAME = dict.fromkeys(LANGUAGES, "x")


def _club(tmp_path: Path, **changes: Any) -> Path:
    content = yaml.safe_load((ROOT / "shop.yml").read_text("utf-8"))
    content["club"] |= changes
    path = tmp_path / "shop.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


def _tiers(*rows: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"key": key, "from_points": points, "name": NAME} for key, points in rows]


def test_the_shipped_levels_have_a_name_of_their_own_in_every_language() -> None:
    tiers = load_facts(ROOT / "shop.yml").club.tiers
    for language in LANGUAGES:
        assert len({tier.name.of(language) for tier in tiers}) == len(tiers) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tiers": []}, "club.tiers"),
        ({"tiers": _tiers(("low", 1))}, "must begin at 0"),
        ({"tiers": _tiers(("low", 0), ("mid", 0))}, "more points than the one before"),
        ({"tiers": _tiers(("low", 0), ("top", 9), ("mid", 5))}, "more points than the one before"),
        ({"tiers": _tiers(("low", 0), ("low", 5))}, "same key"),
        ({"tiers": _tiers(("Gold level", 0))}, "club.tiers.0.key"),
        ({"tiers": [{"key": "low", "from_points": 0, "name": {"en": "Low"}}]}, "club.tiers.0.name.nb"),
        ({"expires_after_days": 0}, "club.expires_after_days"),
        ({"grace_days": -1}, "club.grace_days"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_facts(_club(tmp_path, **changes))


def test_points_may_never_expire(tmp_path: Path) -> None:
    path = _club(tmp_path)
    content = yaml.safe_load(path.read_text("utf-8"))
    del content["club"]["expires_after_days"]
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    assert load_facts(path).club.expires_after_days is None
