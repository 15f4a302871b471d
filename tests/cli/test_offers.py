"""`rapport offers` as a shop owner uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapport.kit.database import make_engine, session_scope
from rapport.loyalty.offers import service
from tests.cli.running import rapport
from tests.cli.test_commands import installation
from tests.loyalty.offers import shop

FILE = """
offers:
  - {key: welcome, name: Welcome, percent: 10}
  - {key: mug, name: A mug, gift: MUG, audience: {min_orders: 9}}
"""


@pytest.fixture
def shop_folder(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "offers.yml").write_text(FILE, "utf-8")
    return installation(tmp_path) | {"RAPPORT_OFFERS_FILE": str(tmp_path / "offers.yml")}


def test_offers_are_taken_over_shown_and_checked(shop_folder: dict[str, str], tmp_path: Path) -> None:
    assert "No offers yet" in rapport("offers", "list", **shop_folder).stdout
    taken = rapport("offers", "sync", **shop_folder)
    assert taken.returncode == 0, taken.stderr
    assert taken.stdout.splitlines() == [
        "new: welcome, mug",
        "! offer mug: there is no product MUG, so nobody is given one",
    ]
    engine = make_engine(shop_folder["RAPPORT_DATABASE_URL"])
    with session_scope(engine) as session:
        discount = service.offer_discount(session, shop.customer(session))
        assert discount is not None
        service.redeem(session, discount.code, key="k", order_minor=10_000, currency="NOK")
    engine.dispose()
    listed = rapport("offers", "list", **shop_folder).stdout.replace("\N{NO-BREAK SPACE}", " ")
    assert "welcome" in listed
    assert "10 %" in listed
    assert "NOK 10" in listed
    (tmp_path / "offers.yml").write_text("offers: [{key: welcome, name: W, percent: 12}]", "utf-8")
    assert rapport("offers", "sync", **shop_folder).stdout == "changed: welcome; ended: mug\n"
    assert "mug" not in rapport("offers", "list", **shop_folder).stdout
    assert "mug (ended)" in rapport("offers", "list", "--all", **shop_folder).stdout
    checked = rapport("offers", "check", **shop_folder)
    assert checked.returncode == 0
    assert "1 offers in" in checked.stdout


def test_mistakes_are_one_clear_message(shop_folder: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "offers.yml").write_text("offers: [{key: welcome, name: W, percent: 120}]", "utf-8")
    for command in ("check", "sync"):
        result = rapport("offers", command, **shop_folder)
        assert result.returncode == 1
        assert "offer welcome.percent: Input should be less than or equal to 100" in result.stderr
        assert "Traceback" not in result.stderr


def test_books_that_do_not_add_up_are_told(shop_folder: dict[str, str]) -> None:
    rapport("offers", "sync", **shop_folder)
    engine = make_engine(shop_folder["RAPPORT_DATABASE_URL"])
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE offer SET used = 3 WHERE key = 'welcome'")
    engine.dispose()
    result = rapport("offers", "check", **shop_folder)
    assert result.returncode == 1
    assert "offer welcome: 3 codes counted, 0 there" in result.stdout
