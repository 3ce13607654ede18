"""What is learned from: feature rows with their labels, who they belong to and when they look back.

Nothing here knows where the rows came from; a job builds them, training only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

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

        Neighbouring rows are looked at where they are, others copied. Columns that lie together in
        memory stay so.
        """
        if rows.dtype == bool and rows.all():
            return self
        places = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows, np.int64)
        if len(places) and (np.diff(places) == 1).all():
            return self._picked(slice(int(places[0]), int(places[-1]) + 1))
        return self._picked(places)

    def only(self, names: Sequence[str]) -> Dataset:
        """Return the rows with some of their signals; names that it does not have are passed over.

        Examples
        --------
        >>> data = Dataset(np.zeros((1, 2)), ("a", "b"), np.array([0], np.int8),
        ...                np.array(["x"]), np.array([0]))
        >>> data.only(["b", "c"]).names
        ('b',)
        """
        places = [self.names.index(name) for name in names if name in self.names]
        kept = replace(self, X=self.X[:, places], names=tuple(self.names[at] for at in places))
        kept.__dict__.update(_known(self))
        return kept

    @cached_property
    def customers(self) -> Ints:
        """Return each row's customer as a number: its place in :attr:`people`."""
        return np.unique(self.customer_ids, return_inverse=True)[1]

    @property
    def people(self) -> NDArray[np.str_]:
        """Return every customer once, in order."""
        people = np.empty(int(self.customers.max(initial=-1)) + 1, dtype=self.customer_ids.dtype)
        people[self.customers] = self.customer_ids
        return people

    def mature(self, *, until_us: int) -> Mask:
        """Tell which rows' labels were known at an instant: cutoff + horizon is not after it."""
        return self.cutoffs + self.horizon_us <= until_us

    def column(self, name: str) -> Floats | None:
        """Return one signal's column, or None where the dataset does not have it."""
        return self.X[:, self.names.index(name)] if name in self.names else None

    def _picked(self, rows: slice | Ints) -> Dataset:
        by_column = self.X.strides[0] < self.X.strides[1]
        if by_column and not isinstance(rows, slice):
            X = np.take(self.X.T, rows, axis=1).T
        else:
            X = self.X[rows]
        picked = replace(
            self,
            X=X,
            y=self.y[rows],
            customer_ids=self.customer_ids[rows],
            cutoffs=self.cutoffs[rows],
        )
        picked.__dict__.update((name, _recounted(of[rows])) for name, of in _known(self).items())
        return picked


def _known(dataset: Dataset) -> dict[str, Ints]:
    """Return the customers' numbers where they were counted already: comparing ids is slow."""
    return {name: dataset.__dict__[name] for name in ("customers",) if name in dataset.__dict__}


def _recounted(numbers: Ints) -> Ints:
    """Return numbers that count on without gaps, in the same order."""
    there = np.zeros(int(numbers.max(initial=-1)) + 1, dtype=bool)
    there[numbers] = True
    return np.asarray((np.cumsum(there) - 1)[numbers])
