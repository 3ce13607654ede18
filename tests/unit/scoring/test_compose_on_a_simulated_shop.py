"""The whole way from events to suggested actions, on a shop that behaves like one.

The model is the plain own-rhythm rule, so that nothing but policy and scoring is on trial here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.special import expit

from churnguard.clock import to_us
from churnguard.events.simulation import SimulationPlan, simulate
from churnguard.events.timeline import Timeline
from churnguard.features.build import FeatureRows, build_features
from churnguard.features.catalogue import Catalogue
from churnguard.policy import Holdout, mean_spend, read_playbook
from churnguard.policy.segments import SEGMENTS
from churnguard.scoring.compose import ScoringContext, compose_scores
from churnguard.scoring.score import ModelName

END = datetime(2026, 11, 1, tzinfo=UTC)
ORDERS_ONLY = pa.array(["order_completed", "product_ordered", "order_refunded"])


@dataclass(frozen=True)
class RhythmRule:
    """Risk by how late the next order is; by days alone where no rhythm is known."""

    names: tuple[str, ...]

    def margins(self, X):
        gap, days = (X[:, self.names.index(n)] for n in ("order_gap_ratio", "days_since_order"))
        return np.where(np.isnan(gap), (days - 60) / 60, np.log2(np.maximum(gap, 0.05) / 1.5))

    def risks(self, X):
        return expit(self.margins(X))

    def contributions(self, X):
        shares = np.zeros((len(X), len(self.names) + 1))
        shares[:, self.names.index("days_since_order")] = self.margins(X) + 0.4
        shares[:, -1] = -0.4
        return shares

    def intervals(self, margins):
        return np.column_stack([expit(margins - 0.5), expit(margins + 0.5)])


@pytest.fixture(scope="module")
def shop():
    return simulate(SimulationPlan(customers=600, days=450, seed=5, end=END))


def scored(events, book, repo_root, **changes):
    """Return context, rows and scores of everybody in the log."""
    counts = {row["values"]: row["counts"] for row in pc.value_counts(events["event"]).to_pylist()}
    catalogue, _ = Catalogue.of().available(counts)
    timeline = Timeline.from_arrow(events)
    codes = np.arange(len(timeline.customer_ids), dtype=np.int32)
    rows = build_features(timeline, catalogue, codes, np.full(len(codes), to_us(END)))
    context = ScoringContext(
        model=RhythmRule(catalogue.names),
        model_name=ModelName("1", "sha256:0", "none", None),
        catalogue=catalogue,
        playbook=read_playbook(repo_root / "serving" / "playbook.toml"),
        holdout=Holdout(b"0123456789abcdef"),
        shop_mean_spend=mean_spend(rows.values[:, catalogue.names.index("net_spend_365d")]),
        data_through=END,
        **changes,
    )
    return context, rows, compose_scores(context, rows, book, {}, as_of=END)


@pytest.fixture(scope="module")
def full(shop, repo_root):
    book = {row["customer_id"]: row for row in shop.customers.to_pylist()}
    return book, *scored(shop.events, book, repo_root)


def test_many_different_actions_are_suggested(full):
    """A shop with every kind of event gets use out of most of the playbook."""
    *_, scores = full
    chosen = Counter(score.action.code for score in scores if score.action)
    assert len(chosen) >= 12
    assert 0.05 < chosen["leave_alone"] / chosen.total() < 0.8
    assert all(score.action.expected_gain >= 0 for score in scores if score.action)


def test_every_segment_occurs(full):
    """The rules cut a shop into all of their segments."""
    *_, scores = full
    found = {score.segment for score in scores if score.action}
    assert found == {segment.code for segment in SEGMENTS}


def test_orders_alone_and_no_book_still_suggest_several_actions(shop, repo_root):
    """A shop that has nothing but an order file gets what needs neither clicks nor consent."""
    events = shop.events.filter(pc.is_in(pc.cast(shop.events["event"], pa.string()), ORDERS_ONLY))
    context, _, scores = scored(events, {}, repo_root)
    chosen = Counter(score.action.code for score in scores if score.action)
    assert len(chosen) >= 5
    needs = {context.playbook.by_code[code].consent for code in chosen}
    assert needs == {"none"}


def test_nobody_is_contacted_without_a_plain_yes(full):
    """Consent in the book is kept for every customer and channel."""
    book, context, _, scores = full
    asked = 0
    for score in scores:
        if score.action is None:
            continue
        consent = context.playbook.by_code[score.action.code].consent
        if consent != "none":
            asked += 1
            assert book[score.customer_id][f"consent_{consent}"] is True
    assert asked > 50


def test_one_customer_equals_many_to_the_last_bit(full):
    """Asked for alone, every tenth customer gets the record of the batch."""
    book, context, rows, scores = full
    for place in range(0, len(rows), 10):
        only = slice(place, place + 1)
        alone = FeatureRows(
            rows.values[only], rows.names, rows.customer_ids[only], rows.cutoffs[only]
        )
        assert compose_scores(context, alone, book, {}, as_of=END) == [scores[place]]
