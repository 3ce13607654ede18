"""How a challenger in the shadow compares with the champions that it stood beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnguard.clock import DAY_US, iso, to_us
from churnguard.errors import ModelNotFound, NotEnoughHistory
from churnguard.jobs.ports import Progress, Shop, silent
from churnguard.jobs.shadow import shadow_nights
from churnguard.jobs.snapshots import History, read_history
from churnguard.labels import Label, label_named
from churnguard.training.comparison import paired_means
from churnguard.training.metrics import auc, log_loss, row_log_loss

Floats = NDArray[np.float64]

TOP_SHARE = 0.1
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Night:
    """One night's agreement.

    Attributes
    ----------
    as_of, champion : str
        The instant, and the champion's version.
    customers : int
        Scored by both.
    rank_correlation, mean_difference, same_band, same_top : float
        Spearman's; mean absolute difference of the risks; share in the same band; share of the
        champion's riskiest tenth that the challenger has as well.
    quantiles : mapping of str to tuple of float
        Of both risks, at :data:`QUANTILES`.
    only_one : int
        Customers whom only one of the two scored.
    outcome : dict or None
        Log loss and AUC of both where the horizon has passed.
    """

    as_of: str
    champion: str
    customers: int
    rank_correlation: float
    mean_difference: float
    same_band: float
    same_top: float
    quantiles: dict[str, tuple[float, ...]]
    only_one: int
    outcome: dict[str, float] | None


@dataclass(frozen=True)
class ShadowReport:
    """Every night of a challenger in the shadow.

    Attributes
    ----------
    version : str
        The challenger.
    nights : tuple of Night
        Oldest first.
    difference : tuple of float or None
        Log loss, challenger less champion, over all mature nights: mean and 95 % interval by
        paired bootstrap of customers. None before a night is mature.
    """

    version: str
    nights: tuple[Night, ...]
    difference: tuple[float, float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "version": self.version,
            "nights": [dict(night.__dict__) for night in self.nights],
            "log_loss_difference": self.difference,
        }

    def to_text(self) -> str:
        """Return a few lines for a person."""
        lines = [f"version {self.version} in the shadow; nobody acted on it"]
        for night in self.nights:
            lines.append(
                f"{night.as_of}  beside {night.champion}: {night.customers:,} customers, rank "
                f"correlation {night.rank_correlation:.3f}, risks {night.mean_difference:.3f} "
                f"apart, same band {night.same_band:.0%}, same riskiest tenth {night.same_top:.0%}"
            )
            if night.outcome:
                told = night.outcome
                lines.append(
                    f"  outcome: log loss {told['shadow_log_loss']:.4f} against "
                    f"{told['champion_log_loss']:.4f}, AUC {told['shadow_auc']:.3f} against "
                    f"{told['champion_auc']:.3f}"
                )
        if self.difference is None:
            lines.append("No night's horizon has passed yet: nothing is known of the outcome.")
        else:
            mean, low, high = self.difference
            lines.append(f"log loss less the champion's: {mean:+.4f} ({low:+.4f} to {high:+.4f})")
        return "\n".join(lines)


def shadow_report(shop: Shop, version: str, *, progress: Progress = silent) -> ShadowReport:
    """Compare a challenger's shadow scores with the champion's, and with what happened.

    Parameters
    ----------
    shop : Shop
        An opened project.
    version : str
        A version that ``score --shadow`` was run with.
    progress : callable
        Told what is being done.

    Raises
    ------
    ModelNotFound
        If it never stood in the shadow.
    """
    nights = shadow_nights(shop, version)
    if not nights:
        raise ModelNotFound(
            f"Version '{version}' has no night in the shadow.",
            hint=f"Run 'churnguard score --shadow {version}'.",
        )
    history = _history(shop, progress)
    both = [_both(table) for _, table in nights]
    label = label_named(shop.settings.label)
    ys = [
        _outcomes(history, part, to_us(at), label)
        for (at, _), part in zip(nights, both, strict=True)
    ]
    told = [
        _night(iso(at), table, part, y)
        for (at, table), part, y in zip(nights, both, ys, strict=True)
    ]
    return ShadowReport(version, tuple(told), _difference(both, ys))


def _history(shop: Shop, progress: Progress) -> History | None:
    try:
        return read_history(shop, known_before=shop.clock(), progress=progress)
    except NotEnoughHistory:
        return None


@dataclass(frozen=True)
class _Both:
    """The customers whom both scored."""

    customers: NDArray[np.str_]
    champion: Floats
    shadow: Floats
    same_band: NDArray[np.bool_]
    horizon_days: int


def _both(table: pa.Table) -> _Both:
    rows = [
        row
        for row in table.to_pylist()
        if row["champion_risk"] is not None and row["shadow_risk"] is not None
    ]
    return _Both(
        np.array([row["customer_id"] for row in rows], dtype=str),
        np.array([row["champion_risk"] for row in rows], dtype=np.float64),
        np.array([row["shadow_risk"] for row in rows], dtype=np.float64),
        np.array([row["champion_band"] == row["shadow_band"] for row in rows], dtype=bool),
        rows[0]["horizon_days"] if rows else 0,
    )


def _night(as_of: str, table: pa.Table, both: _Both, y: NDArray[np.int8] | None) -> Night:
    champions = [name for name in table["champion"].unique().to_pylist() if name]
    top = max(1, round(len(both.customers) * TOP_SHARE))
    theirs, ours = (set(_top(risk, top)) for risk in (both.champion, both.shadow))
    return Night(
        as_of=as_of,
        champion=", ".join(champions),
        customers=len(both.customers),
        rank_correlation=_rank_correlation(both.champion, both.shadow),
        mean_difference=_mean(np.abs(both.champion - both.shadow)),
        same_band=_mean(both.same_band.astype(np.float64)),
        same_top=len(theirs & ours) / top,
        quantiles={"champion": _quantiles(both.champion), "shadow": _quantiles(both.shadow)},
        only_one=table.num_rows - len(both.customers),
        outcome=None if y is None else _held(both, y),
    )


def _top(risk: Floats, count: int) -> list[int]:
    return [int(place) for place in np.argsort(-risk, kind="stable")[:count]]


def _rank_correlation(first: Floats, second: Floats) -> float:
    from scipy.stats import spearmanr

    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _quantiles(risk: Floats) -> tuple[float, ...]:
    return tuple(np.quantile(risk, QUANTILES).round(4).tolist()) if len(risk) else ()


def _outcomes(
    history: History | None, both: _Both, as_of_us: int, label: Label
) -> NDArray[np.int8] | None:
    """Return who churned within the horizon; None before the horizon has passed."""
    horizon = both.horizon_days
    if history is None or not horizon or as_of_us + horizon * DAY_US > history.data_end:
        return None
    y = np.ones(len(both.customers), dtype=np.int8)
    for timeline in history.timelines:
        codes = {str(name): code for code, name in enumerate(timeline.customer_ids)}
        places = np.array([i for i, name in enumerate(both.customers) if name in codes], np.int64)
        if len(places):
            found = np.array([codes[both.customers[i]] for i in places], dtype=np.int32)
            cutoffs = np.full(len(places), as_of_us, dtype=np.int64)
            y[places] = label.churned(timeline, found, cutoffs, horizon)
    return y


def _held(both: _Both, y: NDArray[np.int8]) -> dict[str, float]:
    return {
        "churn_rate": float(y.mean()),
        "champion_log_loss": log_loss(y, both.champion),
        "shadow_log_loss": log_loss(y, both.shadow),
        "champion_auc": auc(y, both.champion),
        "shadow_auc": auc(y, both.shadow),
    }


def _difference(
    both: Sequence[_Both], ys: Sequence[NDArray[np.int8] | None]
) -> tuple[float, float, float] | None:
    known = [(part, y) for part, y in zip(both, ys, strict=True) if y is not None]
    if not known:
        return None
    apart = [row_log_loss(y, part.shadow) - row_log_loss(y, part.champion) for part, y in known]
    difference = np.concatenate(apart)
    customers = np.concatenate([part.customers for part, _ in known])
    drawn = paired_means(difference, customers, resamples=500, seed=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(difference.mean()), float(low), float(high)
