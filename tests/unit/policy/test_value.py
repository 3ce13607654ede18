"""Expected value: own spend as far as it can be trusted, the shop's mean for the rest."""

from __future__ import annotations

import math

import numpy as np
import pytest

from churnguard.policy.value import (
    expected_value,
    expected_value_year,
    expected_values,
    mean_spend,
)


def value(spend, orders, **changes):
    given = {"shop_mean_spend": 200.0, "horizon_days": 365, "margin": 1.0} | changes
    return expected_values(np.array([spend]), np.array([orders]), **given)[0]


@pytest.mark.parametrize(
    ("spend", "orders", "expected"),
    [
        (800.0, 0.5, 500.0),
        (800.0, 1.0, 600.0),
        (800.0, 0.0, 200.0),
        (0.0, 0.5, 100.0),
        (-50.0, 0.5, 100.0),
        (math.nan, 2.0, 200.0),
        (800.0, math.nan, 200.0),
        (math.nan, math.nan, 200.0),
    ],
)
def test_credibility(spend, orders, expected):
    """Half an order counts half with k = 0.5; what is not known counts not at all."""
    assert value(spend, orders) == pytest.approx(expected)


def test_horizon_and_margin_scale_it():
    """Value is margin over the horizon, not spend over a year."""
    assert value(800.0, 0.5, horizon_days=73, margin=0.3) == pytest.approx(500 * 0.2 * 0.3)


def test_more_orders_mean_more_trust_in_own_spend():
    """The estimate moves from the shop's mean towards own spend and never past it."""
    values = [value(800.0, float(orders)) for orders in range(0, 200, 10)]
    assert values == sorted(values)
    assert values[0] == 200
    assert 798 < values[-1] < 800


def test_a_shop_that_lost_money_is_worth_nothing_rather_than_less():
    """A mean below zero (all refunds) never makes a value negative."""
    assert value(math.nan, 0.0, shop_mean_spend=-10.0) == 0


def test_mean_spend_of_nobody_is_nothing():
    """No customers, no mean, no warning."""
    assert mean_spend(np.array([])) == 0
    assert mean_spend(np.array([math.nan])) == 0


def expected(risk, spend, rhythm, **changes):
    given = {"horizon_days": 90, "margin": 1.0} | changes
    return expected_value(
        np.array([risk]),
        np.array([7.0]),
        expected_spend=np.array([spend]),
        rhythm_risk=np.array([rhythm]),
        **given,
    )[0]


def test_the_chance_is_the_models_and_the_money_is_of_those_who_come():
    """120 expected at a chance of 40 % by rhythm are 300 for one who comes; the model says 75 %."""
    assert expected(0.25, 120.0, 0.6) == pytest.approx(225.0)
    assert expected(0.25, 120.0, 0.6, horizon_days=45, margin=0.2) == pytest.approx(22.5)


@pytest.mark.parametrize(
    ("spend", "rhythm"), [(math.nan, 0.5), (120.0, math.nan), (120.0, 1.0), (math.nan, math.nan)]
)
def test_where_the_signals_say_nothing_the_plain_estimate_stands(spend, rhythm):
    """Unknown spend, unknown chance, or no chance at all."""
    assert expected(0.25, spend, rhythm) == 7.0


def test_without_the_signals_the_plain_estimate_stands():
    """A catalogue without the lifetime family."""
    plain = np.array([7.0, 8.0])
    found = expected_value(
        np.array([0.1, 0.9]),
        plain,
        expected_spend=None,
        rhythm_risk=None,
        horizon_days=90,
        margin=0.3,
    )
    assert found.tolist() == plain.tolist()


def test_a_year_lies_between_what_came_and_what_the_rhythm_expects():
    """Unknown on either side, the plain estimate stands; more refunded than spent is nothing."""
    past = np.array([400.0, 400.0, np.nan, -5.0])
    ahead = np.array([90.0, np.nan, 90.0, 90.0])
    plain = np.full(4, 7.0)
    found = expected_value_year(past, plain, expected_spend=ahead, margin=0.25)
    assert 0.25 * 365 < found[0] < 0.25 * 400
    assert found[1:].tolist() == [7.0, 7.0, 0.0]
    assert expected_value_year(past, plain, expected_spend=None, margin=1.0).tolist() == [7.0] * 4


def test_a_higher_risk_is_worth_less():
    """Everything else alike."""
    values = [expected(risk, 120.0, 0.6) for risk in (0.0, 0.3, 0.6, 1.0)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == 0
