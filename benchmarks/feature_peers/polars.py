"""Polars, written for speed: one pass adds events up between the instants where windows begin.

Those sums, running over time, give all 45 columns of all cutoffs; the 15 others are group-bys over
each cutoff's window, two cutoffs' worth of them in flight at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from feature_peers.columns import BACK, COLUMNS, COUNTED, DAY_US, SINCE, WINDOWS, bounds

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
    found += _scanned(kinds, len(customers), cutoffs)
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


def _scanned(
    kinds: dict[str, pl.DataFrame], customers: int, cutoffs: Sequence[int]
) -> list[pl.Series]:
    """Return the columns that need the window's own events, by group-bys a cutoff."""
    gap = pl.col("occurred_at").diff().over("code") / _DAY
    orders = kinds["order_completed"].select(
        "code", "occurred_at", "value", gap.alias("gap"), at=pl.col("occurred_at") / _DAY
    )
    logins = kinds["signed_in"].select("code", "occurred_at", gap.alias("gap"))
    searches = kinds["products_searched"].select("code", "occurred_at", "value")
    searches = searches.with_row_index("place")
    lines = _seen_before(kinds["product_ordered"], "product_id", "category")
    views = _seen_before(kinds["product_viewed"], "product_id")
    parts = []
    for cutoff in cutoffs:
        plans = _plans(orders, logins, searches, lines=lines, views=views, cutoff=cutoff)
        parts.append(_dense(pl.collect_all(plans), customers))
    return [pl.concat([part[name] for part in parts]).alias(name) for name in parts[0]]


_EMPTY = {
    "products_ordered_90d": 0.0,
    "products_ordered_365d": 0.0,
    "categories_ordered_365d": 0.0,
    "products_viewed_30d": 0.0,
    "products_viewed_90d": 0.0,
    "fruitless_streak_90d": 0.0,
}


def _dense(tables: list[pl.DataFrame], customers: int) -> dict[str, pl.Series]:
    """Return a number for every customer out of tables of those who have one."""
    made = {}
    for table in tables:
        for name in table.columns[1:]:
            empty = pl.repeat(_EMPTY.get(name), customers, dtype=pl.Float64, eager=True)
            made[name] = empty.scatter(table["code"], table[name].cast(pl.Float64))
    return made


def _plans(
    orders: pl.DataFrame,
    logins: pl.DataFrame,
    searches: pl.DataFrame,
    *,
    lines: pl.DataFrame,
    views: pl.DataFrame,
    cutoff: int,
) -> list[pl.LazyFrame]:
    def window(events: pl.DataFrame, days: int | None = None) -> pl.LazyFrame:
        past = pl.col("occurred_at") < cutoff
        if days is not None:
            past &= pl.col("occurred_at") >= cutoff - days * DAY_US
        return events.lazy().filter(past)

    def different(column: str, days: int) -> pl.Expr:
        since = cutoff - days * DAY_US
        before = pl.col(f"{column}.before")
        first = before.is_null() | (before < since)
        return ((pl.col("occurred_at") >= since) & first).sum()

    value, gap = pl.col("value"), pl.col("gap")
    fruitful = pl.col("place").filter(value != 0).max()
    return [
        window(lines, 365)
        .group_by("code")
        .agg(
            products_ordered_90d=different("product_id", 90),
            products_ordered_365d=different("product_id", 365),
            categories_ordered_365d=different("category", 365),
        ),
        window(views, 90)
        .group_by("code")
        .agg(
            products_viewed_30d=different("product_id", 30),
            products_viewed_90d=different("product_id", 90),
            median_viewed_value_90d=value.median(),
        ),
        window(orders, 365).group_by("code").agg(median_order_value_365d=value.median()),
        _trend(window(orders, 365)),
        window(searches, 90)
        .group_by("code")
        .agg(n=pl.len(), newest=pl.col("place").max(), fruitful=fruitful)
        .select(
            "code",
            fruitless_streak_90d=pl.when(pl.col("fruitful").is_null())
            .then(pl.col("n"))
            .otherwise(pl.col("newest") - pl.col("fruitful")),
        ),
        window(orders)
        .group_by("code")
        .agg(
            gap.median().alias("order_gap_median"),
            gap.std().alias("order_gap_sd"),
            gap.max().alias("order_gap_longest"),
        ),
        window(logins)
        .group_by("code")
        .agg(
            gap.median().alias("login_gap_median"),
            gap.max().alias("login_gap_longest"),
        ),
        _spread(window(logins)),
    ]


def _seen_before(events: pl.DataFrame, *words: str) -> pl.DataFrame:
    """Return events with the instant at which the customer's event before held the same word."""
    events = events.select("code", "occurred_at", "value", *words)
    for word in words:
        same = (pl.col("code") == pl.col("code").shift()) & (pl.col(word) == pl.col(word).shift())
        events = (
            events.with_columns(pl.col(word).cast(pl.Categorical).to_physical())
            .sort("code", word, "occurred_at")
            .with_columns(pl.when(same).then(pl.col("occurred_at").shift()).alias(f"{word}.before"))
            .drop(word)
        )
    return events


def _trend(orders: pl.LazyFrame) -> pl.LazyFrame:
    """Return the least-squares slope, from distances to the means: two plain group-bys."""
    at, value = pl.col("at"), pl.col("value")
    means = orders.group_by("code").agg(
        n=pl.len(),
        apart=at.max() > at.min(),
        mean_at=at.mean(),
        mean=value.mean(),
    )
    off = at - pl.col("mean_at")
    return (
        orders.join(means.filter((pl.col("n") >= 3) & pl.col("apart")), on="code")
        .select("code", "mean", across=off * (value - pl.col("mean")), along=off * off)
        .group_by("code")
        .agg(pl.col("across", "along").sum(), pl.col("mean").first())
        .select(
            "code",
            order_value_trend_365d=pl.col("across") / pl.col("along") / pl.col("mean") * 30.0,
        )
    )


def _spread(logins: pl.LazyFrame) -> pl.LazyFrame:
    """Return the median distance of the gaps from their median: two plain group-bys."""
    gaps = logins.filter(pl.col("gap").is_not_null()).select("code", "gap")
    medians = gaps.group_by("code").agg(middle=pl.col("gap").median())
    away = (pl.col("gap") - pl.col("middle")).abs()
    return (
        gaps.join(medians, on="code")
        .select("code", away=away)
        .group_by("code")
        .agg(login_gap_spread=pl.col("away").median())
    )
