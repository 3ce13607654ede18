"""Featuretools: those of the 60 columns that its own primitives give, window by window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import featuretools as ft
import pandas as pd
import pyarrow as pa

from feature_peers.columns import COUNTED, WINDOWS

_KINDS = {
    **{kind: name for name, kind in COUNTED.items()},
    "product_ordered": "lines",
    "order_refunded": "refunds",
    "support_ticket_opened": "tickets",
}


def features(events: pa.Table, cutoffs: Sequence[int]) -> pa.Table:
    """Return one row for every customer at every cutoff."""
    entities, people = _entities(events)
    instants = pd.to_datetime(list(cutoffs), unit="us")
    at = pd.DataFrame(
        {
            "customer_id": list(people) * len(cutoffs),
            "time": instants.repeat(len(people)),
        }
    )
    parts = [_window(entities, at, days) for days in WINDOWS]
    whole = pd.concat(parts, axis=1)
    table = pa.Table.from_pandas(whole.astype("float64"), preserve_index=False)
    keys = whole.index.to_frame(index=False)
    cutoff = pa.array(keys["time"].to_numpy("datetime64[us]")).cast(pa.timestamp("us", tz="UTC"))
    found = table.add_column(0, "customer_id", pa.array(keys["customer_id"].astype(str)))
    return found.add_column(1, "cutoff", cutoff)


def _entities(events: pa.Table) -> tuple[Any, Any]:
    """Return customers, and each kind of event as a table of its own, with its clock."""
    frame = events.to_pandas()
    late = (frame["received_at"] > frame["occurred_at"]).any()
    assert not late, "Featuretools has one clock."
    frame["occurred_at"] = frame["occurred_at"].dt.tz_localize(None)
    people = frame["customer_id"].unique()
    entities = ft.EntitySet("shop")
    entities.add_dataframe(
        dataframe_name="customers",
        dataframe=pd.DataFrame({"customer_id": people}),
        index="customer_id",
    )
    for kind, name in _KINDS.items():
        own = frame[frame["event"] == kind]
        entities.add_dataframe(
            dataframe_name=name,
            dataframe=own[["event_id", "customer_id", "occurred_at", *_columns(name)]],
            index="event_id",
            time_index="occurred_at",
            logical_types={
                c: "Categorical" for c in _columns(name) if c in {"product_id", "category"}
            },
        )
        entities.add_relationship("customers", "customer_id", name, "customer_id")
    return entities, people


def _columns(name: str) -> list[str]:
    return {
        "orders": ["value"],
        "refunds": ["value"],
        "lines": ["quantity", "product_id", "category"],
        "views": ["value", "product_id"],
    }.get(name, [])


_WANTED = {
    **{f"{name}_{{days}}d": ("Count", name, "event_id", WINDOWS) for name in COUNTED},
    "spend_{days}d": ("Sum", "orders", "value", WINDOWS),
    "refunded_{days}d": ("Sum", "refunds", "value", WINDOWS),
    "units_{days}d": ("Sum", "lines", "quantity", (90, 365)),
    "mean_order_value_{days}d": ("Mean", "orders", "value", (365,)),
    "refunds_{days}d": ("Count", "refunds", "event_id", (180,)),
    "tickets_{days}d": ("Count", "tickets", "event_id", (180,)),
    "products_ordered_{days}d": ("NumUnique", "lines", "product_id", (90, 365)),
    "categories_ordered_{days}d": ("NumUnique", "lines", "category", (365,)),
    "products_viewed_{days}d": ("NumUnique", "views", "product_id", (30, 90)),
    "median_order_value_{days}d": ("Median", "orders", "value", (365,)),
    "median_viewed_value_{days}d": ("Median", "views", "value", (90,)),
}


def _window(entities: Any, at: pd.DataFrame, days: int) -> pd.DataFrame:
    """Return the columns of one window, ``[cutoff - days, cutoff)``."""
    wanted = {
        name.format(days=days): ft.Feature(
            entities[table].ww[column],
            parent_dataframe_name="customers",
            primitive=getattr(ft.primitives, primitive),
        )
        for name, (primitive, table, column, windows) in _WANTED.items()
        if days in windows
    }
    matrix = ft.calculate_feature_matrix(
        list(wanted.values()),
        entities,
        cutoff_time=at,
        training_window=ft.Timedelta(days, "d"),
        include_cutoff_time=False,
        cutoff_time_in_index=True,
        n_jobs=1,
    )
    found: pd.DataFrame = matrix.set_axis(list(wanted), axis=1)
    empty = [name for name in found if not str(name).startswith(("mean", "median"))]
    return found.fillna(dict.fromkeys(empty, 0.0))
