"""Whose signals are held until it is known who is worth explaining."""

from __future__ import annotations

import numpy as np
import pytest

from churnguard.features.build import FeatureRows
from churnguard.jobs.score import worth_explaining
from churnguard.jobs.shortlist import Shortlist
from churnguard.testing import build_action, build_score

EVERYBODY = [f"C{number}" for number in range(400)]


def rows_of(names: list[str]) -> FeatureRows:
    """One signal a customer, which is the number in the name."""
    values = np.array([[float(name[1:])] for name in names])
    return FeatureRows(values, ("a",), np.array(names, object), np.zeros(len(names), np.int64))


@pytest.mark.parametrize("most", [0, 1, 7, 30, None])
def test_whoever_turns_out_to_be_worth_explaining_was_kept(most) -> None:
    """Equals are decided by name, as in the end; who has no number is never kept."""
    random = np.random.default_rng(5)
    scores = [
        build_score(
            name,
            churn_risk=random.integers(1, 9) / 10,
            action=build_action(expected_gain=float(random.integers(0, 4))),
        )
        if random.random() < 0.9
        else build_score(name, status="abstained", status_reason="no_order_yet")
        for name in EVERYBODY
    ]
    kept = Shortlist(most)
    for start in range(0, len(scores), 25):
        some = scores[start : start + 25]
        kept.add(rows_of([score.customer_id for score in some]), some)
    wanted = worth_explaining(sorted(scores, key=lambda score: score.customer_id), most)
    found = list(kept.parts(wanted))
    names = [name for part in found for name in part.customer_ids]
    assert sorted(names) == sorted(wanted)
    assert [float(name[1:]) for name in names] == [n for part in found for n in part.values[:, 0]]
    held = sum(len(part) for part in kept.parts(EVERYBODY))
    assert held <= (len(EVERYBODY) if most is None else 3 * most)
