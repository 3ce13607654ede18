"""Peers are medians of 20 customers or more, by segment and of everybody, and reasons tell them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from churnguard.features.catalogue import Catalogue
from churnguard.scoring.peers import medians, medians_by_group, usual_customer
from churnguard.scoring.reasons import ReasonWriter, from_usual

NAMES = ("days_since_order", "order_gap_ratio", "order_gap_median", "orders_90d", "spend_90d")
VALUES = np.array([24.0, 3.4, 7.0, 2.0, 118.5])


def test_a_median_of_fewer_than_twenty_customers_is_not_kept():
    """19 customers with a value are too few, 20 are enough; missing values do not count."""
    values = np.full((25, 2), 3.0)
    values[:6, 0] = np.nan
    assert medians(values, ["rare", "common"]) == {"common": 3.0}
    values[5, 0] = 3.0
    assert set(medians(values, ["rare", "common"])) == {"rare", "common"}


def test_a_column_that_nobody_has_is_no_median():
    """All missing: no number and no warning."""
    assert medians(np.full((30, 1), np.nan), ["never"]) == {}


def test_small_segments_have_no_peers():
    """Nor have customers without a segment."""
    values = np.arange(60.0).reshape(60, 1)
    groups = ["loyal"] * 30 + ["new"] * 19 + [None] * 11
    assert medians_by_group(values, ["a"], groups) == {"loyal": {"a": 14.5}}


def test_the_usual_customer_lacks_what_is_not_known():
    """In the order of the catalogue."""
    usual = usual_customer({"b": 1.0}, ["a", "b"])
    assert math.isnan(usual[0])
    assert usual[1] == 1.0


@pytest.fixture(scope="module")
def writer():
    return ReasonWriter(
        Catalogue.of().subset(NAMES),
        peers={"days_since_order": 31.0, "spend_90d": 80.0},
        segment_peers={"loyal": {"days_since_order": 12.0}},
    )


@pytest.mark.parametrize(
    ("segment", "peers", "peers_of"),
    [("loyal", 12.0, "loyal"), ("new", 31.0, "everybody"), (None, 31.0, "everybody")],
)
def test_a_reason_tells_own_and_peers(writer, segment, peers, peers_of):
    """The segment goes before everybody; the customer's own usual stays beside it."""
    shares = np.array([0.5, 0, 0, 0, 0, -0.4])
    (told,) = writer.reasons(shares, VALUES, segment=segment)
    assert (told.own, told.peers, told.peers_of) == (7.0, peers, peers_of)
    assert told.usual == 7.0
    assert told.raises


def test_without_an_own_usual_peers_are_the_usual(writer):
    """Spend has no usual of one's own; orders have neither."""
    (spend,) = writer.reasons(np.array([0, 0, 0, 0, -0.5, 0.0]), VALUES)
    assert (spend.own, spend.usual, spend.peers) == (None, 80.0, 80.0)
    assert not spend.raises
    (orders,) = writer.reasons(np.array([0, 0, 0, 0.5, 0, 0.0]), VALUES)
    assert (orders.own, orders.usual, orders.peers, orders.peers_of) == (None, None, None, None)


def test_reasons_from_the_usual_customer_keep_the_sum():
    """Every row's total is what it was, and the usual customer has no reason at all."""
    random = np.random.default_rng(4)
    shares, usual = random.normal(size=(50, 8)), random.normal(size=8)
    usual[-1] = shares[0, -1]
    shares[:, -1] = usual[-1]
    moved = from_usual(shares, usual)
    np.testing.assert_allclose(moved.sum(axis=1), shares.sum(axis=1), atol=1e-12)
    assert (from_usual(usual[None, :], usual)[0, :-1] == 0).all()
    assert moved[0, -1] == pytest.approx(usual.sum())
