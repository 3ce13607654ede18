"""DuckDB, written for speed: one pass adds events up between the instants where windows begin.

The 45 columns are sums over those few sums, for all cutoffs at once; the 15 others are
aggregates over the events of each cutoff's windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from feature_peers.columns import COLUMNS, COUNTED, DAY_US, SINCE, WINDOWS, bounds

_COUNTED = COUNTED | {"refunds": "order_refunded", "tickets": "support_ticket_opened"}
_DAY = f"{DAY_US}::DOUBLE"


def features(events: pa.Table, cutoffs: Sequence[int]) -> pa.Table:
    """Return one row for every customer at every cutoff."""
    with _database() as database:
        database.register("given", events)
        parts = [database.sql(query).to_arrow_table() for query in _queries(database, cutoffs)]
    return pa.concat_tables(parts)


def through_files(source: Path, target: Path, cutoffs: Sequence[int]) -> None:
    """Build the rows from Parquet to Parquet, by DuckDB's own reader and writer."""
    with _database() as database:
        database.execute(f"CREATE VIEW given AS FROM read_parquet('{source}')")
        for place, query in enumerate(_queries(database, cutoffs)):
            insert = "INSERT INTO built" if place else "CREATE TABLE built AS"
            database.execute(f"{insert} {query}")
        database.execute(f"COPY built TO '{target}' (FORMAT parquet)")


def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 2, "preserve_insertion_order": False})


def _queries(database: duckdb.DuckDBPyConnection, cutoffs: Sequence[int]) -> Iterator[str]:
    """Yield queries that together give the rows; each holds until the next one is asked for."""
    database.execute(_CUSTOMERS)
    late = database.execute("SELECT count(*) FROM given WHERE received_at > occurred_at")
    if late.fetchall()[0][0] == 0:
        yield _query(database, cutoffs)
        return
    for cutoff in cutoffs:
        yield _query(database, [cutoff])


def _query(database: duckdb.DuckDBPyConnection, cutoffs: Sequence[int]) -> str:
    """Return the query of some cutoffs' rows, from events that were told of before the newest."""
    database.execute(_EVENTS.format(bin=_bin(bounds(cutoffs)), known=max(cutoffs)))
    database.execute(_wanted(cutoffs))
    database.execute(_CELLS)
    database.execute(_GAPS)
    database.execute(_searched())
    for name, query in _SCANS.items():
        database.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query.format(day=_DAY)}")
    joins = " ".join(f"LEFT JOIN {name} USING (code, k)" for name in ("searched", *_SCANS))
    columns = ", ".join(
        f"coalesce({name}, 0)::DOUBLE AS {name}" if _counts(name) else name for name in COLUMNS
    )
    return (
        f"SELECT customer_id, make_timestamptz(cutoff) AS cutoff, {columns} "
        f"FROM customer CROSS JOIN wanted {joins}"
    )


def _counts(name: str) -> bool:
    """Return whether a column is 0 (and not unknown) where there are no events."""
    windowed = name.startswith((*_COUNTED, "spend_", "refunded_", "units_", "products_", "categor"))
    return (windowed and "ratio" not in name) or name == "fruitless_streak_90d"


_CUSTOMERS = """
CREATE TEMP TABLE customer AS
SELECT customer_id, row_number() OVER ()::INTEGER - 1 AS code
FROM (SELECT DISTINCT customer_id FROM given)
"""

_EVENTS = """
CREATE OR REPLACE TEMP TABLE event AS
SELECT code, event::VARCHAR AS event, event_id, t, {bin} AS bin,
  value, quantity, product_id, category
FROM (SELECT *, epoch_us(occurred_at) AS t FROM given WHERE epoch_us(received_at) < {known})
JOIN customer USING (customer_id) WHERE t < {known}
"""


def _bin(at: Sequence[int]) -> str:
    """Return how many of the instants an event is at or after, asked by halves."""
    if not at:
        return "0"
    half = len(at) // 2
    if len(at) == 1:
        return f"(t >= {at[0]})::INTEGER"
    later = f"{half} + {_bin(at[half:])}"
    return f"CASE WHEN t < {at[half]} THEN {_bin(at[:half])} ELSE {later} END"


def _wanted(cutoffs: Sequence[int]) -> str:
    """Return the table of cutoffs, with the place of each window's beginning among the bounds."""
    at = bounds(cutoffs)
    rows = ", ".join(
        str((k, cutoff, *(at.index(cutoff - days * DAY_US) for days in (0, *WINDOWS, 360))))
        for k, cutoff in enumerate(cutoffs)
    )
    names = "k, cutoff, b0, b30, b90, b180, b365, b360"
    return f"CREATE OR REPLACE TEMP TABLE wanted AS SELECT * FROM (VALUES {rows}) AS w({names})"


_OF_KIND = {name: f"FILTER (event = '{kind}')" for name, kind in _COUNTED.items()}

