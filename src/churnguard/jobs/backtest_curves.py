"""The curves of a backtest as numbers: what plots draw and tables tell, aggregates only.

No point of a curve stands for fewer than 20 customers, so that a report names nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import from_us
from churnguard.policy.playbook import Action, Playbook
from churnguard.policy.value import expected_values, mean_spend
from churnguard.training.backtest import MODEL, Backtest, Judged

Floats = NDArray[np.float64]

FEWEST_CUSTOMERS = 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MOST_STEPS = 100


@dataclass(frozen=True)
class Worth:
    """What a customer kept is worth, and what an action does and costs.

    Attributes
    ----------
    horizon_days : int
        Days over which the value is earned.
    margin : float
        Contribution margin.
    currency : str
        Of money.
    playbook : Playbook
        The actions.
    """

    horizon_days: int
    margin: float
    currency: str
    playbook: Playbook


@dataclass(frozen=True)
class Reach:
    """One model's list, from the riskiest down, meaned over the cutoffs.

    Attributes
    ----------
    share : ndarray of float64, shape (k,)
        Share of all customers contacted, from 0 to 1.
    caught : ndarray of float64, shape (k,)
        Share of the real churners among them.
    bothered : ndarray of float64, shape (k,)
        Share of those who would have stayed anyway.
    lift : ndarray of float64, shape (k,)
        Churn rate of the contacted over that of all; NaN where nobody is contacted.
    """

    share: Floats
    caught: Floats
    bothered: Floats
    lift: Floats


@dataclass(frozen=True)
class Profit:
    """What one action brings in, by how many customers get it, in sum over the cutoffs.

    Attributes
    ----------
    action : Action
        Which action.
    share : ndarray of float64, shape (k,)
        Share of all customers contacted.
    by_model : mapping of str to ndarray of float64, shape (k,)
        Money for each model's list.
    """

    action: Action
    share: Floats
    by_model: Mapping[str, Floats]

    def best(self, model: str = MODEL) -> tuple[float, float]:
        """Return the share at which a model's list brings in most, and how much."""
        place = int(np.argmax(self.by_model[model]))
        return float(self.share[place]), float(self.by_model[model][place])


def reach(judged: Backtest, model: str) -> Reach:
    """Follow a model's list from the riskiest customer down.

    Parameters
    ----------
    judged : Backtest
        At least one cutoff.
    model : str
        One of its models.
    """
    share = shares(judged)
    caught, bothered, lift = [], [], []
    for one in judged.judged:
        y = one.y[_riskiest_first(one.risks[model])].astype(np.float64)
        counts = _counts(share, len(y))
        hits, others = _sums(y, counts), _sums(1 - y, counts)
        caught.append(hits / max(hits[-1], 1.0))
        bothered.append(others / max(others[-1], 1.0))
        rate = np.divide(hits, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        lift.append(rate / max(float(y.mean()), 1e-12))
    means = (np.mean(each, axis=0) for each in (caught, bothered, lift))
    return Reach(share, *means)


def profit(judged: Backtest, worth: Worth) -> Profit | None:
    """Return what the playbook's most profitable action would have brought in.

    A real churner who is contacted is kept with the action's ``prevents`` and then brings in the
    expected value; everybody contacted costs ``cost``, and who would have stayed takes the share
    ``gives_away`` of the value as well. The action's own rule is not looked at: it is one curve
    for ranking all customers, not a forecast of a campaign.

    Parameters
    ----------
    judged : Backtest
        Backtested rows; they keep spend and orders where the shop has them.
    worth : Worth
        The shop's numbers.

    Returns
    -------
    Profit or None
        None where the shop has no spend, or the playbook no action that contacts anybody.
    """
    actions = [a for a in worth.playbook.actions if a.prevents > 0 and a.channel != "none"]
    values = [_values(one, worth) for one in judged.judged]
    known = [value for value in values if value is not None]
    if not actions or not known or len(known) < len(values):
        return None
    found = [_profit(judged, known, action) for action in actions]
    return max(found, key=lambda one: one.best()[1])


def calibration(judged: Backtest, model: str) -> tuple[Floats, Floats]:
    """Return mean risk and churn rate of equal groups, all cutoffs together.

    Returns
    -------
    tuple of ndarray of float64, shape (at most 10,)
        Risk promised and rate seen, by rising risk.
    """
    y = np.concatenate([one.y for one in judged.judged])
    risk = np.concatenate([one.risks[model] for one in judged.judged])
    groups = min(10, max(1, len(y) // FEWEST_CUSTOMERS))
    parts = np.array_split(np.argsort(risk, kind="stable"), groups)
    return (
        np.array([risk[part].mean() for part in parts]),
        np.array([y[part].mean() for part in parts]),
    )


@dataclass(frozen=True)
class Spread:
    """How one cutoff's risks are spread.

    Attributes
    ----------
    day : str
        The cutoff's day, UTC.
    quantiles : tuple of float
        Of the risk, at :data:`QUANTILES`.
    mean, rate : float
        Mean risk, and the churn rate that was seen.
    """

    day: str
    quantiles: tuple[float, ...]
    mean: float
    rate: float


def spreads(judged: Backtest) -> tuple[Spread, ...]:
    """Return how our model's risks were spread at each cutoff."""
    return tuple(
        Spread(
            f"{from_us(one.cutoff_us):%Y-%m-%d}",
            tuple(np.quantile(one.risks[MODEL], QUANTILES).round(4).tolist()),
            float(one.risks[MODEL].mean()),
            float(one.y.mean()),
        )
        for one in judged.judged
    )


def shares(judged: Backtest) -> Floats:
    """Return the shares of customers at which curves are told: steps of at least 20 customers."""
    fewest = min(len(one.y) for one in judged.judged)
    return np.linspace(0.0, 1.0, min(_MOST_STEPS, max(1, fewest // FEWEST_CUSTOMERS)) + 1)


def _values(one: Judged, worth: Worth) -> Floats | None:
    spend, orders = one.signals.get("net_spend_365d"), one.signals.get("orders_365d")
    if spend is None or orders is None:
        return None
    return expected_values(
        spend,
        orders,
        shop_mean_spend=mean_spend(spend),
        horizon_days=worth.horizon_days,
        margin=worth.margin,
    )


def _profit(judged: Backtest, values: Sequence[Floats], action: Action) -> Profit:
    share = shares(judged)
    by_model = {name: np.zeros(len(share)) for name in judged.models}
    for one, value in zip(judged.judged, values, strict=True):
        kept = action.prevents * value
        gain = np.where(one.y == 1, kept, -action.gives_away * value) - action.cost
        counts = _counts(share, len(gain))
        for name, total in by_model.items():
            total += _sums(gain[_riskiest_first(one.risks[name])], counts)  # noqa: PLW2901
    return Profit(action, share, by_model)


def _riskiest_first(risk: Floats) -> NDArray[np.int64]:
    return np.argsort(-risk, kind="stable")


def _counts(share: Floats, rows: int) -> NDArray[np.int64]:
    return np.rint(share * rows).astype(np.int64)


def _sums(values: Floats, counts: NDArray[np.int64]) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)])[counts]
