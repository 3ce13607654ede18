"""Reasons add up, name the strongest signal, and speak with the customer's own numbers."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from churnguard.features.catalogue import Catalogue
from churnguard.scoring.reasons import ReasonWriter, points_per_log_odds, sigmoid

NAMES = ("days_since_order", "order_gap_ratio", "order_gap_median", "orders_90d", "spend_90d")
VALUES = np.array([24.0, 3.4, 7.0, 2.0, 118.5])


@pytest.fixture(scope="module")
def everything():
    return Catalogue.of()


@pytest.fixture(scope="module")
def writer(everything):
    return ReasonWriter(everything.subset(NAMES), currency="GBP")


def contributions(*shares, base=-0.4):
    return np.array([*shares, base])


def test_a_family_is_told_once_with_the_sum_of_its_signals(writer):
    """Five columns about one silence are one reason, and all effects lead to the margin."""
    told = writer.reasons(contributions(0.5, 0.7, -0.1, -0.2, -0.3), VALUES)
    assert [(reason.family, reason.code) for reason in told] == [
        ("rhythm", "order_gap_ratio"),
        ("orders", "spend_90d"),
    ]
    assert told[0].effect == math.fsum([0.5, 0.7, -0.1])
    assert told[1].effect == math.fsum([-0.2, -0.3])
    points = sum(reason.effect_points for reason in told)
    assert points == pytest.approx(sigmoid(0.2) - sigmoid(-0.4), abs=1e-12)


def test_the_strongest_signal_pulls_the_way_its_family_goes(writer):
    """A family that lowers the risk is not told by the one signal in it that raises it."""
    (told,) = writer.reasons(contributions(0.9, -0.5, -0.6, 0, 0), VALUES)
    assert told.effect < 0
    assert told.code == "order_gap_median"


def test_families_without_effect_are_left_out(writer):
    """What did not matter is no reason."""
    assert writer.reasons(contributions(0, 0, 0, 0, 0), VALUES) == ()


def test_a_reason_tells_now_and_usual(writer):
    """The signal now, the customer's own usual, and both in the sentence."""
    (told,) = writer.reasons(contributions(0.5, 0, 0, 0, 0), VALUES)
    assert (told.value, told.usual) == (24.0, 7.0)
    for language in ("en", "he"):
        assert "24" in told.text[language]
        assert "7" in told.text[language]


def test_what_is_usual_among_customers_stands_in_for_an_unknown_own_usual(everything):
    """Peers are told only where the customer has no usual of their own."""
    writer = ReasonWriter(everything.subset(NAMES), peers={"days_since_order": 31.0})
    own, unknown = VALUES, np.where(np.arange(5) == 2, math.nan, VALUES)
    shares = contributions(0.5, 0, 0, 0, 0)
    assert [writer.reasons(shares, values)[0].usual for values in (own, unknown)] == [7.0, 31.0]


def test_a_missing_number_is_none_and_never_shown(writer):
    """No reason ever shows 'nan'."""
    for told in writer.reasons(contributions(1, 0, 0, 1, 0), np.full(5, math.nan)):
        assert told.value is None
        assert not any("nan" in text for text in told.text.values())


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("number", [0.0, 0.4, 1.0, 2.0, 3.5, 1234.5, -2.5])
def test_every_signal_has_a_sentence_in_both_languages(everything, number, missing):
    """With numbers of every size, and without any, each signal says something whole."""
    writer = ReasonWriter(everything)
    values = np.full(len(everything), math.nan if missing else number)
    for column, signal in enumerate(everything.signals):
        shares = np.zeros(len(everything) + 1)
        shares[column] = 1.0
        (told,) = writer.reasons(shares, values)
        assert told.code == (signal.told_as or signal.name)
        assert re.search("[א-ת]", told.text["he"]), signal.name
        assert re.search("[A-Za-z]", told.text["en"]), signal.name
        for text in told.text.values():
            assert not re.search(r"[{}]|nan", text), (signal.name, text)


@pytest.mark.parametrize(
    ("base", "margin"), [(0.0, 0.0), (-0.4, 0.2), (2.0, -30.0), (-800.0, 800.0)]
)
def test_points_add_up_from_base_risk_to_risk(base, margin):
    """Also at the ends, where the logistic function is flat."""
    way = points_per_log_odds(base, margin) * (margin - base)
    assert way == pytest.approx(sigmoid(margin) - sigmoid(base), abs=1e-12)


def test_points_do_not_jump_where_margin_and_base_meet():
    """The chord becomes the tangent."""
    tangent = points_per_log_odds(0.3, 0.3)
    for way in (1e-15, 1e-11, 1e-8, -1e-8):
        assert points_per_log_odds(0.3, 0.3 + way) == pytest.approx(tangent, rel=1e-8)


@pytest.mark.parametrize(
    ("days", "said"),
    [(1, "יום אחד"), (2, "יומיים"), (10, "10 ימים"), (11, "11 יום"), (24, "24 יום")],
)
def test_hebrew_counts_days_as_hebrew_does(writer, days, said):
    """One, two, few and many each have their own form."""
    values = np.array([float(days), 3.4, 7.0, 2.0, 118.5])
    (told,) = writer.reasons(contributions(0.5, 0, 0, 0, 0), values)
    assert f"לפני {said};" in told.text["he"]
