"""Write a simulated shop to files: the log, the customer book, the campaign log, the truth."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from churnguard.clock import iso
from churnguard.errors import InvalidRequest, StoreError
from churnguard.events.simulation import SimulatedShop, SimulationPlan, simulate
from churnguard.jobs.ports import Progress


def simulate_to(
    out: Path, plan: SimulationPlan, progress: Progress | None = None
) -> dict[str, Any]:
    """Simulate a shop and write it beside ``out``; each file appears once and whole.

    Parameters
    ----------
    out : Path
        The event log, a ``.parquet`` file. ``NAME.customers.parquet``, ``NAME.offers.parquet`` and
        ``NAME.truth.parquet`` are written beside it.
    plan : SimulationPlan
        What to simulate.
    progress : callable, optional
        Told how far it is.

    Returns
    -------
    dict
        ``files``, ``events`` (counts by event), ``rows``, ``customers``, ``churned_share``,
        ``causes`` and ``response_types`` (shares), ``mean_risk`` (of those not gone) and ``end``.

    Raises
    ------
    InvalidRequest
        If ``out`` does not end in ``.parquet``.
    StoreError
        If a file cannot be written.
    """
    if out.suffix != ".parquet":
        raise InvalidRequest(
            f"'{out.name}' is not a Parquet file's name.", hint="End the name in .parquet."
        )
    shop = simulate(plan, progress=progress)
    tables = {
        "events": shop.events,
        "customers": shop.customers,
        "offers": shop.offers,
        "truth": shop.truth,
    }
    files = {
        name: out if name == "events" else out.with_suffix(f".{name}.parquet") for name in tables
    }
    for name, table in tables.items():
        _write(table, files[name])
    return {"files": {name: str(path) for name, path in files.items()}, **summary(shop, plan)}


def summary(shop: SimulatedShop, plan: SimulationPlan) -> dict[str, Any]:
    """Return what is worth saying about a simulated shop, as plain values.

    Examples
    --------
    >>> plan = SimulationPlan(customers=30, days=90)
    >>> summary(simulate(plan), plan)["customers"]
    30
    """
    truth = shop.truth
    newest = truth.filter(pc.equal(truth["at"], pc.max(truth["at"])))
    there = newest.filter(pc.not_equal(newest["state"].cast(pa.string()), "gone"))
    gone = newest.filter(pc.equal(newest["state"].cast(pa.string()), "gone"))
    counted = shop.events["event"].value_counts().to_pylist()
    mean = pc.mean(there["churn_risk"]).as_py()
    return {
        "rows": shop.events.num_rows,
        "customers": shop.customers.num_rows,
        "end": iso(plan.end),
        "events": dict(sorted((c["values"], c["counts"]) for c in counted)),
        "churned_share": round(gone.num_rows / max(newest.num_rows, 1), 4),
        "mean_risk": None if mean is None else round(mean, 4),
        "causes": _shares(gone["cause"]),
        "response_types": _shares(newest["response_type"]),
    }


def _shares(words: pa.ChunkedArray) -> dict[str, float]:
    found = Counter(words.cast(pa.string()).to_pylist())
    return {str(word): round(count / len(words), 4) for word, count in sorted(found.items())}


def _write(table: pa.Table, target: Path) -> None:
    """Write to a temporary name, then rename."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(target)
    except OSError as error:
        raise StoreError(
            f"{target} cannot be written: {error.strerror or error}.",
            hint="Choose another place with --out, or free some space.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
