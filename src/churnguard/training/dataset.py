"""What is learned from: feature rows with their labels, who they belong to and when they look back.

Nothing here knows where the rows came from; a job builds them, training only reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.errors import SchemaError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labels = NDArray[np.int8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Dataset:
    """Labelled feature rows.

    Attributes
    ----------
    X : ndarray of float64, shape (n, p)
        Signals; NaN where missing.
    names : tuple of str
        The p signals.
    y : ndarray of int8, shape (n,)
        1 where the customer placed no order in the horizon after the cutoff.
    customer_ids : ndarray of str, shape (n,)
        Whose rows they are.
    cutoffs : ndarray of int64, shape (n,)
        Instants that the rows look back from, microseconds UTC.
    horizon_days : int
        How far ahead the labels look.

    Raises
    ------
    SchemaError
        If the parts do not fit each other.

    Examples
    --------
    >>> data = Dataset(np.zeros((2, 1)), ("orders_90d",), np.array([0, 1], np.int8),
    ...                np.array(["a", "b"]), np.array([0, DAY_US]), horizon_days=90)
    >>> len(data), data.mature(until_us=90 * DAY_US).tolist()
    (2, [True, False])
    """

    X: Floats
    names: tuple[str, ...]
    y: Labels
    customer_ids: NDArray[np.str_]
    cutoffs: Ints
    horizon_days: int = 90

    def __post_init__(self) -> None:
        rows = {len(self.X), len(self.y), len(self.customer_ids), len(self.cutoffs)}
        if self.X.ndim != 2 or len(rows) != 1:
            raise SchemaError("Rows, labels, customers and cutoffs must be equally many.")
        if self.X.shape[1] != len(self.names):
            raise SchemaError(
                f"There are {self.X.shape[1]} columns and {len(self.names)} names for them."
            )
        if not np.isin(self.y, (0, 1)).all():
            raise SchemaError("A label is 1 for churned and 0 for stayed; there are others.")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def horizon_us(self) -> int:
        """The horizon in microseconds."""
        return self.horizon_days * DAY_US

    def take(self, rows: Mask | Ints) -> Dataset:
        """Return some of the rows, by mask or by place; the very same dataset if it is all of them.

        Columns that lie together in memory stay so: LightGBM reads them without a copy.
        """
        if rows.dtype == bool:
            if rows.all():
                return self
            rows = np.flatnonzero(rows)
        by_column = self.X.flags.f_contiguous and not self.X.flags.c_contiguous
        return replace(
            self,
            X=np.take(self.X.T, rows, axis=1).T if by_column else self.X[rows],
            y=self.y[rows],
            customer_ids=self.customer_ids[rows],
            cutoffs=self.cutoffs[rows],
        )

    def mature(self, *, until_us: int) -> Mask:
        """Tell which rows' labels were known at an instant: cutoff + horizon is not after it."""
        return self.cutoffs + self.horizon_us <= until_us

    def column(self, name: str) -> Floats | None:
        """Return one signal's column, or None where the dataset does not have it."""
        return self.X[:, self.names.index(name)] if name in self.names else None
