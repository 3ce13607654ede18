"""Folds that do not leak: by customer and by time, with an embargo as long as the horizon.

A row of the same customer, or a label window that overlaps the judged one, would tell the answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnguard.training.dataset import Dataset, Mask


@dataclass(frozen=True)
class Fold:
    """Rows to learn from and rows to judge, as masks over the dataset."""

    learn: Mask
    judge: Mask


def customer_fold(customer_ids: NDArray[np.str_], folds: int, *, seed: int) -> NDArray[np.int64]:
    """Return each customer's fold, by hash: the same customer always falls into the same one.

    Examples
    --------
    >>> customer_fold(np.array(["a", "b", "a"]), 2, seed=1).tolist()[::2] in ([0, 0], [1, 1])
    True
    """
    unique, places = np.unique(customer_ids, return_inverse=True)
    hashes = [
        int.from_bytes(hashlib.blake2b(f"{seed}:{customer}".encode(), digest_size=8).digest())
        for customer in unique
    ]
    return np.array([value % folds for value in hashes], dtype=np.int64)[places]


def cross_folds(
    dataset: Dataset, *, customer_folds: int, time_blocks: int, seed: int
) -> Iterator[Fold]:
    """Cut a dataset into customer folds x time blocks; every row is judged exactly once.

    Parameters
    ----------
    dataset : Dataset
        Rows of several cutoffs.
    customer_folds, time_blocks : int
        The grid. Blocks are runs of neighbouring cutoffs; fewer where there is too little time
        to learn from outside a block and its embargo.
    seed : int
        Salt of the customers' hash.

    Yields
    ------
    Fold
        No customer is on both sides, and no label window of one side overlaps one of the other,
        unless there is only one block, in which case customers alone are kept apart.
    """
    folds = customer_fold(dataset.people, customer_folds, seed=seed)[dataset.customers]
    for block, outside in _blocks(dataset, time_blocks):
        for number in range(customer_folds):
            fold = Fold(learn=outside & (folds != number), judge=block & (folds == number))
            if fold.judge.any():
                yield fold


def _blocks(dataset: Dataset, wanted: int) -> list[tuple[Mask, Mask]]:
    """Return (block, far enough from it) masks; fall back to fewer blocks, at last to one."""
    unique = np.unique(dataset.cutoffs)
    for count in range(min(wanted, len(unique)), 1, -1):
        pairs = [_apart(dataset, part) for part in np.array_split(unique, count)]
        if all(_learnable(dataset, outside) for _, outside in pairs):
            return pairs
    everything = np.ones(len(dataset), dtype=bool)
    return [(everything, everything)]


def _apart(dataset: Dataset, part: NDArray[np.int64]) -> tuple[Mask, Mask]:
    block = (dataset.cutoffs >= part[0]) & (dataset.cutoffs <= part[-1])
    outside = (dataset.cutoffs + dataset.horizon_us <= part[0]) | (
        dataset.cutoffs >= part[-1] + dataset.horizon_us
    )
    return block, outside


def _learnable(dataset: Dataset, rows: Mask) -> bool:
    """Tell whether the rows span at least two cutoffs and hold both outcomes."""
    return len(np.unique(dataset.cutoffs[rows])) >= 2 and len(np.unique(dataset.y[rows])) == 2
