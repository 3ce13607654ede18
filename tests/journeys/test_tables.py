"""The Python functions on tables give the numbers of the commands, in pandas as in Arrow."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import churnguard
from churnguard.errors import InvalidRequest, NotEnoughHistory, SchemaError
from churnguard.jobs.snapshots import not_to_be_profiled
from churnguard.project.layout import Layout
from churnguard.project.loader import load_recipe

pytestmark = pytest.mark.timeout(300)

CUTOFFS = [datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 9, 15, tzinfo=UTC)]


@pytest.fixture(scope="module")
def events(trained) -> pa.Table:
    """All events of those who may be profiled."""
    table = pa.concat_tables(trained.shop.events.partitions(), promote_options="permissive")
    unwanted = pa.array(not_to_be_profiled(trained.shop), pa.string())
    return table.filter(pc.invert(pc.is_in(table["customer_id"], value_set=unwanted)))


@pytest.fixture(scope="module")
def model(trained, events):
    recipe = load_recipe(Layout(trained.root), "quick")
    return churnguard.train(events, recipe=recipe, until=trained.shop.clock())


def test_rows_and_labels_are_those_of_build(trained, events) -> None:
    expected, _ = churnguard.build(trained.shop, CUTOFFS)
    rows = churnguard.build_features(events, cutoffs=CUTOFFS)
    labels = churnguard.label(events, cutoffs=CUTOFFS)
    assert rows.append_column("churned", labels["churned"]).equals(expected)
    assert labels.select(["customer_id", "cutoff"]).equals(rows.select(["customer_id", "cutoff"]))
    assert 0 < labels["churned"].null_count < len(labels)


def test_a_model_scores_as_the_champion_of_the_project(trained, events, model) -> None:
    """Same data, same recipe: every customer's number, bounds and status, to the last bit."""
    as_of = datetime(2026, 10, 1, tzinfo=UTC)
    found = churnguard.score(events, model, as_of=as_of).to_pylist()
    champion = churnguard.score(trained.shop, [row["customer_id"] for row in found], as_of=as_of)
    assert sum(row["status"] == "scored" for row in found) > 100
    for row, score in zip(found, champion, strict=True):
        assert (row["status"], row["status_reason"]) == (score.status, score.status_reason)
        assert (row["churn_risk"], row["margin"]) == (score.churn_risk, score.margin)
        assert (row["risk_low"], row["risk_high"]) == (score.interval or (None, None))


def test_reasons_are_those_of_the_project(trained, events, model) -> None:
    """Effects to the last bit, sentences in the language asked for; only for whom it was asked."""
    as_of = datetime(2026, 10, 1, tzinfo=UTC)
    rows = churnguard.score(events, model, as_of=as_of, explain=True, currency="ILS").to_pylist()
    told = [row for row in rows if row["reasons"]][:40]
    ids = [row["customer_id"] for row in told]
    for row, score in zip(
        told, churnguard.score(trained.shop, ids, as_of=as_of, explain=True), strict=True
    ):
        assert (row["base_margin"], row["segment"]) == (score.base_margin, score.segment)
        for reason, other in zip(row["reasons"], score.reasons, strict=True):
            assert reason == {
                **{name: getattr(other, name) for name in reason if name != "text"},
                "text": other.text["en"],
            }
        total = math.fsum([row["base_margin"], *(reason["effect"] for reason in row["reasons"])])
        assert total == pytest.approx(row["margin"], abs=1e-9)
    frame = events.to_pandas()
    some = churnguard.score(frame, model, as_of=as_of, explain=ids[:3], language="he")
    assert some.loc[some["reasons"].notna(), "customer_id"].tolist() == ids[:3]
    assert "\u05d9" in some["reasons"].dropna().iloc[0][0]["text"]
    nobody = churnguard.score(events, model, as_of=as_of, explain=[])
    assert nobody["reasons"].null_count == len(nobody)


