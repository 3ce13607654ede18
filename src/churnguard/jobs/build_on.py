"""Build feature rows on an engine: the same rows as :mod:`churnguard.jobs.build`, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from churnguard.clock import end_of_local_day, iso, not_in_future, to_us
from churnguard.errors import InvalidRequest, NotEnoughHistory
from churnguard.features.coverage import carried_with, empty_without_fit
from churnguard.features.population import Population, fit_histories, grid_instants
from churnguard.jobs.build import nobody
from churnguard.jobs.lesson import refuse_unseen
from churnguard.jobs.population import stored_population
from churnguard.jobs.ports import Engine, Progress, Shop, silent
from churnguard.jobs.snapshots import LABEL, not_to_be_profiled
from churnguard.jobs.tasks import Known, OrderHistories, SnapshotRows, Survey
from churnguard.labels import label_named
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue
from churnguard.project.parcel import Parcel


def build_on(
    engine: Engine,
    shop: Shop,
    *,
    cutoffs: Sequence[datetime],
    out: str,
    label: str | None = None,
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
    label : str, optional
        What churned means, as in :func:`churnguard.jobs.build.build`.
    progress : callable
        Told what is being done.

    Raises
    ------
    InvalidRequest
        If no cutoff is given, one lies in the future, or there is no such label.
    NotEnoughHistory
        If there are no events, or none of the kinds that a label looks at that was asked for.
    """
    if not cutoffs:
        raise InvalidRequest("There is no cutoff to build rows for.", hint="Say --cutoff T.")
    settings, layout = shop.settings, Layout(shop.root)
    meaning = label_named(label or settings.label)
    known = Known(shop.clock(), tuple(not_to_be_profiled(shop)))
    instants = sorted({to_us(not_in_future(cutoff, shop.clock)) for cutoff in cutoffs})
    progress("counting events", 0, None)
    counts, empty, newest = _survey(engine, known)
    if label is not None:
        refuse_unseen(meaning, counts)
    catalogue, left_out = carried_with(load_catalogue(layout), counts, empty)
    progress("fitting the population", 0, None)
    population = _population(engine, shop, known, instants)
    progress("building signals", 0, None)
    task = SnapshotRows(
        known=known,
        rooms=Parcel.pack(layout, layout.features),
        names=catalogue.names,
        cutoffs=tuple(instants),
        population=population,
        horizon_days=settings.horizon_days,
        look_back_days=settings.look_back_days,
        data_end=to_us(end_of_local_day(newest, settings.timezone)),
        label=meaning.name,
    )
    written = engine.write(task, out, order_by=("cutoff", "customer_id"))
    return {
        "out": out,
        "rows": written["customer_id"],
        "columns": len(catalogue.names),
        "mature": written[LABEL],
        "cutoffs": [iso(cutoff) for cutoff in cutoffs],
        "left_out": left_out,
        "empty": empty_without_fit(catalogue, population),
        "nobody": nobody(shop, label, written["customer_id"]),
    }


def _survey(engine: Engine, known: Known) -> tuple[dict[str, int], set[tuple[str, str]], datetime]:
    """Return the number of events by kind, the columns no event of a kind fills, and the newest."""
    found = engine.run(Survey(known)).to_pylist()
    if not found:
        raise NotEnoughHistory(
            f"Nothing was known before {known.before:%Y-%m-%d}.",
            hint="Bring in the shop's files with 'churnguard ingest', or choose a later instant.",
        )
    counts: dict[str, int] = {}
    empty: dict[str, set[str]] = {}
    for part in found:
        kind = part["event"]
        counts[kind] = counts.get(kind, 0) + part["events"]
        empty[kind] = empty.get(kind, set(part["empty"])) & set(part["empty"])
    columns = {(kind, name) for kind, names in empty.items() for name in names}
    return counts, columns, max(part["newest"] for part in found)


def _population(engine: Engine, shop: Shop, known: Known, instants: Sequence[int]) -> Population:
    timezone = shop.settings.timezone
    task = OrderHistories(known, tuple(grid_instants(instants, timezone=timezone)))
    histories = task.gathered(engine.run(task))

    def fit(stored: Population | None) -> Population:
        return fit_histories(histories, instants, timezone=timezone, stored=stored)

    return stored_population(shop, fit)
