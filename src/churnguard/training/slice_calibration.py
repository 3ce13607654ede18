"""Does a risk mean what it says in each kind of customer, too: calibration by slice.

A model that is right on the whole may promise too much of one-time buyers and too little of the
others. A slice with too few rows says so and gives no figure: its error would be mostly luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.training.metrics import ece

Floats = NDArray[np.float64]

EVERYBODY = "everybody"
FEWEST_ROWS, FEWEST_OF_AN_OUTCOME = 200, 30
"""Rows, and rows of each outcome, below which a slice is told by its size alone."""

HEADS = ("slice", "rows", "mean risk", "churn rate", "risk less rate", "s.e.", "ece")


@dataclass(frozen=True)
class SliceCalibration:
    """How far the risks of some customers are off, all cutoffs together.

    Attributes
    ----------
    name : str
        The slice; see :data:`churnguard.training.slices.MEANINGS`.
    rows, churned : int
        Rows judged, and those whose customer left.
    risk, rate : float or None
        Mean risk promised and churn rate seen; None where there is too little to tell.
    noise : float or None
        Standard error of ``risk - rate``, customers being what is drawn.
    ece : float or None
        Expected calibration error over ten equal-count bins.
    """

    name: str
    rows: int
    churned: int
    risk: float | None = None
    rate: float | None = None
    noise: float | None = None
    ece: float | None = None

    @property
    def off(self) -> float | None:
        """Mean risk less churn rate: calibration in the large."""
        return None if self.risk is None or self.rate is None else self.risk - self.rate

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; a slice too thin to judge has its outcomes hidden as well."""
        told = asdict(self) | {"off": self.off}
        return told if self.risk is not None else told | {"churned": None}

    def cells(self) -> list[str]:
        """Return the figures under :data:`HEADS`."""
        if self.risk is None or self.rate is None:
            return [self.name, f"{self.rows:,}", "too few to judge", "", "", "", ""]
        off = f"{self.risk - self.rate:+.3f}"
        told = (f"{self.risk:.3f}", f"{self.rate:.3f}", off, f"{self.noise:.3f}", f"{self.ece:.3f}")
        return [self.name, f"{self.rows:,}", *told]


def slice_calibration(
    name: str, y: NDArray[np.int8], risk: Floats, customers: NDArray[np.str_]
) -> SliceCalibration:
    """Judge the calibration of some rows.

    Parameters
    ----------
    name : str
        What to call them.
    y, risk : ndarray, shape (n,)
        Outcomes and risks, of one or more cutoffs.
    customers : ndarray of str, shape (n,)
        Whose rows they are: one customer's errors are summed before they are squared (K.-Y. Liang,
        S. Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73(1),
        1986, 13-22).

    Examples
    --------
    >>> one = np.array([1], np.int8), np.array([0.4]), np.array(["a"])
    >>> slice_calibration("new", *one).cells()[:3]
    ['new', '1', 'too few to judge']
    """
    rows, churned = len(y), int(y.sum())
    if rows < FEWEST_ROWS or min(churned, rows - churned) < FEWEST_OF_AN_OUTCOME:
        return SliceCalibration(name, rows, churned)
    error = risk - y
    _, places = np.unique(customers, return_inverse=True)
    each = np.bincount(places, error - error.mean())
    return SliceCalibration(
        name,
        rows,
        churned,
        risk=float(risk.mean()),
        rate=float(y.mean()),
        noise=float(np.sqrt((each**2).sum()) / rows),
        ece=ece(y, risk),
    )


def to_text(slices: Sequence[SliceCalibration]) -> str:
    """Return a table for a person."""
    rows = [list(HEADS), *(one.cells() for one in slices)]
    widths = [14, 8, 18, 12, 16, 8, 8]
    return "\n".join(
        "".join(
            f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
