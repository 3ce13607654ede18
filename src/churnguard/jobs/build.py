"""Build feature rows: eligible customers at cutoffs, with their label where it is mature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from churnguard.clock import iso, to_us
from churnguard.errors import InvalidRequest, NotEnoughHistory
from churnguard.features.coverage import carried_by
from churnguard.jobs.population import shop_population
from churnguard.jobs.ports import Progress, Shop, silent
from churnguard.jobs.snapshots import History, labelled_table, read_history, take_snapshots
from churnguard.jobs.write_table import write_table
from churnguard.labels import LABELS, ORDER_GAP
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue


def build_to(
    shop: Shop,
    cutoffs: Sequence[datetime],
    out: Path,
    *,
    label: str = ORDER_GAP,
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
    """
    rows, left_out = build(shop, cutoffs, label=label, progress=progress)
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
    shop: Shop,
    cutoffs: Sequence[datetime],
    *,
    label: str = ORDER_GAP,
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
        What churned means: ``order_gap`` (no order) or ``subscription`` (ended, not renewed).
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
        If no cutoff is given, or there is no such label.
    NotEnoughHistory
        If there are no events, or none of the kinds that the label looks at.
    """
    if not cutoffs:
        raise InvalidRequest("There is no cutoff to build rows for.", hint="Say --cutoff T.")
    if label not in LABELS:
        raise InvalidRequest(
            f"There is no label '{label}'.", hint=f"There are {' and '.join(LABELS)}."
        )
    settings = shop.settings
    history = read_history(shop, known_before=shop.clock(), progress=progress)
    _refuse_without(LABELS[label].needs, history)
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
        label=label,
    )
    return labelled_table(snapshots.rows, snapshots.churned, snapshots.mature), left_out


def _refuse_without(events: Sequence[str], history: History) -> None:
    """Refuse a label whose events the shop does not have; without orders nobody is eligible."""
    if events != LABELS[ORDER_GAP].needs and not any(history.event_counts.get(e) for e in events):
        raise NotEnoughHistory(
            f"The history has none of the events that this label looks at: {', '.join(events)}.",
            hint="Ingest them, or leave --label out to look at orders.",
        )
