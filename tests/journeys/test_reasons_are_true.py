"""The reasons of a trained model are true of it, from the bundle that serves."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from churnguard.clock import to_us
from churnguard.jobs.champion import champion_for
from churnguard.jobs.explain import explain
from churnguard.jobs.ports import silent
from churnguard.jobs.scoring_context import scoring_context
from churnguard.jobs.snapshots import read_history, take_snapshots
from churnguard.scoring.fidelity import fidelity

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def scored(trained):
    """The champion's context and the signals of everybody who is eligible now."""
    shop, now = trained.shop, trained.shop.clock()
    champion = champion_for(shop, None)
    context = scoring_context(shop, champion, as_of=now)
    snapshots = take_snapshots(
        read_history(shop, known_before=now, progress=silent),
        context.catalogue,
        [to_us(now)],
        population=champion.bundle.population,
        horizon_days=context.horizon_days,
        look_back_days=context.look_back_days,
        progress=silent,
    )
    return context, snapshots.rows


@pytest.mark.parametrize("to", ["own", "peers"])
def test_what_raises_the_risk_does_and_what_protects_does(scored, to):
    """Of the three strongest reasons at least 95 % have the right sign."""
    context, rows = scored
    found = fidelity(
        context.model, context.writer, rows.values, usual=context.usual_contributions, to=to
    ).to_dict()
    assert found["shown"]["reasons"] > 300
    assert found["shown"]["right_sign"] >= 0.95
    assert found["shown"]["rank_correlation"] > 0.8


def test_the_bundle_keeps_aggregates_only(trained):
    """Peers stand in reasons.json, of everybody and by segment."""
    folder = trained.root / "bundles" / trained.report.bundle.removeprefix("sha256:")
    kept = json.loads((folder / "reasons.json").read_text(encoding="utf-8"))
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    assert {"peers", "segment_peers"} == kept.keys()
    assert not kept.keys() & facts.keys()
    assert kept["peers"]["days_since_order"] > 0
    assert kept["segment_peers"]
    assert all(math.isfinite(number) for number in kept["peers"].values())


def test_an_explanation_parts_what_raises_from_what_protects(trained, scored):
    """With the value now, the own usual and that of peers."""
    context, rows = scored
    risks = context.model.risks(rows.values)
    customer = str(rows.customer_ids[int(np.argsort(risks)[len(risks) // 2])])
    told = explain(trained.shop, customer)
    text = told.to_text()
    assert "Raises the risk:" in text
    assert "Protects:" in text
    assert text.index("Raises the risk:") < text.index("Protects:")
    assert "now " in text
    families = [reason["family"] for reason in told.to_dict()["reasons"]]
    assert len(families) == len(set(families))
    assert any(reason["peers_of"] for reason in told.to_dict()["reasons"])
