"""A backtest fits on what was mature, judges once, and stands beside the baselines."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from churnguard.errors import TrainingError
from churnguard.training.backtest import MODEL, backtest
from churnguard.training.baselines import BASELINES
from churnguard.training.fit import fit
from churnguard.training.metrics import auc, log_loss
from churnguard.training.stability import ScoreShift, score_shift


@pytest.fixture(scope="module")
def last(dataset):
    return [int(cutoff) for cutoff in np.unique(dataset.cutoffs)[-2:]]


@pytest.fixture(scope="module")
def judged(dataset, quick, last):
    return backtest(dataset, quick, cutoffs=last)


def test_every_model_is_judged_on_the_same_rows(judged, dataset, last):
    assert judged.models == (*BASELINES, MODEL)
    for one, cutoff in zip(judged.judged, last, strict=True):
        assert one.cutoff_us == cutoff
        assert all(len(risk) == (dataset.cutoffs == cutoff).sum() for risk in one.risks.values())


def test_the_figures_are_those_of_the_kept_risks(judged):
    one = judged.judged[0]
    row = next(r for r in judged.per_cutoff() if r["model"] == MODEL)
    assert row["auc"] == auc(one.y, one.risks[MODEL])
    assert row["log_loss"] == log_loss(one.y, one.risks[MODEL])
    rows = [r["auc"] for r in judged.per_cutoff() if r["model"] == MODEL]
    assert judged.mean()["auc"] == pytest.approx(np.mean(rows))


def test_the_model_beats_recency(judged):
    assert judged.mean()["log_loss"] < judged.mean("recency")["log_loss"]


def test_what_is_written_down_has_no_customer(judged, dataset):
    text = json.dumps(judged.to_dict())
    assert dataset.customer_ids[0] not in text
    assert MODEL in judged.to_text()


def test_labels_of_the_judged_cutoff_and_later_are_never_learned(dataset, quick, last):
    """A planted leak: a column that is the label, but only where the label was not mature.

    Were immature rows learned from, the column would be trusted and the AUC near 1.
    """
    leak = np.where(dataset.mature(until_us=last[0]), 0.5, dataset.y)
    planted = replace(dataset, X=np.column_stack([dataset.X, leak]), names=(*dataset.names, "leak"))
    found = backtest(planted, quick, cutoffs=last[:1])
    assert found.mean()["auc"] < 0.9
    assert found.mean("default lightgbm")["auc"] < 0.9


def test_cutoffs_without_enough_before_them_are_named(dataset, quick):
    early = int(dataset.cutoffs.min())
    found = backtest(dataset, quick, cutoffs=[early])
    assert found.left_out == (early,)
    assert found.judged == ()
    assert found.mean() == {}
    assert "no past cutoff" in found.to_text()
    assert found.to_dict()["per_cutoff"] == []


def test_a_missing_column_leaves_its_baseline_out(dataset, quick, last):
    keep = [k for k, name in enumerate(dataset.names) if name != "bgnbd_churn_risk"]
    fewer = replace(dataset, X=dataset.X[:, keep], names=tuple(dataset.names[k] for k in keep))
    assert "bg/nbd" not in backtest(fewer, quick, cutoffs=last[-1:]).models


def test_progress_is_told(dataset, quick, last):
    told = []
    backtest(dataset, quick, cutoffs=last[-1:], progress=lambda done, of: told.append((done, of)))
    assert told == [(0, 1), (1, 1)]


def test_the_refit_agrees_with_the_last_judged_model(judged, dataset, quick):
    model = fit(dataset, quick, until_us=int(dataset.cutoffs.max()) + dataset.horizon_us)
    shift = score_shift(model, dataset, judged)
    assert shift.rank_correlation > 0.9
    shift.raise_if_odd()


def test_an_odd_refit_is_stopped():
    with pytest.raises(TrainingError, match=r"rank correlation 0\.10"):
        ScoreShift(100, 0.5, 0.5, 0.1).raise_if_odd()
