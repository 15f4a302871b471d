"""What customers are worth, and whether the uncertainty told is the uncertainty there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rapport.value import fitting, rules
from rapport.value.worth import LEVEL, Models, Purchases, Terms, worth
from tests.value.conftest import Simulated, simulate

YEAR = 364.0


@pytest.fixture(scope="module")
def shop() -> Simulated:
    return simulate(3_000, seed=1)


@pytest.fixture(scope="module")
def models(shop: Simulated) -> Models:
    fitted = fitting.fit(shop.people, shop.as_of_day)
    assert fitted.models
    return fitted.models


def terms(shop: Simulated, models: Models | None) -> Terms:
    people = shop.people
    habits = rules.habits(people.buying_days, people.span_days, people.revenue_minor.astype(float))
    return Terms(habits, models, YEAR, 90.0, 0.0, None)


def test_the_interval_holds_what_comes(shop: Simulated, models: Models) -> None:
    """At least 80 % of all customers, and of those whose interval begins above zero about 80 %."""
    ahead = worth(shop.people, terms(shop, models), shop.as_of_day)
    inside = (shop.later_value >= ahead.low) & (shop.later_value <= ahead.high)
    assert inside.mean() >= LEVEL
    assert inside.mean() < 0.97
    busy = ahead.low > 0
    assert busy.sum() > 50
    assert inside[busy].mean() == pytest.approx(LEVEL, abs=4 * np.sqrt(0.16 / busy.sum()))


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_it_holds_in_small_shops_too_where_the_parameters_are_unsure(seed: int) -> None:
    small = simulate(300, seed)
    fitted = fitting.fit(small.people, small.as_of_day)
    assert fitted.models, fitted.reason
    ahead = worth(small.people, terms(small, fitted.models), small.as_of_day)
    inside = (small.later_value >= ahead.low) & (small.later_value <= ahead.high)
    assert inside.mean() >= LEVEL - 0.03


def test_what_is_expected_comes_on_average(shop: Simulated, models: Models) -> None:
    ahead = worth(shop.people, terms(shop, models), shop.as_of_day)
    assert ahead.clv.sum() == pytest.approx(shop.later_value.sum(), rel=0.12)
    assert np.all(ahead.low <= ahead.clv)
    assert np.all(ahead.clv <= ahead.high)


def test_better_history_is_worth_more(models: Models, shop: Simulated) -> None:
    people = Purchases(
        np.array([1, 4, 4, 4]), np.array([300, 300, 300, 300]), np.array([300, 690, 400, 690]),
        np.array([10_000, 40_000, 40_000, 400_000]),
    )  # fmt: skip
    ahead = worth(people, terms(shop, models), 700)
    assert ahead.p_buy[0] < ahead.p_buy[1] == ahead.p_buy[3]
    assert ahead.p_buy[2] < ahead.p_buy[1]  # silent for long
    assert ahead.clv[2] < ahead.clv[1] < ahead.clv[3]
    assert np.isnan(ahead.gap_days[0])
    assert ahead.gap_days[1] > ahead.gap_days[2] > 0


def test_one_customer_alone_gets_the_same_numbers(shop: Simulated, models: Models) -> None:
    everyone = worth(shop.people, terms(shop, models), shop.as_of_day)
    for i in (0, 17, 2_999, int(np.argmax(shop.people.buying_days))):
        alone = worth(shop.people.part(i, i + 1), terms(shop, models), shop.as_of_day)
        assert (alone.p_buy[0], alone.clv[0], alone.low[0], alone.high[0]) == pytest.approx(
            (everyone.p_buy[i], everyone.clv[i], everyone.low[i], everyone.high[i]), rel=1e-9
        )


def test_margin_and_later_money_scale_everything(shop: Simulated, models: Models) -> None:
    plain = worth(shop.people, terms(shop, models), shop.as_of_day)
    half = worth(shop.people, replace(terms(shop, models), margin_share=0.5), shop.as_of_day)
    assert half.clv == pytest.approx(plain.clv / 2)
    assert half.high == pytest.approx(plain.high / 2)
    later = worth(shop.people, replace(terms(shop, models), discount_rate=0.1), shop.as_of_day)
    assert later.clv == pytest.approx(plain.clv * 1.1 ** -(YEAR / 2 / 365.25))


@pytest.mark.parametrize("by_model", [True, False])
def test_a_loss_on_each_sale_turns_the_range_round(shop: Simulated, models: Models, by_model: bool) -> None:
    chosen = terms(shop, models if by_model else None)
    plain = worth(shop.people, chosen, shop.as_of_day)
    loss = worth(shop.people, replace(chosen, margin_share=-0.5), shop.as_of_day)
    assert loss.low == pytest.approx(-plain.high / 2)
    assert loss.high == pytest.approx(-plain.low / 2)
    assert np.all(loss.low <= loss.clv)
    assert np.all(loss.clv <= loss.high)


@pytest.mark.parametrize("by_model", [True, False])
def test_nothing_breaks_at_the_edges(models: Models, shop: Simulated, by_model: bool) -> None:
    people = Purchases(
        np.array([1, 1, 700, 2, 3]), np.array([700, 700, 0, 700, 0]), np.array([700, 700, 699, 701, 1]),
        np.array([0, -5_000, 10**12, 1, 50]),
    )  # fmt: skip
    ahead = worth(people, terms(shop, models if by_model else None), 701)
    for values in (ahead.p_buy, ahead.clv, ahead.low, ahead.high):
        assert np.all(np.isfinite(values))
        assert np.all(values >= 0)
    assert np.all(ahead.p_buy <= 1)


def test_rules_hold_their_interval_roughly_too(shop: Simulated) -> None:
    """Rules know neither who leaves nor how values differ, so less is asked of them."""
    ahead = worth(shop.people, terms(shop, None), shop.as_of_day)
    inside = (shop.later_value >= ahead.low) & (shop.later_value <= ahead.high)
    assert inside.mean() > 0.75


def few(count: int, days: int = 2) -> Purchases:
    ones = np.ones(count, np.int64)
    return Purchases(days * ones, 0 * ones, 300 * ones + np.arange(count), 10_000 * ones)


@pytest.mark.parametrize(
    ("people", "as_of_day", "reason"),
    [
        (few(0), 400, "Nobody has ordered yet"),
        (few(30), 400, "30 customers are too few for a model; it takes 100"),
        (few(200, days=1), 600, "0 customers came back"),
        (Purchases(*(np.array([v] * 200) for v in (2, 0, 20, 100))), 30, "30 days of orders are too few"),
        (few(300), 700, ""),  # all alike: one of the two fits says so
    ],
)
def test_why_there_is_no_model_is_said(people: Purchases, as_of_day: int, reason: str) -> None:
    fitted = fitting.fit(people, as_of_day)
    assert fitted.models is None
    assert reason in fitted.reason
    assert fitted.reason.endswith(".")


def test_models_survive_being_stored(models: Models) -> None:
    import json

    assert fitting.from_json(json.loads(json.dumps(fitting.as_json(models)))) == models
    assert fitting.from_json({"details": {}}) is None
