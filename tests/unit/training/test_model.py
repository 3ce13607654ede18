"""A trained model: exact parts, one row equals many, and the same bits after saving and loading."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from churnguard.errors import BundleMismatch, NotEnoughHistory, SchemaError
from churnguard.training.fit import fit
from churnguard.training.model import load_model

KINDS = ("boosted", "linear", "btyd", "rhythm")


def until(data) -> int:
    return int(data.cutoffs.max()) + data.horizon_us


@pytest.fixture(scope="module", params=KINDS)
def model(request, dataset, quick):
    return fit(dataset, replace(quick, kind=request.param), until_us=until(dataset))


def test_contributions_sum_to_the_margin(model, dataset):
    parts = model.contributions(dataset.X)
    assert np.abs(parts.sum(axis=1) - model.margins(dataset.X)).max() < 1e-9


def test_the_risk_is_the_margin_told_as_a_probability(model, dataset):
    assert (model.risks(dataset.X) == expit(model.margins(dataset.X))).all()


def test_one_row_equals_many_bit_for_bit(model, dataset):
    many = model.margins(dataset.X[:150])
    assert many.tolist() == [float(model.margins(row[None])[0]) for row in dataset.X[:150]]


def test_saved_and_loaded_it_gives_the_same_bits(model, dataset, tmp_path):
    model.save(tmp_path)
    again = load_model(tmp_path)
    assert again.margins(dataset.X).tolist() == model.margins(dataset.X).tolist()
    assert (
        again.contributions(dataset.X[:50]).tolist() == model.contributions(dataset.X[:50]).tolist()
    )
    at = np.linspace(-4, 4, 50)
    assert again.intervals(at).tolist() == model.intervals(at).tolist()
    assert again.calibration_id == model.calibration_id


def test_what_is_saved_is_text_without_customers(model, dataset, tmp_path):
    model.save(tmp_path)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} <= {".json", ".txt"}
    assert not any(dataset.customer_ids[0] in file.read_text("utf-8") for file in files)


def test_it_knows_something(model, dataset):
    from churnguard.training.metrics import auc

    assert auc(dataset.y, model.risks(dataset.X)) > 0.6


def test_rows_of_another_width_are_refused(model, dataset):
    with pytest.raises(SchemaError, match="9 columns"):
        model.margins(dataset.X[:, :-1])


def test_a_damaged_or_foreign_bundle_is_refused(dataset, quick, tmp_path):
    fit(dataset, quick, until_us=until(dataset)).save(tmp_path)
    good = (tmp_path / "scorer.json").read_text("utf-8")
    (tmp_path / "scorer.json").write_text(good[:-20])
    with pytest.raises(BundleMismatch, match="cannot be read"):
        load_model(tmp_path)
    values = json.loads(good)
    values["scorer"]["kind"] = "oracle"
    (tmp_path / "scorer.json").write_text(json.dumps(values))
    with pytest.raises(BundleMismatch, match="oracle"):
        load_model(tmp_path)
    values = json.loads(good)
    values["names"][0] = "another"
    (tmp_path / "scorer.json").write_text(json.dumps(values))
    with pytest.raises(BundleMismatch, match="other columns"):
        load_model(tmp_path)


def test_the_same_data_and_recipe_give_the_same_model(dataset, quick):
    first = fit(dataset, quick, until_us=until(dataset), threads=1)
    second = fit(dataset, quick, until_us=until(dataset), threads=2)
    assert first.margins(dataset.X).tolist() == second.margins(dataset.X).tolist()


def test_immature_labels_are_never_learned_from(dataset, quick):
    """Flipping every label that is not known yet changes nothing."""
    cutoff = int(np.unique(dataset.cutoffs)[9])
    late = ~dataset.mature(until_us=cutoff)
    assert late.any()
    flipped = replace(dataset, y=np.where(late, 1 - dataset.y, dataset.y).astype(np.int8))
    honest, other = (fit(data, quick, until_us=cutoff) for data in (dataset, flipped))
    assert honest.margins(dataset.X).tolist() == other.margins(dataset.X).tolist()
    assert honest.calibration == other.calibration


def test_too_thin_data_are_refused_with_counts(make_dataset, quick):
    data = make_dataset(customers=30, cutoffs=3)
    with pytest.raises(NotEnoughHistory) as caught:
        fit(data, quick, until_us=until(data))
    assert "30 customers (needed: 40)" in caught.value.message
    assert caught.value.hint


def test_nothing_mature_is_refused_with_the_day_it_will_do(dataset, quick):
    with pytest.raises(NotEnoughHistory) as caught:
        fit(dataset, quick, until_us=0)
    assert "0 cutoffs with a known outcome (needed: 2)" in caught.value.message
    assert "is known by 20" in caught.value.hint


@pytest.mark.parametrize(("label", "word"), [(0, "stayed"), (1, "left")])
def test_one_outcome_is_refused_in_plain_words(dataset, quick, label, word):
    same = replace(dataset, y=np.full(len(dataset), label, np.int8))
    with pytest.raises(NotEnoughHistory, match=f"All 250 customers {word}"):
        fit(same, quick, until_us=until(same))
