"""What the Gamma-Gamma model promises: published numbers, true parameters found, no thin fits."""

from __future__ import annotations

import numpy as np
import pytest

from churnguard.errors import NotEnoughHistory
from churnguard.features.gamma_gamma import GammaGamma, fit_gamma_gamma

CDNOW = GammaGamma(p=6.25, q=3.74, v=15.44)
"""Fader, Hardie: "The Gamma-Gamma model of monetary value" (2013), section 4."""


@pytest.mark.parametrize(
    ("orders", "mean", "expected"),
    [
        (0, 0.0, 35.17),
        (1, 11.77, 18.91),
        (2, 22.35, 24.66),
    ],
)
def test_the_published_customers_come_out(orders, mean, expected):
    """Customers of the CDNOW sample, as published with three more digits of the parameters."""
    assert CDNOW.expected_value(orders, orders * mean) == pytest.approx(expected, rel=2e-3)


def test_the_true_parameters_are_found():
    """Values drawn from the published model give its parameters back."""
    random = np.random.default_rng(1)
    orders = random.integers(2, 20, 200_000)
    total = random.gamma(6.25 * orders) / random.gamma(3.74, 1 / 15.44, 200_000)
    found = fit_gamma_gamma(orders, total)
    assert (found.p, found.q, found.v) == pytest.approx((6.25, 3.74, 15.44), rel=0.05)


def test_the_order_of_customers_does_not_matter():
    """The same customers give the same bits in any order."""
    random = np.random.default_rng(2)
    orders, total = random.integers(1, 9, 500), random.gamma(3.0, 30.0, 500)
    assert fit_gamma_gamma(orders, total) == fit_gamma_gamma(orders[::-1], total[::-1])


def test_the_currency_only_scales():
    """Money in another unit scales the value and nothing else."""
    random = np.random.default_rng(3)
    orders, total = random.integers(1, 9, 500), random.gamma(3.0, 30.0, 500)
    one, hundred = fit_gamma_gamma(orders, total), fit_gamma_gamma(orders, total * 100)
    value = one.expected_value(3, 90.0)
    assert hundred.expected_value(3, 9000.0) == pytest.approx(100 * value, rel=0.01)


def test_many_orders_speak_for_themselves_and_few_are_drawn_to_the_shop():
    """A new customer is worth the shop's mean, an old one their own."""
    shop = float(CDNOW.expected_value(0, 0.0))
    assert abs(CDNOW.expected_value(1, 5.0) - 5.0) > abs(CDNOW.expected_value(200, 1000.0) - 5.0)
    assert 5.0 < CDNOW.expected_value(1, 5.0) < shop


@pytest.mark.parametrize("orders", [[2] * 19, [1] * 40, [0] * 40])
def test_a_thin_shop_is_refused(orders):
    """Too few customers, or too few with two orders: no fit is made up."""
    with pytest.raises(NotEnoughHistory, match="customers with the value of an order"):
        fit_gamma_gamma(orders, [10.0] * len(orders))


def test_orders_of_no_value_are_passed_over():
    """Gifts for nothing are neither many nor few: they do not touch the fit."""
    random = np.random.default_rng(4)
    orders, total = random.integers(1, 9, 200), random.gamma(3.0, 30.0, 200)
    with_gifts = fit_gamma_gamma([*orders, 3, 4], [*total, 0.0, 0.0])
    assert with_gifts == fit_gamma_gamma(orders, total)
