"""Polars' other 15 columns: group-bys over each cutoff's window, all of a cutoff's at once.

What Polars would evaluate group by group, on a slow path (a slope, a distance from the median), is
two plain group-bys and a join instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from feature_peers.columns import DAY_US

_DAY = float(DAY_US)


def scanned(
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
        return _window(events, cutoff, days)

    value = pl.col("value")
    fruitful = pl.col("place").filter(value != 0).max()
    return [
        window(lines, 365)
        .group_by("code")
        .agg(
            products_ordered_90d=_different("product_id", cutoff, 90),
            products_ordered_365d=_different("product_id", cutoff, 365),
            categories_ordered_365d=_different("category", cutoff, 365),
        ),
        window(views, 90)
        .group_by("code")
        .agg(
            products_viewed_30d=_different("product_id", cutoff, 30),
            products_viewed_90d=_different("product_id", cutoff, 90),
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
        _gaps(window(orders), "order", ("median", "std", "max")),
        _gaps(window(logins), "login", ("median", "max")),
        _spread(window(logins)),
    ]


def _window(events: pl.DataFrame, cutoff: int, days: int | None) -> pl.LazyFrame:
    past = pl.col("occurred_at") < cutoff
    if days is not None:
        past &= pl.col("occurred_at") >= cutoff - days * DAY_US
    return events.lazy().filter(past)


def _different(column: str, cutoff: int, days: int) -> pl.Expr:
    since = cutoff - days * DAY_US
    before = pl.col(f"{column}.before")
    first = before.is_null() | (before < since)
    return ((pl.col("occurred_at") >= since) & first).sum()


def _gaps(events: pl.LazyFrame, name: str, statistics: Sequence[str]) -> pl.LazyFrame:
    told = {"median": "median", "std": "sd", "max": "longest"}
    gap = pl.col("gap")
    found = [getattr(gap, each)().alias(f"{name}_gap_{told[each]}") for each in statistics]
    return events.group_by("code").agg(found)


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
