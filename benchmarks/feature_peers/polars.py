"""Polars, written for speed: one pass adds events up between the instants where windows begin.

Those sums, running over time, give all 45 columns of all cutoffs; ``polars_scans.py`` has the
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from feature_peers.columns import BACK, COLUMNS, COUNTED, DAY_US, SINCE, WINDOWS, bounds
from feature_peers.polars_scans import scanned

_ORDERED = {"order_completed", "products_searched"}
_IN_TIME = {"signed_in"}
_DAY = float(DAY_US)


def features(events: pa.Table, cutoffs: Sequence[int]) -> pa.Table:
    """Return one row for every customer at every cutoff."""
    frame = pl.from_arrow(events)
    assert isinstance(frame, pl.DataFrame)
    return rows(frame, cutoffs).to_arrow()


def through_files(source: Path, target: Path, cutoffs: Sequence[int]) -> None:
    """Build the rows from Parquet to Parquet, by Polars' own reader and writer."""
    rows(pl.read_parquet(source), cutoffs).write_parquet(target, compression="snappy")


def rows(events: pl.DataFrame, cutoffs: Sequence[int]) -> pl.DataFrame:
    """Return the rows; where events came late, each cutoff's from what was known by then."""
    customers = events["customer_id"].unique()
    code = events["customer_id"].cast(pl.Enum(customers)).to_physical().cast(pl.Int64)
    events = events.with_columns(
        code.alias("code"),
        pl.col("occurred_at", "received_at").cast(pl.Int64),
        pl.col("event").cast(pl.String),
    )
    if events.select((pl.col("received_at") <= pl.col("occurred_at")).all()).item():
        return _known_rows(events, customers, cutoffs)
    known = (events.filter(pl.col("received_at") < cutoff) for cutoff in cutoffs)
    pairs = zip(known, cutoffs, strict=True)
    return pl.concat([_known_rows(part, customers, [cutoff]) for part, cutoff in pairs])


def _known_rows(events: pl.DataFrame, customers: pl.Series, cutoffs: Sequence[int]) -> pl.DataFrame:
    kinds = _by_kind(events.filter(pl.col("occurred_at") < max(cutoffs)))
    found = [pl.concat([customers] * len(cutoffs)).alias("customer_id")]
    found.append(
        pl.Series("cutoff", cutoffs, pl.Int64)
        .repeat_by(len(customers))
        .explode()
        .cast(pl.Datetime("us", "UTC"))
    )
    found += _searched(kinds, len(customers), cutoffs)
    found += scanned(kinds, len(customers), cutoffs)
    return pl.DataFrame(found).select("customer_id", "cutoff", *COLUMNS)


