"""What holds for the reasons of every customer and model."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from churnguard.features.catalogue import Catalogue
from churnguard.scoring.reasons import ReasonWriter, sigmoid

CATALOGUE = Catalogue.of()
WRITER = ReasonWriter(CATALOGUE)
shares = arrays(np.float64, len(CATALOGUE) + 1, elements=st.floats(-3, 3) | st.just(0.0))
signals = arrays(np.float64, len(CATALOGUE), elements=st.floats(0, 1e6) | st.just(math.nan))


@given(shares, signals)
def test_reasons_lead_from_the_base_to_the_customer(contributions, values):
    """In log-odds and in risk points, whatever the model says."""
    reasons = WRITER.reasons(contributions, values)
    base, margin = float(contributions[-1]), math.fsum(contributions.tolist())
    assert abs(base + math.fsum(reason.effect for reason in reasons) - margin) < 1e-9
    points = math.fsum(reason.effect_points for reason in reasons)
    assert abs(sigmoid(base) + points - sigmoid(margin)) < 1e-9
    assert all(reason.effect * reason.effect_points >= 0 for reason in reasons)
    assert len({reason.family for reason in reasons}) == len(reasons)


@given(shares, signals)
def test_a_reason_is_told_by_a_signal_of_its_family_that_pulls_its_way(contributions, values):
    """Some signal told by the code pulls as the family does, and none pulls harder."""
    for reason in WRITER.reasons(contributions, values):
        family = WRITER.families[reason.family]
        way = math.copysign(1.0, reason.effect)
        pulls = {column: way * contributions[column] for column in family}
        strongest = [column for column in family if pulls[column] == max(pulls.values())]
        assert max(pulls.values()) > 0
        assert reason.code in {
            CATALOGUE.signals[column].told_as or CATALOGUE.names[column] for column in strongest
        }


@given(shares, signals)
def test_columns_in_another_order_give_the_same_reasons(contributions, values):
    """Sums are exact, so they do not depend on the order in which signals stand."""
    turned = ReasonWriter(CATALOGUE.subset(CATALOGUE.names[::-1]))
    told = WRITER.reasons(contributions, values)
    other = turned.reasons(np.r_[contributions[:-1][::-1], contributions[-1]], values[::-1])
    assert [(r.family, r.effect, r.effect_points) for r in told] == [
        (r.family, r.effect, r.effect_points) for r in other
    ]
