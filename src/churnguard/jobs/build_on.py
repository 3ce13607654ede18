"""Build feature rows on an engine: the same rows as :mod:`churnguard.jobs.build`, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from churnguard.clock import end_of_local_day, iso, to_us
from churnguard.errors import InvalidRequest, NotEnoughHistory
from churnguard.features.population import Population, fit_histories, grid_instants
from churnguard.jobs.ports import Engine, Progress, Shop, silent
from churnguard.jobs.snapshots import not_to_be_profiled
from churnguard.jobs.tasks import Known, OrderHistories, SnapshotRows, Survey
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue
from churnguard.project.parcel import Parcel


def build_on(
    engine: Engine,
    shop: Shop,
    *,
    cutoffs: Sequence[datetime],
    out: str,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Build rows into a folder of Parquet files and return a summary of them.

    The engine reads the events three times: to count them, to fit the population, and to build.

    Parameters
    ----------
    engine : Engine
        Where the work runs.
    shop : Shop
        An opened project: its settings, signals and customer book.
    cutoffs : sequence of datetime
        Instants to look back from.
    out : str
        A folder, or a URI that the engine can write to; rows are sorted by (cutoff, customer).
    progress : callable
        Told what is being done.

    Raises
    ------
    InvalidRequest
        If no cutoff is given.
    NotEnoughHistory
        If there are no events.
    """
    if not cutoffs:
        raise InvalidRequest("There is no cutoff to build rows for.", hint="Say --cutoff T.")
    settings, layout = shop.settings, Layout(shop.root)
    known = Known(shop.clock(), tuple(not_to_be_profiled(shop)))
    instants = sorted({to_us(cutoff) for cutoff in cutoffs})
    progress("counting events", 0, None)
    counts, newest = _survey(engine, known)
    progress("fitting the population", 0, None)
    population = _population(engine, known, instants, timezone=settings.timezone)
    progress("building signals", 0, None)
    task = SnapshotRows(
        known=known,
        rooms=Parcel.pack(layout, layout.features),
        event_counts=tuple(sorted(counts.items())),
        cutoffs=tuple(instants),
        population=population,
        horizon_days=settings.horizon_days,
        look_back_days=settings.look_back_days,
        data_end=to_us(end_of_local_day(newest, settings.timezone)),
    )
    written = engine.write(task, out, order_by=("cutoff", "customer_id"))
    return {
        "out": out,
        "rows": written["customer_id"],
        "columns": len(task.schema.names) - 4,
        "mature": written["churned"],
        "cutoffs": [iso(cutoff) for cutoff in cutoffs],
        "left_out": load_catalogue(layout).available(counts)[1],
    }


def _survey(engine: Engine, known: Known) -> tuple[dict[str, int], datetime]:
    """Return how many events there are by kind, and the newest one's instant."""
    found = engine.run(Survey(known))
    if not found.num_rows:
        raise NotEnoughHistory(
            f"Nothing was known before {known.before:%Y-%m-%d}.",
            hint="Bring in the shop's files with 'churnguard ingest', or choose a later instant.",
        )
    by_kind = found.group_by("event").aggregate([("events", "sum")])
    counts = dict(
        zip(*(by_kind[name].to_pylist() for name in ("event", "events_sum")), strict=True)
    )
    return counts, pc.max(found["newest"]).as_py()


def _population(
    engine: Engine, known: Known, instants: Sequence[int], *, timezone: str
) -> Population:
    task = OrderHistories(known, tuple(grid_instants(instants, timezone=timezone)))
    histories = task.gathered(engine.run(task))
    return fit_histories(histories, instants, timezone=timezone)