def _by_kind(events: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return each kind's events; sorted, and only as far as its columns need it."""
    parts = events.partition_by("event", as_dict=True, maintain_order=False)
    kinds = {str(key[0]): part for key, part in parts.items()}
    for kind in _ORDERED & set(kinds):
        kinds[kind] = kinds[kind].sort("code", "occurred_at", "event_id")
    for kind in _IN_TIME & set(kinds):
        kinds[kind] = kinds[kind].select("code", "occurred_at").sort("code", "occurred_at")
    return kinds


class _Grid:
    """Events added up by customer and by the time between neighbouring bounds, running on."""

    def __init__(self, kinds: dict[str, pl.DataFrame], customers: int, at: list[int]) -> None:
        self.kinds, self.at, self.customers = kinds, at, customers
        self.wide = len(at) + 1
        self.cells = customers * self.wide
        self.start = pl.select(pl.arange(0, customers)).to_series() * self.wide
        self._edges = pl.Series(at, dtype=pl.Int64)

    def added(self, kind: str, **measures: pl.Expr) -> dict[str, pl.Series]:
        """Return running sums, by cell, of a kind's events."""
        events = self.kinds[kind]
        bin_ = self._edges.search_sorted(events["occurred_at"], side="right").cast(pl.Int64)
        cells = (
            events.lazy()
            .with_columns((pl.col("code") * self.wide + bin_).alias("cell"))
            .group_by("cell")
            .agg(n=pl.len().cast(pl.Int64), last=pl.col("occurred_at").max(), **measures)
            .collect()
        )
        zero = pl.repeat(0, self.cells, dtype=pl.Int64, eager=True)
        made = {
            name: zero.clone().scatter(cells["cell"], cells[name]).cum_sum()
            for name in cells.columns
            if name not in {"cell", "last"}
        }
        never = pl.repeat(None, self.cells, dtype=pl.Int64, eager=True)
        made["last"] = never.scatter(cells["cell"], cells["last"]).forward_fill()
        return made

    def cell(self, instant: int) -> pl.Series:
        """Return each customer's cell that ends at an instant."""
        return self.start + self.at.index(instant)


def _cents(column: str) -> pl.Expr:
    return (pl.col(column) * 100).round().cast(pl.Int64).sum()


def _searched(
    kinds: dict[str, pl.DataFrame], customers: int, cutoffs: Sequence[int]
) -> list[pl.Series]:
    grid = _Grid(kinds, customers, bounds(cutoffs))
    runs = {name: grid.added(kind) for name, kind in COUNTED.items() if name != "orders"}
    runs["orders"] = grid.added("order_completed", value=_cents("value"))
    runs["refunds"] = grid.added("order_refunded", value=_cents("value"))
    runs["tickets"] = grid.added("support_ticket_opened")
    runs["lines"] = grid.added("product_ordered", quantity=pl.col("quantity").sum())
    parts = [_searched_at(grid, runs, cutoff) for cutoff in cutoffs]
    return [pl.concat([part[name] for part in parts]).alias(name) for name in parts[0]]


def _searched_at(
    grid: _Grid, runs: dict[str, dict[str, pl.Series]], cutoff: int
) -> dict[str, pl.Series]:
    cells = {days: grid.cell(cutoff - days * DAY_US) for days in BACK}
    # Runs go on from customer to customer: 'all' is what they came to before this one.
    frame = pl.DataFrame(
        {
            f"{name}.{measure}.{days}": run[measure].gather(cells[days])
            for name, run in runs.items()
            for measure in run
            for days in BACK
            if measure != "last" or days == 0
        }
        | {
            f"{name}.n.all": _before(run["n"], grid)
            for name, run in runs.items()
            if name in COUNTED
        }
    )
    orders = grid.kinds["order_completed"]
    newest = frame["orders.n.0"] - 1
    there = frame["orders.n.0"] > frame["orders.n.all"]
    first = frame["orders.n.all"].clip(0, max(len(orders) - 1, 0))
    told = frame.lazy().with_columns(
        pl.when(there).then(orders["occurred_at"].gather(first)).alias("first"),
        pl.when(there).then(orders["value"].gather(newest.clip(0))).alias("newest"),
    )
    made = told.select(**_expressions(cutoff)).collect()
    return {column.name: column for column in made}


def _before(run: pl.Series, grid: _Grid) -> pl.Series:
    """Return what runs up to the cell before each customer's first."""
    ends = run.gather(grid.start[1:] - 1)
    return pl.concat([pl.Series([0], dtype=pl.Int64), ends]) if grid.customers else ends


def _expressions(cutoff: int) -> dict[str, pl.Expr]:
    def between(run: str, days: int, until: int = 0) -> pl.Expr:
        return (pl.col(f"{run}.{until}") - pl.col(f"{run}.{days}")).cast(pl.Float64)

    def ratio(above: pl.Expr, below: pl.Expr) -> pl.Expr:
        return pl.when(below != 0).then(above / below)

    made = {f"{name}_{days}d": between(f"{name}.n", days) for name in COUNTED for days in WINDOWS}
    for days in WINDOWS:
        made[f"spend_{days}d"] = between("orders.value", days) / 100
        made[f"refunded_{days}d"] = between("refunds.value", days) / 100
    for days in (90, 365):
        made[f"units_{days}d"] = between("lines.quantity", days)
    for name, run in SINCE.items():
        there = pl.col(f"{run}.n.0") > pl.col(f"{run}.n.all")
        made[f"days_since_{name}"] = pl.when(there).then((cutoff - pl.col(f"{run}.last.0")) / _DAY)
    spent = between("orders.value", 365)
    return made | {
        "days_since_first_order": (cutoff - pl.col("first")) / _DAY,
        "last_order_value": pl.col("newest"),
        "mean_order_value_365d": ratio(spent / 100, between("orders.n", 365)),
        "orders_ratio_90d": ratio(between("orders.n", 90), between("orders.n", 360, 90) / 3),
        "spend_ratio_90d": ratio(between("orders.value", 90), between("orders.value", 360, 90) / 3),
        "views_ratio_30d": ratio(between("views.n", 30), between("views.n", 180, 30) / 5),
        "emails_ratio_90d": ratio(between("emails.n", 90), between("emails.n", 360, 90) / 3),
        "refund_share_365d": ratio(between("refunds.value", 365), spent),
        "refunds_180d": between("refunds.n", 180),
        "tickets_180d": between("tickets.n", 180),
    }