def test_the_backtest_is_that_of_train(trained, events, model) -> None:
    found = churnguard.backtest(events, recipe=model.recipe, until=trained.shop.clock())
    assert found.to_dict() == trained.report.backtest.to_dict()
    assert model.backtest.to_dict() == trained.report.backtest.to_dict()


def test_pandas_gives_pandas_and_the_same_numbers(events, model) -> None:
    """A frame, rows shuffled, words instead of categories, times of another unit."""
    frame = events.to_pandas().sample(frac=1.0, random_state=3)
    frame["event"] = frame["event"].astype(str)
    frame["occurred_at"] = frame["occurred_at"].astype("datetime64[ns, UTC]")
    rows = churnguard.build_features(frame, cutoffs=["2026-05-01"])
    assert isinstance(rows, pd.DataFrame)
    expected = churnguard.build_features(events, cutoffs=["2026-05-01"]).to_pandas()
    pd.testing.assert_frame_equal(rows, expected)
    scores = churnguard.score(frame, model)
    pd.testing.assert_frame_equal(scores, churnguard.score(events, model).to_pandas())
    labels = churnguard.label(frame, cutoffs=["2026-05-01"], horizon_days=30)
    assert labels["churned"].notna().all()


def test_a_model_for_scikit_learn_from_these_rows(events) -> None:
    """Rows and labels go into the estimator as they are."""
    cutoffs = [f"2026-0{month}-01" for month in range(2, 8)]
    rows = churnguard.build_features(events, cutoffs=cutoffs, catalogue=None).to_pandas()
    labels = churnguard.label(events, cutoffs=cutoffs).to_pandas()
    X = rows.drop(columns=["customer_id", "cutoff", "population"])
    past = (rows["cutoff"] < pd.Timestamp("2026-04-02", tz="UTC")).to_numpy()
    now = (rows["cutoff"] == rows["cutoff"].max()).to_numpy()
    y = labels["churned"].astype(bool)
    model = churnguard.ChurnClassifier({"boosted": {"trees": 40, "seeds": 1}})
    model.fit(
        X[past], y[past], customer_ids=rows["customer_id"][past], cutoffs=rows["cutoff"][past]
    )
    risk = model.predict_proba(X[now])[:, 1]
    order = np.argsort(-risk)
    top, bottom = y[now].to_numpy()[order[:50]], y[now].to_numpy()[order[-50:]]
    assert top.mean() > bottom.mean() + 0.2


def test_times_without_a_zone_are_the_shops(events) -> None:
    """The same wall clock in two zones: rows two hours apart are seen, or not seen yet."""
    orders = pd.DataFrame(
        {
            "customer_id": ["a", "a"],
            "event": ["order_completed"] * 2,
            "occurred_at": pd.to_datetime(["2026-01-01 12:00", "2026-01-02 01:00"]),
        }
    )
    at = datetime(2026, 1, 2, tzinfo=UTC)
    for zone, seen in (("UTC", 1), ("Asia/Jerusalem", 2)):
        rows = churnguard.build_features(orders, cutoffs=[at], timezone=zone)
        assert rows["orders_30d"].tolist() == [seen]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f: f.drop(columns="customer_id"), SchemaError, "no column 'customer_id'"),
        (lambda f: f.assign(occurred_at="soon"), SchemaError, "'occurred_at'"),
        (lambda f: f.assign(value="much"), SchemaError, "'value'"),
        (lambda f: f.assign(customer_id=[None, *f["customer_id"][1:]]), SchemaError, "missing"),
        (lambda f: f[:0], NotEnoughHistory, "no events"),
    ],
)
def test_what_cannot_be_read_is_said(events, change, error, message) -> None:
    frame = events.to_pandas()[:50].assign(event="order_completed")
    with pytest.raises(error, match=message):
        churnguard.build_features(change(frame), cutoffs=["2026-05-01"])


def test_no_cutoff_is_refused(events) -> None:
    with pytest.raises(InvalidRequest, match="no cutoff"):
        churnguard.build_features(events, cutoffs=[])
