"""Whether two sides gave the same numbers, and in which columns not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

RELATIVE = 1e-9


def in_order(rows: pa.Table) -> pa.Table:
    """Return rows by (cutoff, customer), so that sides may give them in any order."""
    plain = rows.set_column(
        0, "customer_id", rows["customer_id"].cast(pa.string()).combine_chunks()
    ).set_column(1, "cutoff", rows["cutoff"].cast(pa.timestamp("us", tz="UTC")))
    ids = plain["customer_id"].combine_chunks().dictionary_encode()
    rank = np.empty(len(ids.dictionary), np.int64)
    rank[pc.sort_indices(ids.dictionary).to_numpy()] = np.arange(len(rank))
    at = plain["cutoff"].cast(pa.int64()).to_numpy()
    return plain.take(np.lexsort((rank[ids.indices.to_numpy()], at)))


def differences(ours: pa.Table, theirs: pa.Table) -> dict[str, Any]:
    """Return, by column, how many numbers differ by more than 1e-9 of the larger; empty if none.

    Both tables are in order. Null and NaN are the same; known and not known is a difference.
    Columns that the other side does not have are left out.
    """
    for key in ("customer_id", "cutoff"):
        if not ours[key].combine_chunks().equals(theirs[key].combine_chunks()):
            return {key: "the two sides have different rows"}
    found = {}
    for name in theirs.column_names[2:]:
        left, right = _numbers(ours[name]), _numbers(theirs[name])
        unlike = _unlike(left, right)
        if unlike.any():
            first = int(np.flatnonzero(unlike)[0])
            found[name] = {
                "rows": int(unlike.sum()),
                "first": [ours["customer_id"][first].as_py(), left[first], right[first]],
            }
    return found


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).to_numpy())


def _unlike(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.bool_]:
    unknown = np.isnan(left) != np.isnan(right)
    with np.errstate(invalid="ignore"):
        apart = np.abs(left - right) > RELATIVE * np.maximum(np.abs(left), np.abs(right))
    return np.asarray(unknown | apart)
