"""What is fitted over all customers, from what was known then: lifetime models, on a weekly grid.

A row at ``T`` uses the newest fit at or before ``T``, in training as in serving, and names it by
its shop-local date. The grid is fixed (Mondays, shop-local midnight), so a backtest fits only the
points its cutoffs need and gets the very fits that serving would have had.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]

PARAMETERS = tuple(
    f"{model}_{name}" for model in ("bgnbd", "mbgnbd") for name in ("r", "alpha", "a", "b")
)
"""Columns of a population besides ``fitted_at`` and ``name``."""


@dataclass(frozen=True)
class Population:
    """Fits by grid point, oldest first.

    Attributes
    ----------
    fitted_at : ndarray of int64, shape (m,)
        Grid points, microseconds UTC, rising.
    names : tuple of str
        Their shop-local dates.
    parameters : ndarray of float64, shape (m, 8)
        Columns as in ``PARAMETERS``; NaN where the shop was too thin to fit.
    """

    fitted_at: Ints
    names: tuple[str, ...]
    parameters: NDArray[np.float64]

    def at(self, cutoffs: Ints) -> Ints:
        """Return the place of the newest fit at or before each cutoff, -1 where there is none."""
        return np.searchsorted(self.fitted_at, cutoffs, side="right") - 1

    def name_at(self, cutoff_us: int) -> str | None:
        """Return the name of the fit that a row at a cutoff uses."""
        place = int(self.at(np.array([cutoff_us]))[0])
        return self.names[place] if place >= 0 else None

    def to_table(self) -> pa.Table:
        """Return the population as a table, to be stored as Parquet."""
        columns = {
            "fitted_at": pa.array(self.fitted_at).cast(pa.timestamp("us", tz="UTC")),
            "name": pa.array(self.names, pa.string()),
        }
        for place, name in enumerate(PARAMETERS):
            columns[name] = pa.array(self.parameters[:, place])
        return pa.table(columns)

    @classmethod
    def from_table(cls, table: pa.Table) -> Population:
        """Return the population that :meth:`to_table` wrote."""
        return cls(
            fitted_at=table["fitted_at"].cast(pa.int64()).to_numpy(),
            names=tuple(table["name"].to_pylist()),
            parameters=np.column_stack([table[name].to_numpy() for name in PARAMETERS]),
        )