_CELLS = f"""
CREATE OR REPLACE TEMP TABLE cell AS
SELECT code, bin,
  {", ".join(f"count(*) {only}::DOUBLE AS {name}" for name, only in _OF_KIND.items())},
  {", ".join(f"max(t) {_OF_KIND[run]} AS last_{run}" for run in SINCE.values())},
  min(t) {_OF_KIND["orders"]} AS first_order,
  arg_max(value, (t, event_id)) {_OF_KIND["orders"]} AS newest,
  coalesce(sum(value) {_OF_KIND["orders"]}, 0) AS spend,
  coalesce(sum(value) {_OF_KIND["refunds"]}, 0) AS refunded,
  coalesce(sum(quantity) FILTER (event = 'product_ordered'), 0)::DOUBLE AS units
FROM event GROUP BY code, bin
"""

_GAPS = """
CREATE OR REPLACE TEMP TABLE gap AS
SELECT event, code, t, (t - lag(t) OVER (PARTITION BY event, code ORDER BY t)) AS gap
FROM event WHERE event IN ('order_completed', 'signed_in')
"""


def _searched() -> str:
    """Return the query of the 45 columns."""

    def over(measure: str, days: int, until: int = 0) -> str:
        upper = f" AND bin <= b{until}" if until else ""
        return f"sum(CASE WHEN bin > b{days}{upper} THEN {measure} ELSE 0 END)"

    def ratio(above: str, below: str) -> str:
        return f"{above} / nullif({below}, 0)"

    made = {f"{name}_{days}d": over(name, days) for name in COUNTED for days in WINDOWS}
    made |= {
        f"{name}_{days}d": over(name, days) for name in ("spend", "refunded") for days in WINDOWS
    }
    made |= {f"units_{days}d": over("units", days) for days in (90, 365)}
    made |= {
        f"days_since_{name}": f"(any_value(cutoff) - max(last_{run})) / {_DAY}"
        for name, run in SINCE.items()
    }
    made |= {
        "days_since_first_order": f"(any_value(cutoff) - min(first_order)) / {_DAY}",
        "last_order_value": "arg_max(newest, bin)",
        "mean_order_value_365d": ratio(over("spend", 365), over("orders", 365)),
        "orders_ratio_90d": ratio(over("orders", 90), f"({over('orders', 360, 90)} / 3)"),
        "spend_ratio_90d": ratio(over("spend", 90), f"({over('spend', 360, 90)} / 3)"),
        "views_ratio_30d": ratio(over("views", 30), f"({over('views', 180, 30)} / 5)"),
        "emails_ratio_90d": ratio(over("emails", 90), f"({over('emails', 360, 90)} / 3)"),
        "refund_share_365d": ratio(over("refunded", 365), over("spend", 365)),
        "refunds_180d": over("refunds", 180),
        "tickets_180d": over("tickets", 180),
    }
    columns = ", ".join(f"{sql} AS {name}" for name, sql in made.items())
    return (
        f"CREATE OR REPLACE TEMP TABLE searched AS SELECT code, k, {columns} "
        "FROM cell JOIN wanted ON bin <= b0 GROUP BY code, k"
    )


def _window(kind: str, days: int) -> str:
    """Return the events of a kind in each cutoff's window."""
    return (
        f"FROM event JOIN wanted ON t < cutoff AND t >= cutoff - {days * DAY_US} "
        f"WHERE event = '{kind}'"
    )


_SCANS = {
    "ordered": f"""
        SELECT code, k, count(DISTINCT product_id) AS products_ordered_365d,
          count(DISTINCT product_id) FILTER (t >= cutoff - {90 * DAY_US}) AS products_ordered_90d,
          count(DISTINCT category) AS categories_ordered_365d
        {_window("product_ordered", 365)} GROUP BY code, k""",
    "viewed": f"""
        SELECT code, k, count(DISTINCT product_id) AS products_viewed_90d,
          count(DISTINCT product_id) FILTER (t >= cutoff - {30 * DAY_US}) AS products_viewed_30d,
          median(value) AS median_viewed_value_90d
        {_window("product_viewed", 90)} GROUP BY code, k""",
    "bought": f"""
        SELECT code, k, median(value) AS median_order_value_365d,
          CASE WHEN count(value) >= 3 AND max(t) > min(t) THEN
            regr_slope(value, (t - cutoff) / {{day}}) / avg(value) * 30
          END AS order_value_trend_365d
        {_window("order_completed", 365)} GROUP BY code, k""",
    "streak": f"""
        SELECT code, k, coalesce(min(place) FILTER (value <> 0) - 1, count(*))
          AS fruitless_streak_90d
        FROM (SELECT code, k, value,
            row_number() OVER (PARTITION BY code, k ORDER BY t DESC, event_id DESC) AS place
          {_window("products_searched", 90)}) GROUP BY code, k""",
    "order_gaps": """
        SELECT code, k, median(gap) / {day} AS order_gap_median,
          stddev_samp(gap / {day}) AS order_gap_sd, max(gap) / {day} AS order_gap_longest
        FROM gap JOIN wanted ON t < cutoff WHERE event = 'order_completed' GROUP BY code, k""",
    "login_gaps": """
        SELECT code, k, median(gap) / {day} AS login_gap_median,
          max(gap) / {day} AS login_gap_longest, mad(gap) / {day} AS login_gap_spread
        FROM gap JOIN wanted ON t < cutoff WHERE event = 'signed_in' GROUP BY code, k""",
}
