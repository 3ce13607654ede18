"""The scikit-learn estimator keeps scikit-learn's promises, and is the model that train fits."""

from __future__ import annotations

import pickle  # noqa: TID251 (a user may; nothing that is served is)

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from churnguard.errors import RecipeError
from churnguard.training.estimator import ChurnClassifier
from churnguard.training.fit import fit


@parametrize_with_checks([ChurnClassifier()])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def table(dataset):
    return pd.DataFrame(dataset.X, columns=list(dataset.names))


def fitted(dataset, quick, **options):
    model = ChurnClassifier(quick.to_dict())
    told = {"customer_ids": dataset.customer_ids, "cutoffs": dataset.cutoffs} | options
    return model.fit(table(dataset), dataset.y, **told)


def test_it_is_the_model_that_train_fits(dataset, quick):
    """Told whose rows they are and when they look back, it gives the bits of ``fit``."""
    model = fitted(dataset, quick)
    until = int(dataset.cutoffs.max()) + dataset.horizon_us
    expected = fit(dataset, quick, until_us=until)
    some = table(dataset)[:50]
    assert model.predict_proba(some)[:, 1].tolist() == expected.risks(dataset.X[:50]).tolist()
    assert model.decision_function(some).tolist() == expected.margins(dataset.X[:50]).tolist()


def test_cutoffs_may_be_instants(dataset, quick):
    """Datetimes and microseconds are the same cutoffs."""
    days = pd.to_datetime(dataset.cutoffs, unit="us", utc=True)
    some = table(dataset)[:20]
    expected = fitted(dataset, quick).decision_function(some)
    for told in (days, days.tz_localize(None), pd.Series(days)):
        found = fitted(dataset, quick, cutoffs=told).decision_function(some)
        assert found.tolist() == expected.tolist()


def test_contributions_sum_to_the_margin_and_the_interval_holds_the_risk(dataset, quick):
    model, some = fitted(dataset, quick), table(dataset)[:200]
    assert model.contributions(some).sum(axis=1) == pytest.approx(
        model.decision_function(some), abs=1e-9
    )
    low, high = model.predict_interval(some).T
    risk = model.predict_proba(some)[:, 1]
    assert ((low <= risk) & (risk <= high)).all()
    assert (low < high).all()


def test_pickled_and_cloned(dataset, quick):
    """A copy gives the same bits; a clone is unfitted and has the same parameters."""
    model, some = fitted(dataset, quick), table(dataset)[:20]
    again = pickle.loads(pickle.dumps(model))
    assert again.decision_function(some).tolist() == model.decision_function(some).tolist()
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "model_")


def test_it_stands_in_pipelines_and_searches(dataset, quick):
    """As any classifier: cross-validated, searched, behind a scaler."""
    X, y = table(dataset)[:600], dataset.y[:600]
    search = GridSearchCV(
        ChurnClassifier(), {"recipe": [quick, {"kind": "linear"}]}, cv=2, scoring="neg_log_loss"
    ).fit(X, y)
    assert search.best_score_ > -0.69
    scores = cross_val_score(make_pipeline(StandardScaler(), ChurnClassifier(quick)), X, y, cv=2)
    assert scores.min() > 0.55


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"customer_ids": ["a"]}, ValueError),
        ({"cutoffs": [0, 1]}, ValueError),
        ({"cutoffs": ["someday"] * 3_500}, ValueError),
    ],
)
def test_what_does_not_fit_the_rows_is_refused(dataset, quick, options, error):
    with pytest.raises(error):
        fitted(dataset, quick, **options)


def test_an_unknown_key_of_the_recipe_is_named(dataset):
    with pytest.raises(RecipeError, match=r"boosted\.leafs"):
        ChurnClassifier({"boosted": {"leafs": 3}}).fit(dataset.X, dataset.y)


def test_labels_may_be_words(dataset, quick):
    """What sorts last is predicted, and the answer is in the words given."""
    words = np.where(dataset.y == 1, "lost", "kept")
    model = ChurnClassifier(quick).fit(table(dataset), words)
    assert model.classes_.tolist() == ["kept", "lost"]
    risk = model.predict_proba(table(dataset))[:, 1]
    assert ((risk > 0.5) == (model.predict(table(dataset)) == "lost")).all()
    assert risk[dataset.y == 1].mean() > risk[dataset.y == 0].mean()
