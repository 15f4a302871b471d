"""Looking back: what would have been foretold, and the pictures of it."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.connectors import importers
from rapport.connectors.models import OrderEventRecord
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import Settings
from rapport.shop.models import Order
from rapport.value import holdout, pictures, report, reporting, service
from rapport.value.counting import Currency
from rapport.value.holdout import auc
from tests.value.conftest import NOW, Place, simulate
from tests.value.test_service import fill

PNG = b"\x89PNG"


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("ranking", "happened", "expected"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], 1.0),
        ([4, 3, 2, 1], [0, 0, 1, 1], 0.0),
        ([1, 1, 1, 1], [0, 1, 0, 1], 0.5),
        ([1, 2, 2, 3], [0, 0, 1, 1], 0.875),
        ([1, 2], [1, 1], None),
    ],
)
def test_auc(ranking: list[float], happened: list[int], expected: float | None) -> None:
    assert auc(np.array(ranking, float), np.array(happened, bool)) == expected


def test_a_simulated_shop_is_foretold() -> None:
    shop = simulate(2_000, seed=8)
    found = holdout.evaluate(
        shop.people, shop.later_orders, shop.later_value.astype(np.int64), shop.as_of_day, 364, NOW, NOW
    )
    assert found.method == "model"
    assert found.expected_orders == pytest.approx(found.actual_orders, rel=0.12)
    assert found.expected_value_minor == pytest.approx(found.actual_value_minor, rel=0.15)
    assert found.covered >= 0.8
    assert [one.repeats for one in found.classes] == list(range(8))
    assert sum(one.customers for one in found.classes) == found.customers == 2_000
    for one in found.classes:
        assert one.expected == pytest.approx(one.actual, rel=0.35, abs=0.1)
    assert found.auc_p_buy is not None
    assert found.auc_p_alive is not None
    assert found.auc_p_buy > 0.75 > found.auc_p_alive


def test_cdnow_from_its_file_to_the_report(
    sqlite_engine: Engine, cdnow_file: Path, tmp_path: Path, settings: Settings
) -> None:
    """Imported as a shop owner would; the published conditional expectations track what came."""
    plan = importers.plan("orders", cdnow_file, source="cdnow", currency="NOK")
    importers.run(plan, sqlite_engine)
    with read_scope(sqlite_engine) as session:
        found = holdout.compare(session)
    assert found is not None
    assert (found.method, found.customers) == ("model", 2357)
    assert found.cut.date().isoformat() in {"1997-09-30", "1997-10-01"}
    # The paper's figure 3: an expectation somewhat low for the few who came most often.
    assert found.expected_orders == pytest.approx(found.actual_orders, rel=0.15)
    assert [one.actual for one in found.classes] == sorted(one.actual for one in found.classes)
    assert found.auc_p_buy is not None
    assert found.auc_recency is not None
    assert found.auc_p_buy > 0.72
    assert abs(found.auc_p_buy - found.auc_recency) < 0.05  # honest: hardly better than plain recency
    assert found.covered >= 0.8
    assert found.as_dict()["cut"].startswith("1997-")
    picture = pictures.holdout(found, tmp_path)
    assert picture.read_bytes().startswith(PNG)
    table = rows(tmp_path / "holdout.csv")
    assert table[0] == ["repeats_before", "customers", "expected_orders_each", "actual_orders_each"]
    assert sum(int(row[1]) for row in table[1:]) == 2357
    run = service.recompute(sqlite_engine)
    assert not run.live
    assert run.as_of.date().isoformat() in {"1998-06-29", "1998-06-30"}
    assert run.method == "model"
    assert settings.var_dir == tmp_path


def test_what_was_held_out_is_not_looked_at(engine: Engine) -> None:
    fill(engine, 120)
    with clock.freeze(NOW), read_scope(engine) as session:
        before = holdout.compare(session)
    assert before is not None
    with session_scope(engine) as session:
        session.connection().exec_driver_sql("DELETE FROM customer_value")
    with read_scope(engine) as session:
        assert holdout.compare(session) == before
    assert before.cut < NOW - timedelta(days=200)


def test_only_what_was_known_at_the_cut_is_given(
    session: Session, people: list[Customer], place: Place
) -> None:
    """What went back or was cancelled after the cut was a purchase still; before it, it was none."""
    cut = NOW - timedelta(days=100)
    early, late = cut - timedelta(days=20), cut + timedelta(days=20)

    def bought(who: int, status: str = "delivered", back: int = 0, at: datetime = late) -> Order:
        order = place(people[who], cut - timedelta(days=40), 10_000, status=status, back=back)
        for refund in order.refunds:
            refund.at = at
        return order

    def cancelled(order: Order, at: datetime) -> None:
        session.add(
            OrderEventRecord(
                source="test", event_id=f"c{order.id}", kind="cancelled", digest="", order_id=order.id, at=at
            )
        )

    bought(0, back=2_000)
    bought(0, status="refunded", back=10_000)
    bought(1, back=10_000, at=early)
    bought(1, back=3_000, at=early)
    cancelled(bought(2, status="cancelled"), late)
    cancelled(bought(3, status="cancelled"), early)
    bought(3, status="cancelled")  # nobody knows when
    place(people[2], late, 7_000, back=1_000)
    place(people[2], late, 7_000, status="cancelled")
    place(people[4], late, 7_000)
    session.flush()
    day = (int((cut - timedelta(days=40)).timestamp()) + 7200) // 86_400
    assert [tuple(row) for row in reporting.before_and_after(session, Currency("NOK", 7200), cut)] == [
        (1, day, day, 20_000, 0, 0),
        (1, day, day, 7_000, 0, 0),
        (1, day, day, 10_000, 1, 6_000),
    ]


def test_nothing_to_hold_out(engine: Engine) -> None:
    with read_scope(engine) as session:
        assert holdout.compare(session) is None


def test_pictures_with_their_numbers(engine: Engine, tmp_path: Path) -> None:
    fill(engine, 150)
    with clock.freeze(NOW):
        run = service.recompute(engine)
    with read_scope(engine) as session:
        files = report.draw(session, "nb", tmp_path)
        sums = report.by_segment(session, "ro")
    assert [file.name for file in files] == ["segments.png", "value.png", "cohorts.png"]
    for file in files:
        assert file.read_bytes().startswith(PNG)
        assert file.stat().st_size > 10_000
    segments, value, cohorts = (rows(file.with_suffix(".csv"))[1:] for file in files)
    assert sum(int(row[-1]) for row in segments) == run.customers
    assert sum(int(row[-1]) for row in value) <= run.customers
    assert sum(int(row[2]) for row in cohorts if row[1] == "0") == run.customers
    assert sum(one.customers for one in sums) == run.customers
    assert sum(one.share for one in sums) == pytest.approx(1)
    by_key = {one.key: one for one in sums}
    assert by_key["champions"].name == "Campioni"
    counted = {key: sum(int(row[4]) for row in segments if row[3] == key) for key in by_key}
    assert counted == {key: one.customers for key, one in by_key.items()}
    assert by_key["champions"].median_minor > by_key["lost"].median_minor


def test_one_customer_makes_pictures_too(engine: Engine, tmp_path: Path) -> None:
    fill(engine, 1)
    with clock.freeze(NOW):
        service.recompute(engine)
    with read_scope(engine) as session:
        assert len(report.draw(session, "en", tmp_path)) == 3


def test_no_pictures_of_nothing(engine: Engine, tmp_path: Path) -> None:
    service.recompute(engine)
    with read_scope(engine) as session:
        assert report.draw(session, "en", tmp_path) == []
        assert all(one.customers == 0 for one in report.by_segment(session, "en"))
