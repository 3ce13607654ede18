"""How good risks are: ranking, probabilities, calibration, and the top of the list.

All take labels (1 churned, 0 stayed) and risks in [0, 1] of the same length.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]

_TINY = 1e-15


def auc(y: Labels, risk: Floats) -> float:
    """Return the share of (churned, stayed) pairs in the right order; ties count half.

    Examples
    --------
    >>> auc(np.array([0, 0, 1, 1], np.int8), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    positives = int((y == 1).sum())
    negatives = len(y) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = float(rankdata(risk)[y == 1].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(y: Labels, risk: Floats) -> float:
    """Return the mean precision over recall steps, tied risks taken together."""
    order = np.argsort(-risk, kind="stable")
    labels, sorted_risk = y[order], risk[order]
    last = np.flatnonzero(np.append(np.diff(sorted_risk) != 0, True))
    hits = np.cumsum(labels)[last]
    precision = hits / (last + 1)
    recall = np.diff(np.concatenate([[0], hits])) / max(int(labels.sum()), 1)
    return float(precision @ recall)


def log_loss(y: Labels, risk: Floats) -> float:
    """Return the mean negative log-likelihood; each row's is :func:`row_log_loss`."""
    return float(row_log_loss(y, risk).mean())


def row_log_loss(y: Labels, risk: Floats) -> Floats:
    """Return each row's negative log-likelihood."""
    safe = np.clip(risk, _TINY, 1 - _TINY)
    return np.asarray(-np.where(y == 1, np.log(safe), np.log1p(-safe)))


def brier(y: Labels, risk: Floats) -> float:
    """Return the mean squared error of the risks."""
    return float(np.mean((risk - y) ** 2))


def ece(y: Labels, risk: Floats, *, bins: int = 10) -> float:
    """Return the expected calibration error over equal-count bins."""
    order = np.argsort(risk, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(float(y[part].mean() - risk[part].mean())) for part in parts]
    return sum(gaps) / len(y)


def calibration_line(y: Labels, risk: Floats) -> tuple[float, float]:
    """Return slope and intercept of the outcome's logistic regression on the risk's log-odds.

    A calibrated model has slope 1 and intercept 0 (Cox 1958).
    """
    margin = special.logit(np.clip(risk, 1e-9, 1 - 1e-9))
    theta = np.array([1.0, 0.0])
    design = np.column_stack([margin, np.ones_like(margin)])
    for _ in range(50):
        fitted = special.expit(design @ theta)
        weight = np.maximum(fitted * (1 - fitted), 1e-12)
        hessian = design.T @ (design * weight[:, None]) + 1e-9 * np.eye(2)
        step = _shortened(np.linalg.solve(hessian, design.T @ (y - fitted)), theta, design, y)
        theta = theta + step
        if np.abs(step).max() < 1e-10:
            break
    return float(theta[0]), float(theta[1])


def _shortened(step: Floats, theta: Floats, design: Floats, y: Labels) -> Floats:
    """Halve a Newton step until it no longer lowers the likelihood; bold risks overshoot."""

    def likelihood(place: Floats) -> float:
        margin = design @ place
        return float(y @ margin - np.logaddexp(0.0, margin).sum())

    before = likelihood(theta)
    before -= 1e-9 * abs(before)  # rounding is no reason to stop short
    for _ in range(40):
        if likelihood(theta + step) >= before:
            return step
        step = step / 2
    return np.zeros_like(step)


def lift(y: Labels, risk: Floats, *, share: float = 0.1) -> float:
    """Return how many times the churn rate the riskiest share has."""
    count = max(1, round(len(y) * share))
    return precision_at(y, risk, count=count) / float(y.mean()) if y.any() else float("nan")


def precision_at(y: Labels, risk: Floats, *, count: int) -> float:
    """Return the share of churners among the ``count`` riskiest."""
    top = np.argsort(-risk, kind="stable")[:count]
    return float(y[top].mean())


def all_metrics(y: Labels, risk: Floats, *, contacts: int = 200) -> Mapping[str, float]:
    """Return every metric by name.

    Parameters
    ----------
    y, risk : ndarray, shape (n,)
        Outcomes and risks.
    contacts : int
        N of "of the N you can contact, how many are real".

    Examples
    --------
    >>> found = all_metrics(np.array([0, 1], np.int8), np.array([0.2, 0.8]), contacts=1)
    >>> found["auc"], round(found["brier"], 3), found["top_share"]
    (1.0, 0.04, 1.0)
    """
    slope, intercept = calibration_line(y, risk)
    return {
        "auc": auc(y, risk),
        "average_precision": average_precision(y, risk),
        "log_loss": log_loss(y, risk),
        "brier": brier(y, risk),
        "ece": ece(y, risk),
        "slope": slope,
        "intercept": intercept,
        "lift_10": lift(y, risk),
        "top_share": precision_at(y, risk, count=contacts),
    }
