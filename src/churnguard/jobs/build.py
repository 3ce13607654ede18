"""Build feature rows: eligible customers at cutoffs, with their label where it is mature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from churnguard.clock import iso, to_us
from churnguard.errors import InvalidRequest
from churnguard.features.coverage import carried_by
from churnguard.jobs.population import shop_population
from churnguard.jobs.ports import Progress, Shop, silent
from churnguard.jobs.snapshots import labelled_table, read_history, take_snapshots
from churnguard.jobs.write_table import write_table
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue


def build_to(
    shop: Shop, cutoffs: Sequence[datetime], out: Path, *, progress: Progress = silent
) -> dict[str, Any]:
    """Build rows into a Parquet (or CSV) file and return a summary of them.

    Parameters
    ----------
    shop : Shop
        An opened project.
    cutoffs : sequence of datetime
        Instants to look back from.
    out : Path
        The file; it appears once, and whole.
    progress : callable
        Told what is being done.
    """
    rows, left_out = build(shop, cutoffs, progress=progress)
    write_table(rows, out)
    return {
        "out": str(out),
        "rows": rows.num_rows,
        "columns": rows.num_columns - 4,
        "mature": rows.num_rows - rows["churned"].null_count,
        "cutoffs": [iso(cutoff) for cutoff in cutoffs],
        "left_out": left_out,
    }


def build(
    shop: Shop, cutoffs: Sequence[datetime], *, progress: Progress = silent
) -> tuple[pa.Table, dict[str, str]]:
    """Build rows of all eligible customers.

    Parameters
    ----------
    shop : Shop
        An opened project.
    cutoffs : sequence of datetime
        Instants to look back from.
    progress : callable
        Told what is being done.

    Returns
    -------
    rows : pa.Table
        ``customer_id``, ``cutoff``, one float64 column a signal (null where there is nothing to
        say), ``population`` (the date of the fit that the row used, null where none) and
        ``churned`` (bool, null where the horizon has not passed), by (cutoff, customer).
    left_out : dict of str to str
        Families that the shop's events cannot carry, with the reason.

    Raises
    ------
    InvalidRequest
        If no cutoff is given.
    NotEnoughHistory
        If there are no events.
    """
    if not cutoffs:
        raise InvalidRequest("There is no cutoff to build rows for.", hint="Say --cutoff T.")
    settings = shop.settings
    history = read_history(shop, known_before=shop.clock(), progress=progress)
    catalogue, left_out = carried_by(load_catalogue(Layout(shop.root)), history.timelines)
    instants = sorted({to_us(cutoff) for cutoff in cutoffs})
    population = shop_population(shop, history.timelines, instants)
    snapshots = take_snapshots(
        history,
        catalogue,
        instants,
        population=population,
        horizon_days=settings.horizon_days,
        look_back_days=settings.look_back_days,
        progress=progress,
    )
    return labelled_table(snapshots.rows, snapshots.churned, snapshots.mature), left_out
