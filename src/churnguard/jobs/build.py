"""Build feature rows: eligible customers at cutoffs, with their label where it is mature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from churnguard.clock import iso, not_in_future, to_us
from churnguard.errors import InvalidRequest
from churnguard.features.coverage import carried_by, empty_without_fit
from churnguard.jobs.lesson import refuse_unseen
from churnguard.jobs.population import shop_population
from churnguard.jobs.ports import Progress, Shop, silent
from churnguard.jobs.snapshots import labelled_table, read_history, take_snapshots
from churnguard.jobs.write_table import check_ending, write_table
from churnguard.labels import label_named
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue


def build_to(
    shop: Shop,
    cutoffs: Sequence[datetime],
    out: Path,
    *,
    label: str | None = None,
    progress: Progress = silent,
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
    label : str
        What churned means; as in :func:`build`.
    progress : callable
        Told what is being done.

    Raises
    ------
    InvalidRequest
        If the file's ending is neither ``.csv`` nor ``.parquet``; and as in :func:`build`.
    """
    check_ending(out)
    rows, left_out, empty = _built(shop, cutoffs, label, progress)
    write_table(rows, out)
    return {
        "out": str(out),
        "rows": rows.num_rows,
        "columns": rows.num_columns - 4,
        "mature": rows.num_rows - rows["churned"].null_count,
        "cutoffs": [iso(cutoff) for cutoff in cutoffs],
        "left_out": left_out,
        "empty": empty,
        "nobody": nobody(shop, label, rows.num_rows),
    }


def nobody(shop: Shop, label: str | None, rows: int) -> str | None:
    """Return why there is no row, None where there is one."""
    settings = shop.settings
    who = label_named(label or settings.label).who.format(days=settings.look_back_days)
    return None if rows else f"At these cutoffs there are no {who}."


def build(
    shop: Shop,
    cutoffs: Sequence[datetime],
    *,
    label: str | None = None,
    progress: Progress = silent,
) -> tuple[pa.Table, dict[str, str]]:
    """Build rows of all eligible customers.

    Parameters
    ----------
    shop : Shop
        An opened project.
    cutoffs : sequence of datetime
        Instants to look back from.
    label : str
        What churned means, see :func:`churnguard.labels.label_named`; as the project's settings
        say when not given.
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
        If no cutoff is given, one lies in the future, or there is no such label.
    NotEnoughHistory
        If there are no events, or none of the kinds that a label looks at that was asked for.
    """
    rows, left_out, _ = _built(shop, cutoffs, label, progress)
    return rows, left_out


def _built(
    shop: Shop, cutoffs: Sequence[datetime], label: str | None, progress: Progress
) -> tuple[pa.Table, dict[str, str], dict[str, str]]:
    """Return what :func:`build` does, and why families are empty though events carry them."""
    if not cutoffs:
        raise InvalidRequest("There is no cutoff to build rows for.", hint="Say --cutoff T.")
    settings = shop.settings
    meaning = label_named(label or settings.label)
    history = read_history(shop, known_before=shop.clock(), progress=progress)
    if label is not None:
        refuse_unseen(meaning, history.event_counts)
    catalogue, left_out = carried_by(load_catalogue(Layout(shop.root)), history.timelines)
    instants = sorted({to_us(not_in_future(cutoff, shop.clock)) for cutoff in cutoffs})
    population = shop_population(shop, history.timelines, instants)
    snapshots = take_snapshots(
        history,
        catalogue,
        instants,
        population=population,
        horizon_days=settings.horizon_days,
        look_back_days=settings.look_back_days,
        progress=progress,
        label=meaning.name,
    )
    rows = labelled_table(snapshots.rows, snapshots.churned, snapshots.mature)
    return rows, left_out, empty_without_fit(catalogue, population)
