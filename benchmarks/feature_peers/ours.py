"""ChurnGuard's side: the 60 columns as signals, through the public doors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from churnguard.events.readers.chunks import ReadOptions
from churnguard.events.readers.parquet import read_parquet
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.rows import Rows, ratio
from churnguard.features.signal import Definition, Signal, signal
from churnguard.features.units import NUMBER
from churnguard.jobs.write_parquet import write_parquet
from feature_peers.columns import COLUMNS, COUNTED, SINCE, WINDOWS

THREADS: dict[str, Any] = {"threads": None}
"""Further arguments of ``build_features``: where threads are switched on."""


def features(
    events: pa.Table, cutoffs: Sequence[int], columns: Sequence[str] = COLUMNS
) -> pa.Table:
    """Return one row for every customer at every cutoff."""
    timeline = Timeline.from_arrow(events)
    everyone = np.arange(len(timeline.customer_ids), dtype=np.int32)
    rows = build_features(
        timeline,
        CATALOGUE.subset(columns),
        np.repeat(everyone, len(cutoffs)),
        np.tile(np.sort(np.asarray(cutoffs, np.int64)), len(everyone)),
        **THREADS,
    )
    return rows.to_arrow()


def through_files(source: Path, target: Path, cutoffs: Sequence[int]) -> None:
    """Build the rows from Parquet to Parquet, by our own reader and writer."""
    (events,) = read_parquet(source, ReadOptions())
    write_parquet(features(events.table, cutoffs), target, compression="snappy")


def _signal(compute: Any, name: str, *windows: int) -> tuple[Signal, ...]:
    """Make signals of a function, told by their names."""
    compute.__name__ = name
    words = f"{{{name}_{{days}}d}}" if windows else f"{{{name}}}"
    made: Definition = signal(unit=NUMBER, needs=(), en=words, he=words, windows=windows)(compute)
    return made.signals(windows)


def _count(name: str) -> tuple[Signal, ...]:
    return _signal(lambda rows, days: rows.events(COUNTED[name]).count(days), name, *WINDOWS)


def _sum(event: str, column: str, name: str, *windows: int) -> tuple[Signal, ...]:
    return _signal(lambda rows, days: rows.events(event).sum(column, days), name, *windows)


def _since(name: str) -> tuple[Signal, ...]:
    event = COUNTED[SINCE[name]]
    return _signal(lambda rows: rows.events(event).since_last(), f"days_since_{name}")


def _now_to_before(event: str, name: str, days: int, times: int) -> tuple[Signal, ...]:
    """Make the signal of a window's count against the mean of some such windows before it."""

    def compared(rows: Rows, days: int) -> Any:
        events = rows.events(event)
        before = events.count(days * (times + 1), until=days)
        return ratio(events.count(days), before / times)

    return _signal(compared, name, days)


def _spend_ratio(rows: Rows, days: int) -> Any:
    orders = rows.events("order_completed")
    return ratio(orders.sum("value", days), orders.sum("value", 4 * days, until=days) / 3)


def _refund_share(rows: Rows, days: int) -> Any:
    spent = rows.events("order_completed").sum("value", days)
    return ratio(rows.events("order_refunded").sum("value", days), spent)


def _gaps(event: str, name: str, statistic: str) -> tuple[Signal, ...]:
    return _signal(
        lambda rows: getattr(rows.events(event).gaps(), statistic)(), f"{name}_gap_{statistic}"
    )


def _distinct(event: str, column: str, name: str, *windows: int) -> tuple[Signal, ...]:
    return _signal(lambda rows, days: rows.events(event).distinct(column, days), name, *windows)


def _median(event: str, name: str, days: int) -> tuple[Signal, ...]:
    return _signal(lambda rows, days: rows.events(event).median("value", days), name, days)


def _catalogue() -> Catalogue:
    order, line, view = "order_completed", "product_ordered", "product_viewed"
    groups = [
        *(_count(name) for name in COUNTED),
        _sum(order, "value", "spend", *WINDOWS),
        _sum("order_refunded", "value", "refunded", *WINDOWS),
        _sum(line, "quantity", "units", 90, 365),
        *(_since(name) for name in SINCE),
        _signal(lambda rows: rows.events(order).since_first(), "days_since_first_order"),
        _signal(lambda rows: rows.events(order).last("value"), "last_order_value"),
        _signal(lambda rows, days: rows.events(order).mean("value", days), "mean_order_value", 365),
        _now_to_before(order, "orders_ratio", 90, 3),
        _signal(_spend_ratio, "spend_ratio", 90),
        _now_to_before(view, "views_ratio", 30, 5),
        _now_to_before("email_opened", "emails_ratio", 90, 3),
        _signal(_refund_share, "refund_share", 365),
        _signal(lambda rows, days: rows.events("order_refunded").count(days), "refunds", 180),
        _signal(
            lambda rows, days: rows.events("support_ticket_opened").count(days), "tickets", 180
        ),
        _distinct(line, "product_id", "products_ordered", 90, 365),
        _distinct(line, "category", "categories_ordered", 365),
        _distinct(view, "product_id", "products_viewed", 30, 90),
        _median(order, "median_order_value", 365),
        _median(view, "median_viewed_value", 90),
        _signal(
            lambda rows, days: rows.events(order).trend("value", days), "order_value_trend", 365
        ),
        _signal(
            lambda rows, days: rows.events("products_searched").streak("value", 0.0, days),
            "fruitless_streak",
            90,
        ),
        *(_gaps(order, "order", statistic) for statistic in ("median", "sd", "longest")),
        *(_gaps("signed_in", "login", statistic) for statistic in ("median", "longest", "spread")),
    ]
    return Catalogue(tuple(found for group in groups for found in group))


CATALOGUE = _catalogue()
assert CATALOGUE.names == COLUMNS
