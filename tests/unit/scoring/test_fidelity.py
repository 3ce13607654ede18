"""The measure of reasons finds what is right and what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from churnguard.features.catalogue import Catalogue
from churnguard.scoring.fidelity import fidelity
from churnguard.scoring.peers import medians, usual_customer
from churnguard.scoring.reasons import ReasonWriter

NAMES = ("days_since_order", "order_gap_median", "orders_90d", "spend_90d")
WEIGHTS = np.array([0.02, 0.0, -0.4, 0.001])


class Additive:
    """A model of which every contribution is known; ``turned`` tells them with the wrong sign."""

    def __init__(self, *, turned=False, weights=WEIGHTS):
        self.sign = -1.0 if turned else 1.0
        self.weights = weights

    def margins(self, X):
        return np.nan_to_num(X) @ self.weights - 0.3

    def contributions(self, X):
        base = np.full((len(X), 1), -0.3)
        return np.hstack([self.sign * np.nan_to_num(X) * self.weights, base])


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    return random.exponential([60.0, 20.0, 2.0, 150.0], size=(400, 4))


@pytest.fixture(scope="module")
def writer(rows):
    return ReasonWriter(Catalogue.of().subset(NAMES), peers=medians(rows, NAMES))


def usual(model, writer):
    return model.contributions(usual_customer(writer.peers, NAMES)[None, :])[0]


def test_an_additive_model_is_told_exactly(rows, writer):
    """Effect told and effect found are the same number."""
    model = Additive()
    found = fidelity(model, writer, rows, usual=usual(model, writer), to="peers")
    np.testing.assert_allclose(found.told, found.found, atol=1e-12)
    told = found.to_dict()
    assert told["shown"]["right_sign"] == 1.0
    assert told["shown"]["rank_correlation"] == pytest.approx(1.0)
    assert set(told["by_family"]) == set(found.families)


def test_reasons_that_lie_are_found_out(rows, writer):
    """With the wrong sign everywhere nothing is right."""
    model = Additive(turned=True)
    figures = fidelity(model, writer, rows, usual=usual(model, writer), to="peers").to_dict()
    assert figures["shown"]["right_sign"] == 0.0
    assert figures["shown"]["rank_correlation"] == pytest.approx(-1.0)


def test_reasons_from_a_base_that_nobody_has_are_less_true(rows, writer):
    """From 0 of everything, a customer below the median still seems pushed up by it."""
    model = Additive()
    from_base = fidelity(model, writer, rows, usual=None, to="peers")
    assert from_base.right_sign(from_base.any) < 0.8


def test_the_own_usual_goes_before_that_of_peers(rows, writer):
    """A silence as long as the own gap is no reason, whatever it is among peers."""
    model = Additive()
    quiet = rows.copy()
    quiet[:, 0] = quiet[:, 1]
    place = writer.catalogue.names.index("days_since_order")
    found = fidelity(model, writer, quiet, usual=usual(model, writer), to="own")
    rhythm = next(k for k, columns in enumerate(writer.families.values()) if place in columns)
    np.testing.assert_allclose(found.found[:, rhythm], 0.0, atol=1e-12)


def test_one_named_signal_alone_is_moved(rows, writer):
    """Of a family only the signal that the reason names is set, so that the others stay told."""
    model = Additive()
    start = usual(model, writer)
    whole = fidelity(model, writer, rows, usual=start, to="peers")
    alone = fidelity(model, writer, rows, usual=start, to="peers", moved="signal")
    place = whole.families.index("orders")
    parts = model.contributions(rows) - start
    both = parts[:, 2] + parts[:, 3]  # orders_90d and spend_90d
    strongest = np.where(
        both > 0, np.maximum(parts[:, 2], parts[:, 3]), np.minimum(parts[:, 2], parts[:, 3])
    )
    np.testing.assert_allclose(whole.found[:, place], both, atol=1e-12)
    np.testing.assert_allclose(alone.found[:, place], strongest, atol=1e-12)


def test_what_is_told_by_a_signals_name_moves_with_it():
    """An estimate that has no sentence of its own goes with the signal that speaks for it."""
    names = ("days_since_order", "mbgnbd_alive", "orders_90d", "spend_90d")
    rows = np.random.default_rng(1).exponential([60.0, 0.5, 2.0, 150.0], size=(40, 4))
    writer = ReasonWriter(Catalogue.of().subset(names), peers=medians(rows, names))
    assert writer.told_by["days_since_order"] == (0, 1)
    model = Additive(weights=np.array([0.02, -1.5, -0.4, 0.001]))
    start = model.contributions(usual_customer(writer.peers, names)[None, :])[0]
    alone = fidelity(model, writer, rows, usual=start, to="peers", moved="signal")
    place = next(k for k, columns in enumerate(writer.families.values()) if 0 in columns)
    np.testing.assert_allclose(alone.told[:, place], alone.found[:, place], atol=1e-12)


def test_the_segment_goes_before_everybody(rows):
    """Where the segment's median is known it is the one that signals are set to."""
    model = Additive()
    writer = ReasonWriter(
        Catalogue.of().subset(NAMES),
        peers=medians(rows, NAMES),
        segment_peers={"loyal": {"orders_90d": 5.0}},
    )
    alike = rows.copy()
    alike[:, 2] = 5.0
    one = fidelity(model, writer, alike, usual=None, to="peers", segments=["loyal"] * len(rows))
    changed = fidelity(model, writer, alike, usual=None, to="peers")
    assert (one.found != changed.found).any()
