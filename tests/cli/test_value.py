"""`rapport value` as a shop owner sees it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from rapport import demo, migrations
from rapport.kit.database import make_engine, session_scope
from tests.cli.running import rapport
from tests.cli.test_commands import installation


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An installation with the demo shop."""
    settings = installation(tmp_path_factory.mktemp("shop"))
    engine = make_engine(settings["RAPPORT_DATABASE_URL"])
    migrations.upgrade(engine)
    with session_scope(engine) as session:
        demo.load(session, date.today())  # noqa: DTZ011
    engine.dispose()
    return settings


def test_an_empty_shop_is_told_how_to_begin(tmp_path: Path) -> None:
    settings = installation(tmp_path)
    result = rapport("value", **settings)
    assert result.returncode == 0, result.stderr
    assert "Nobody has ordered yet" in result.stdout
    assert "rapport import orders" in result.stdout
    found = json.loads(rapport("value", "--json", "--holdout", **settings).stdout)
    assert found["run"]["customers"] == 0
    assert found["holdout"] is None
    nobody = rapport("value", "--customer", "kari@example.com", **settings)
    assert nobody.returncode == 1
    assert "No customer has that address" in nobody.stderr
    assert "Traceback" not in nobody.stderr


def test_the_demo_shop(shop: dict[str, str]) -> None:
    result = rapport("value", "--holdout", "--language", "es", **shop)
    assert result.returncode == 0, result.stderr
    for part in (
        "Campeones",
        "En riesgo",
        "NOK",
        "margin (49% of revenue",
        "Valued by ",
        "AUC",
        "orders",
    ):
        assert part in result.stdout, part
    folder = Path(shop["RAPPORT_VAR_DIR"]) / "value"
    assert str(folder) in result.stdout
    for name in ("segments", "value", "cohorts", "holdout"):
        assert (folder / f"{name}.png").stat().st_size > 10_000
        assert (folder / f"{name}.csv").read_text(encoding="utf-8").count("\n") > 1


def test_as_json(shop: dict[str, str]) -> None:
    found = json.loads(rapport("value", "--json", "--holdout", **shop).stdout)
    assert sum(one["customers"] for one in found["segments"]) == found["run"]["customers"] > 200
    # The demo's orders differ from day to day; whether models make sense of them, and if not why, is said.
    run = found["run"]
    assert run["method"] == ("model" if "models fitted to" in run["reason"] else "rules"), run["reason"]
    assert {"r", "alpha", "a", "b"} <= set(run["details"]["buying"])
    assert found["holdout"]["classes"]
    assert len(found["files"]) == 4


def test_one_person(shop: dict[str, str]) -> None:
    result = rapport("value", "--customer", "Kari@example.com", **shop)
    assert result.returncode == 0, result.stderr
    for part in ("Kari Nordmann", "trust", "Champions", "at least 8 in 10", "next order expected", "by"):
        assert part in result.stdout, part
    found = json.loads(rapport("value", "--customer", "kari@example.com", "--json", **shop).stdout)
    assert found["segment"] == "champions"
    assert found["clv_low_minor"] <= found["clv_minor"] <= found["clv_high_minor"]


def test_a_wrong_segment_table_is_one_clear_message(tmp_path: Path, shop: dict[str, str]) -> None:
    own = tmp_path / "shop.yml"
    own.write_text((Path(__file__).parents[2] / "shop.yml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "segments.yml").write_text(
        "- {key: vip, name: {en: A, es: B, nb: C, ro: D}, boxes: [{recency: 2-5}]}", encoding="utf-8"
    )
    result = rapport("value", **shop, RAPPORT_SHOP_FILE=str(own))
    assert result.returncode == 1
    assert "no segment has recency 1 frequency 1 monetary 1" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_and_wrong_language() -> None:
    result = rapport("value", "--help")
    assert result.returncode == 0
    assert "--holdout" in result.stdout
    assert rapport("value", "--language", "fr").returncode == 2
