"""Feature rows and labels of a table of events: what ``churnguard build`` writes."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from churnguard.features.catalogue import Catalogue
from churnguard.features.coverage import carried_by
from churnguard.features.population import fit_population
from churnguard.jobs.ports import silent
from churnguard.jobs.snapshots import LABEL, POPULATION, eligible_rows, take_snapshots
from churnguard.labels import ORDER_GAP, label_named, mature
from churnguard.tables.events import Table, like, read_events
from churnguard.tables.history import Instant, read_cutoffs, read_history


def build_features(
    events: Table,
    *,
    cutoffs: Iterable[Instant],
    catalogue: Catalogue | None = None,
    timezone: str = "UTC",
    look_back_days: int = 365,
    label: str = ORDER_GAP,
) -> Table:
    """Build the rows of all eligible customers at some cutoffs.

    A row sees only what occurred and was received before its cutoff; it is the same whatever comes
    later, and whoever else is in the table.

    Parameters
    ----------
    events : pandas.DataFrame or pyarrow.Table
        Canonical events: ``customer_id``, ``event``, ``occurred_at``, and what else there is.
    cutoffs : iterable of datetime, date or str
        Instants to look back from; a date is shop-local midnight.
    catalogue : Catalogue, optional
        The signals; every family when not given. Those that the events cannot carry are left out.
    timezone : str
        The shop's IANA time zone.
    look_back_days : int
        Eligible is who has an order in so many days before the cutoff.
    label : str
        What churn is, and so who is eligible; see :func:`churnguard.labels.label_named`.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        ``customer_id``, ``cutoff``, one float64 column a signal (missing where there is nothing to
        say) and ``population`` (the fit that the row used), by (cutoff, customer). The kind that
        was given.

    Raises
    ------
    SchemaError
        If a needed column is missing or of another type.
    InvalidRequest
        If there is no cutoff, or one cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({
    ...     "customer_id": ["a", "a", "b"],
    ...     "event": "order_completed",
    ...     "occurred_at": pd.to_datetime(["2026-01-01", "2026-02-01", "2026-03-01"]),
    ...     "value": [20.0, 30.0, 50.0],
    ... })
    >>> rows = build_features(orders, cutoffs=["2026-03-03"])
    >>> rows[["customer_id", "orders_90d", "spend_90d", "days_since_order"]].values.tolist()
    [['a', 2.0, 50.0, 30.0], ['b', 1.0, 50.0, 2.0]]
    """
    history = read_history(read_events(events, timezone=timezone), timezone=timezone)
    instants = read_cutoffs(cutoffs, timezone)
    carried, _ = carried_by(catalogue or Catalogue.of(), history.timelines)
    population = fit_population(history.timelines, instants, timezone=timezone)
    rows = take_snapshots(
        history,
        carried,
        instants,
        population=population,
        horizon_days=1,
        look_back_days=look_back_days,
        progress=silent,
        label=label,
    ).rows
    fits = pa.array(rows.fits(), pa.string())
    return like(rows.to_arrow().append_column(POPULATION, fits), events)


def label(
    events: Table,
    *,
    cutoffs: Iterable[Instant],
    horizon_days: int = 90,
    timezone: str = "UTC",
    look_back_days: int = 365,
    label: str = ORDER_GAP,
) -> Table:
    """Tell who churned: no order in the horizon after the cutoff, or what the label says.

    Parameters
    ----------
    events : pandas.DataFrame or pyarrow.Table
        As for :func:`build_features`.
    cutoffs : iterable of datetime, date or str
        Instants to look ahead from.
    horizon_days : int
        How far ahead.
    timezone : str
        The shop's IANA time zone.
    look_back_days : int
        Eligible is who has an order in so many days before the cutoff.
    label : str
        What churn is, and so who is eligible; see :func:`churnguard.labels.label_named`.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        ``customer_id``, ``cutoff`` and ``churned`` (missing where the horizon has not passed), in
        the order of :func:`build_features`, row by row. The kind that was given.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({
    ...     "customer_id": ["a", "b", "b"],
    ...     "event": "order_completed",
    ...     "occurred_at": pd.to_datetime(["2026-01-01", "2026-01-01", "2026-02-20"]),
    ... })
    >>> label(orders, cutoffs=["2026-01-02"], horizon_days=30)["churned"].tolist()
    [True, True]
    """
    history = read_history(read_events(events, timezone=timezone), timezone=timezone)
    (timeline,) = history.timelines
    meaning, instants = label_named(label), read_cutoffs(cutoffs, timezone)
    customers, at = eligible_rows(timeline, meaning, instants, look_back_days)
    known = mature(at, horizon_days, history.data_end)
    gone = meaning.churned(timeline, customers, at, horizon_days)
    ids = pa.array(timeline.customer_ids[customers], pa.string())
    when = pa.array(at).cast(pa.timestamp("us", tz="UTC"))
    answer = {"customer_id": ids, "cutoff": when, LABEL: pa.array(gone, pa.bool_(), mask=~known)}
    return like(pa.table(answer), events)
