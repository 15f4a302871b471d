"""shop.yml: the shipped file, and what is said about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rapport.kit.errors import ConfigurationError
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT
from rapport.shop.facts import StayingInTouch, load_facts

SHIPPED = ROOT / "shop.yml"


def _changed(tmp_path: Path, **changes: object) -> Path:
    content = yaml.safe_load(SHIPPED.read_text("utf-8"))
    content.update(changes)
    path = tmp_path / "shop.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


@pytest.mark.parametrize("language", LANGUAGES)
def test_delivery_texts_are_filled_in(language: str) -> None:
    facts = load_facts(SHIPPED)
    options = facts.delivery_options(language)
    assert len(options) == 3
    assert all("{" not in option for option in options)
    assert "99" in options[0]
    assert "2–4" in options[0]
    assert facts.delivery_days() == "1–5"
    assert len(facts.payment_names(language)) == 4


def test_category_name() -> None:
    facts = load_facts(SHIPPED)
    assert facts.category_name("tents", "nb") == "telt"
    assert facts.category_name("sofas", "nb") is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"currency": "KRONER"}, "currency"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"language": "de"}, "language"),
        ({"refunds": {"days": 30, "how": {"en": "x"}}}, "refunds.how.nb"),
        ({"club": {"points": 1, "per_minor": 0, "point_value_minor": 1}}, "club.per_minor"),
        ({"deliveries": []}, "deliveries"),
        ({"delivery": []}, "delivery"),
        ({"staying_in_touch": {"quiet_hours": "21-9"}}, "quiet_hours"),
        ({"staying_in_touch": {"quiet_hours": "25:00-9:00"}}, "quiet_hours"),
        ({"staying_in_touch": {"quiet_hours": "9:00-8:00"}}, "leave at least four hours"),
        ({"staying_in_touch": {"quiet_days": ["sunday"]}}, "quiet_days"),
        ({"staying_in_touch": {"cost_minor": {"medium": 9, "high": 1}}}, "high as medium"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_facts(_changed(tmp_path, **changes))


def test_unknown_placeholder(tmp_path: Path) -> None:
    options = yaml.safe_load(SHIPPED.read_text("utf-8"))["delivery"]
    options[0]["text"]["es"] = "Entrega por {precio}"
    with pytest.raises(ConfigurationError, match=r"text\.es.*precio"):
        load_facts(_changed(tmp_path, delivery=options))


def test_no_file_and_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Cannot read"):
        load_facts(tmp_path / "none.yml")
    (tmp_path / "bad.yml").write_text("name: [", "utf-8")
    with pytest.raises(ConfigurationError, match="no valid YAML"):
        load_facts(tmp_path / "bad.yml")


def test_when_it_is_quiet() -> None:
    staying = load_facts(SHIPPED).staying_in_touch
    assert (staying.quiet_minutes(), staying.quiet_days) == ((21 * 60, 9 * 60), ("sun",))
    assert StayingInTouch(quiet_hours=None).quiet_minutes() == (0, 0)
    assert StayingInTouch() == StayingInTouch(quiet_hours="21:00-9:00", quiet_days=("sun",), gap_days=2)
