"""ChurnGuard's model as a scikit-learn classifier: for pipelines, searches and comparisons.

It is the very model that ``churnguard train`` fits (averaged trees, cross-fitted calibration,
intervals, exact contributions), on any table of numbers. Whose row it is and when it looks back are
told when fitting; without them every row counts as a customer of its own, at one time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from churnguard.clock import DAY_US
from churnguard.training.dataset import Dataset, Ints
from churnguard.training.fit import fit
from churnguard.training.model import TrainedModel
from churnguard.training.recipe import NeedsRecipe, Recipe

Floats = NDArray[np.float64]

_ANY = NeedsRecipe(customers=1, churned=1, stayed=1, cutoffs=1)
_FEWEST = 2


class ChurnClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Averaged, calibrated trees with intervals and exact contributions, for two classes.

    Parameters
    ----------
    recipe : Recipe or mapping, optional
        What to learn and how strongly held back; a mapping has the keys of a recipe's TOML file.
        The default recipe when None. Its ``needs`` are not asked for here: two rows of each class
        will do.
    horizon_days : int
        How far ahead labels look: rows whose label windows overlap never judge each other.
    threads : int
        Parts fitted at the same time; the model does not depend on it.

    Attributes
    ----------
    classes_ : ndarray, shape (2,)
        The two labels, sorted; the second one is what is predicted (churned).
    model_ : TrainedModel
        The model; what a bundle serves.
    n_features_in_ : int
        Columns seen when fitting.
    feature_names_in_ : ndarray of str
        Their names, where they were given as a table with names.

    Notes
    -----
    Signals of the recipe that play a special part (a churn probability to start from, the season)
    are found by name, so only in a table with names. NaN is a missing value; infinity is refused.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> silence = rng.exponential(60, 400)
    >>> churned = rng.random(400) < 1 / (1 + np.exp(-0.05 * (silence - 60)))
    >>> model = ChurnClassifier({"boosted": {"trees": 30}}).fit(silence[:, None], churned)
    >>> model.classes_.tolist(), (model.predict_proba([[5.0], [200.0]])[:, 1] > 0.5).tolist()
    ([False, True], [False, True])
    """

    def __init__(
        self,
        recipe: Recipe | Mapping[str, Any] | None = None,
        *,
        horizon_days: int = 90,
        threads: int = 1,
    ) -> None:
        self.recipe = recipe
        self.horizon_days = horizon_days
        self.threads = threads

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        customer_ids: ArrayLike | None = None,
        cutoffs: ArrayLike | None = None,
    ) -> ChurnClassifier:
        """Fit the recipe: cross-fit, calibrate, refit on all rows.

        Parameters
        ----------
        X : array-like of float, shape (n, p)
            Signals; NaN where missing.
        y : array-like, shape (n,)
            Two classes; the one that sorts last is what is predicted.
        customer_ids : array-like, shape (n,), optional
            Whose rows they are: no customer is on both sides of a fold. Every row is a customer of
            its own when not given.
        cutoffs : array-like of datetime64 or int, shape (n,), optional
            The instants that rows look back from, int as microseconds UTC: folds are cut by time
            as well, and every cutoff has a level of its own. All rows are of one time when not
            given.

        Raises
        ------
        ValueError
            If an array cannot be used, or there are not two classes with two rows each.
        RecipeError
            If a key of the recipe is unknown or cannot be used.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        rows = cast("Floats", X)
        self.classes_, places = _two_classes(np.asarray(y))
        dataset = Dataset(
            X=rows,
            names=_names(self, rows.shape[1]),
            y=places.astype(np.int8),
            customer_ids=_customers(customer_ids, rows),
            cutoffs=_instants(cutoffs, rows),
            horizon_days=self.horizon_days,
        )
        recipe = replace(_read(self.recipe), needs=_ANY)
        until = int(dataset.cutoffs.max()) + self.horizon_days * DAY_US
        self.model_: TrainedModel = fit(dataset, recipe, until_us=until, threads=self.threads)
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Return calibrated log-odds of the second class, shape (n,)."""
        rows = self._rows(X)
        return self.model_.margins(rows)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return calibrated probabilities, shape (n, 2), columns as in ``classes_``."""
        risks = np.asarray(special.expit(self.decision_function(X)))
        return np.column_stack([1 - risks, risks])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likelier class of each row, shape (n,)."""
        likely = self.decision_function(X) > 0
        return np.asarray(self.classes_[likely.astype(np.intp)])

    def predict_interval(self, X: ArrayLike) -> Floats:
        """Return lower and upper bound of the second class's rate, shape (n, 2)."""
        margins = self.decision_function(X)
        return self.model_.intervals(margins)

    def contributions(self, X: ArrayLike) -> Floats:
        """Return what each column adds, in log-odds, shape (n, p + 1); they sum to the margin."""
        rows = self._rows(X)
        return self.model_.contributions(rows)

    def _rows(self, X: ArrayLike) -> Floats:
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return cast("Floats", rows)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags


def _two_classes(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the two classes and each row's place among them."""
    check_classification_targets(y)
    classes, places, rows = np.unique(y, return_inverse=True, return_counts=True)
    if len(classes) > 2:
        kind = type_of_target(y, input_name="y")
        raise ValueError(
            f"Only binary classification is supported. The type of the target is {kind}."
        )
    if len(classes) < 2:
        raise ValueError("There is one class only, so there is nothing to tell apart.")
    if rows.min() < _FEWEST:
        label = classes[rows.argmin()]
        raise ValueError(f"Each class needs {_FEWEST} rows; {label!r} has {rows.min()}.")
    return classes, places


def _names(estimator: ChurnClassifier, width: int) -> tuple[str, ...]:
    """Return the columns' names, or their numbers where they have none."""
    names = getattr(estimator, "feature_names_in_", None)
    return tuple(f"column_{place}" for place in range(width)) if names is None else tuple(names)


def _customers(customer_ids: ArrayLike | None, rows: Floats) -> NDArray[np.str_]:
    if customer_ids is None:
        return np.arange(len(rows)).astype(str)
    check_consistent_length(rows, customer_ids)
    return np.asarray(customer_ids).astype(str)


def _instants(cutoffs: ArrayLike | None, rows: Floats) -> Ints:
    """Return microseconds UTC."""
    if cutoffs is None:
        return np.zeros(len(rows), dtype=np.int64)
    check_consistent_length(rows, cutoffs)
    found = np.asarray(cutoffs)
    if np.issubdtype(found.dtype, np.integer):
        return found.astype(np.int64)
    return np.asarray(pd.DatetimeIndex(pd.to_datetime(found, utc=True)).as_unit("us").asi8)


def _read(recipe: Recipe | Mapping[str, Any] | None) -> Recipe:
    if recipe is None:
        return Recipe()
    return recipe if isinstance(recipe, Recipe) else Recipe.from_dict(recipe)
