"""How good a model is today, before anybody can know: expected from its own calibrated risks.

A risk of 0.7 says that seven of ten such customers will leave; so the risks themselves say how many
churners a list will hold and how well they are ranked, as far as they are calibrated. This is the
idea of confidence-based performance estimation (Kivimaki et al., "Confidence-based Estimators for
Predictive Performance in Model Monitoring", 2025). It cannot see that calibration itself broke;
that is what the later comparison with the truth is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.training.metrics import auc, log_loss

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]

MEASURES = ("auc", "log_loss", "churners", "listed", "caught")


@dataclass(frozen=True)
class Estimate:
    """An expected figure and the interval in which the true one should fall.

    Attributes
    ----------
    value, low, high : float
        Mean, and the bounds.
    """

    value: float
    low: float
    high: float

    def holds(self, truth: float) -> bool:
        """Tell whether the truth fell inside."""
        return self.low <= truth <= self.high

    def to_dict(self) -> dict[str, float]:
        """Return JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Estimate:
        """Read what :meth:`to_dict` returned."""
        return cls(**{name: float(value) for name, value in values.items()})


def estimate_performance(
    margins: Floats,
    *,
    threshold: float,
    level_sd: float,
    coverage: float = 0.9,
    draws: int = 200,
    seed: int = 1,
) -> dict[str, Estimate]:
    """Return what is to be expected of a model on customers whose outcome is not known.

    Outcomes are drawn from the risks, after the level common to all was moved by as much as the
    calibration says that a new cutoff's may be off.

    Parameters
    ----------
    margins : ndarray of float64, shape (n,)
        Calibrated log-odds.
    threshold : float
        Risk from which a customer stands on the list.
    level_sd : float
        ``Calibration.level_sd``.
    coverage : float
        Share of such intervals that should hold the truth.
    draws, seed : int
        How many outcomes are drawn, and where randomness starts.

    Returns
    -------
    dict of str to Estimate
        ``auc``, ``log_loss``, ``churners`` (of all), ``listed`` (on the list, known) and ``caught``
        (churners on the list).

    Examples
    --------
    >>> found = estimate_performance(np.array([2.0, -2.0] * 50), threshold=0.5, level_sd=0.0)
    >>> found["listed"].value, 35 < found["caught"].low < found["caught"].high < 50
    (50.0, True)
    """
    rng = np.random.default_rng(seed)
    drawn = [
        observed_performance(
            margins,
            _outcomes(margins + level_sd * rng.standard_normal(), rng),
            threshold=threshold,
        )
        for _ in range(draws)
    ]
    tail = (1 - coverage) / 2
    found = {}
    for name in MEASURES:
        values = np.array([one[name] for one in drawn])
        values = values[~np.isnan(values)]
        if len(values):
            low, high = np.quantile(values, [tail, 1 - tail])
            found[name] = Estimate(float(values.mean()), float(low), float(high))
    return found


def observed_performance(margins: Floats, y: Labels, *, threshold: float) -> dict[str, float]:
    """Return the same figures once the outcomes are known.

    Parameters
    ----------
    margins : ndarray of float64, shape (n,)
        Calibrated log-odds.
    y : ndarray of int8, shape (n,)
        1 churned, 0 stayed.
    threshold : float
        Risk from which a customer stands on the list.
    """
    risk = special.expit(margins)
    listed = risk >= threshold
    return {
        "auc": auc(y, margins),
        "log_loss": log_loss(y, risk),
        "churners": float(y.sum()),
        "listed": float(listed.sum()),
        "caught": float(y[listed].sum()),
    }


def _outcomes(margins: Floats, rng: np.random.Generator) -> Labels:
    risk = np.asarray(special.expit(margins))
    return (rng.random(len(risk)) < risk).astype(np.int8)
