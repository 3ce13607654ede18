"""From raw log-odds to calibrated ones: a slope, a level, and the season's part of the level.

The map is linear in the raw margin with slope over 0, so ranks stay and every signal's part is
scaled exactly. The level is learned per cutoff from cross-fitted margins and then smoothed over the
time of year by a small Gaussian process (a seasonal part and a slowly forgotten drift; Rasmussen,
Williams: "Gaussian Processes for Machine Learning", 2006, ch. 5.4.3), never from one cutoff alone.
Before a shop has been seen for a year, nobody can tell its season from a drift: all is drift then.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.clock import DAY_US
from churnguard.training.dataset import Dataset
from churnguard.training.recipe import CalibrationRecipe, Recipe
from churnguard.training.scorers import level

Floats = NDArray[np.float64]

YEAR_DAYS = 365.2425
KNOTS = 36

_MEAN_SD = 1.0
_SLOPE_PRIOR_SD = 0.3
_WIDTHS_WORTH = 4.0
"""The recipe's widths count as much as what so many cutoffs of the shop say of its own."""


@dataclass(frozen=True)
class Calibration:
    """The map from raw to calibrated log-odds.

    Attributes
    ----------
    slope : float
        Over 0; what raw margins are multiplied by.
    season_columns : tuple of two int, or None
        Columns with sine and cosine of the time of year.
    levels : tuple of float
        Level at each of ``KNOTS`` equally spaced times of year (one level where there is no
        season column); linear in between.
    level_sd : float
        How far the level of a new cutoff may be off, in log-odds (one standard deviation).
    """

    slope: float
    season_columns: tuple[int, int] | None
    levels: tuple[float, ...]
    level_sd: float

    @property
    def id(self) -> str:
        """A short name that changes with the map."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def margins(self, raw: Floats, X: Floats) -> Floats:
        """Return calibrated log-odds of rows with these raw margins."""
        return np.asarray(self.slope * raw + self.level(X))

    def contributions(self, raw_parts: Floats, X: Floats) -> Floats:
        """Return calibrated parts; the level is part of the base."""
        parts = self.slope * raw_parts
        parts[:, -1] += self.level(X)
        return parts

    def level(self, X: Floats) -> Floats:
        """Return each row's level: what time of year it is."""
        if self.season_columns is None:
            return np.full(len(X), self.levels[0])
        if len(X) == 1:
            sine, cosine = X[0, list(self.season_columns)].tolist()
            return np.array([self._at(sine, cosine)])
        # Rows share few cutoffs, so angles are taken once each, and by the same scalar routine
        # for one row and for many.
        pairs, places = np.unique(X[:, list(self.season_columns)], axis=0, return_inverse=True)
        return np.array([self._at(float(s), float(c)) for s, c in pairs])[places.reshape(-1)]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "slope": self.slope,
            "season_columns": list(self.season_columns) if self.season_columns else None,
            "levels": list(self.levels),
            "level_sd": self.level_sd,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Read what :meth:`to_dict` returned."""
        columns = values["season_columns"]
        return cls(
            slope=float(values["slope"]),
            season_columns=(int(columns[0]), int(columns[1])) if columns else None,
            levels=tuple(float(value) for value in values["levels"]),
            level_sd=float(values["level_sd"]),
        )

    def _at(self, sine: float, cosine: float) -> float:
        if math.isnan(sine) or math.isnan(cosine):
            return math.fsum(self.levels) / len(self.levels)
        turn = math.atan2(sine, cosine) / (2 * math.pi) % 1.0 * KNOTS
        place = int(turn)
        share = turn - place
        low, high = self.levels[place % KNOTS], self.levels[(place + 1) % KNOTS]
        return low + (high - low) * share


def calibrate(raw: Floats, dataset: Dataset, recipe: Recipe, *, until_us: int) -> Calibration:
    """Fit the map on cross-fitted margins.

    Parameters
    ----------
    raw : ndarray of float64, shape (n,)
        Each row's margin by a model that saw neither its customer nor its time.
    dataset : Dataset
        The rows, of all mature cutoffs.
    recipe : Recipe
        ``calibration`` and ``signals.season`` are used.
    until_us : int
        The instant for which, and for the year after which, levels are wanted.
    """
    slope = _slope(raw, dataset, half_life_days=recipe.calibration.slope_half_life_days)
    cutoffs = np.unique(dataset.cutoffs)
    rows = [dataset.cutoffs == cutoff for cutoff in cutoffs]
    found = np.array([level(slope * raw[mine], dataset.y[mine]) for mine in rows])
    noise = np.array([_level_variance(slope * raw[mine], dataset.y[mine]) for mine in rows])
    until = until_us / DAY_US
    widths = _widths(recipe.calibration, oldest=cutoffs[0] / DAY_US, until=until)
    process = _Level(cutoffs / DAY_US, found, noise, widths)
    season = _season_columns(dataset, recipe)
    knots = _knot_times(until) if season else np.array([until])
    return Calibration(
        slope=slope,
        season_columns=season,
        levels=tuple(process.mean(knots).tolist()),
        level_sd=process.sd(until),
    )


class _Level:
    """A Gaussian process over time: a constant, a yearly part, a forgotten drift, and scatter."""

    def __init__(
        self, times: Floats, levels: Floats, noise: Floats, recipe: CalibrationRecipe
    ) -> None:
        self._times, self._recipe = times, recipe
        scatter = np.diag(noise + recipe.cutoff_sd**2)
        self._inverse = np.linalg.inv(self._kernel(times, times) + scatter)
        self._weights = self._inverse @ levels
        surprise = float(levels @ self._weights)
        self._scale = (_WIDTHS_WORTH + surprise) / (_WIDTHS_WORTH + len(levels))

    def mean(self, times: Floats) -> Floats:
        """Return the expected level at some times, in days."""
        return np.asarray(self._kernel(times, self._times) @ self._weights)

    def sd(self, time: float) -> float:
        """Return how far a new cutoff's level may be off, its own scatter included.

        The recipe's widths hold for shops at large. A shop whose own levels moved less, or more,
        than these let expect has its variance scaled so, as that of a Student-t process is
        (A. Shah, A. Wilson, Z. Ghahramani: "Student-t Processes as Alternatives to Gaussian
        Processes", AISTATS 2014, sec. 3); where noise hides that, little is changed.
        """
        at = np.array([time])
        cross = self._kernel(at, self._times)
        known = cross @ self._inverse @ cross.T
        variance = float((self._kernel(at, at) - known)[0, 0]) + self._recipe.cutoff_sd**2
        return math.sqrt(max(self._scale * variance, 0.0))

    def _kernel(self, left: Floats, right: Floats) -> Floats:
        apart = left[:, None] - right[None, :]
        length = 2 * math.pi * self._recipe.season_days / YEAR_DAYS
        yearly = np.exp(-2 * (np.sin(math.pi * apart / YEAR_DAYS) / length) ** 2)
        drift = np.exp(-np.abs(apart) / self._recipe.drift_days)
        return np.asarray(
            _MEAN_SD**2 + self._recipe.season_sd**2 * yearly + self._recipe.drift_sd**2 * drift
        )


def _widths(recipe: CalibrationRecipe, *, oldest: float, until: float) -> CalibrationRecipe:
    """Return the widths; where these weeks were not seen a year ago, all of it is drift."""
    if oldest <= until - YEAR_DAYS + recipe.season_days:
        return recipe
    return replace(recipe, season_sd=0.0, drift_sd=math.hypot(recipe.season_sd, recipe.drift_sd))


def memory(cutoffs: NDArray[np.int64], *, half_life_days: float) -> Floats:
    """Return how much each row says about now: 1 at the newest cutoff, half as much before.

    Parameters
    ----------
    cutoffs : ndarray of int64, shape (n,)
        Microseconds UTC.
    half_life_days : float
        After how many days it is half as much.

    Examples
    --------
    >>> memory(np.array([0, 90 * DAY_US]), half_life_days=90.0).tolist()
    [0.5, 1.0]
    """
    return np.asarray(np.exp2((cutoffs - cutoffs.max()) / (half_life_days * DAY_US)))


def _slope(raw: Floats, dataset: Dataset, *, half_life_days: float) -> float:
    """Return the slope of the outcome on the margin with a level of its own for each cutoff.

    Newton on the log of the slope, with a weak prior around 1 so that a small shop stays there.
    Newer cutoffs weigh more: as a shop's history grows, margins tell more.
    """
    cutoffs, places = np.unique(dataset.cutoffs, return_inverse=True)
    kept = memory(dataset.cutoffs, half_life_days=half_life_days)
    rows = [np.flatnonzero(places == place) for place in range(len(cutoffs))]
    log_slope = 0.0
    for _ in range(50):
        slope = math.exp(log_slope)
        levels = np.array([level(slope * raw[mine], dataset.y[mine]) for mine in rows])
        fitted = special.expit(slope * raw + levels[places])
        weight = kept * fitted * (1 - fitted)
        middles = np.bincount(places, weight * raw) / np.maximum(np.bincount(places, weight), 1e-9)
        centered = raw - middles[places]
        error = kept * (dataset.y - fitted)
        gradient = slope * float(error @ centered) - log_slope / _SLOPE_PRIOR_SD**2
        hessian = slope**2 * float(weight @ centered**2) + 1 / _SLOPE_PRIOR_SD**2
        step = max(-0.5, min(0.5, gradient / hessian))
        log_slope += step
        if abs(step) < 1e-8:
            break
    return math.exp(max(-3.0, min(3.0, log_slope)))


def _level_variance(margin: Floats, y: NDArray[np.int8]) -> float:
    """Return the sampling variance of a cutoff's level."""
    fitted = special.expit(margin + level(margin, y))
    return 1.0 / max(float((fitted * (1 - fitted)).sum()), 1e-3)


def _season_columns(dataset: Dataset, recipe: Recipe) -> tuple[int, int] | None:
    names = recipe.signals.season
    if len(names) != 2 or any(name not in dataset.names for name in names):
        return None
    return dataset.names.index(names[0]), dataset.names.index(names[1])


def _knot_times(until: float) -> Floats:
    """Return when each knot's time of year comes up: within a year from just before ``until``."""
    begin = until - YEAR_DAYS / KNOTS
    at = np.arange(KNOTS) * YEAR_DAYS / KNOTS
    return np.asarray(begin + (at - begin) % YEAR_DAYS)
