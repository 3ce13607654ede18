"""pandas, written for speed: one group-by adds events up between the instants where windows begin.

Those sums as a (customer, time) array, running over time, give all 45 columns of all cutoffs by
subtraction; the 15 others are group-bys over each cutoff's window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from feature_peers.columns import COLUMNS, COUNTED, DAY_US, SINCE, WINDOWS, bounds

_DAY = float(DAY_US)
_COUNTED = COUNTED | {"refunds": "order_refunded", "tickets": "support_ticket_opened"}
_INSTANTS = ("occurred_at", "received_at")
Floats = NDArray[np.float64]


def features(events: pa.Table, cutoffs: Sequence[int]) -> pa.Table:
    """Return one row for every customer at every cutoff."""
    code, customers = _codes(events["customer_id"])
    words = {name: _codes(events[name])[0] for name in ("event", "product_id", "category")}
    frame = pd.DataFrame(
        {name: events[name].cast(pa.int64()).to_numpy() for name in _INSTANTS}
        | {name: events[name].to_numpy() for name in ("value", "quantity")}
        | {"event_id": events["event_id"].to_pandas(), "code": code}
        | words
    )
    kinds = {name: place for place, name in enumerate(_codes(events["event"])[1].to_pylist())}
    if (frame["received_at"] <= frame["occurred_at"]).all():
        return _known_rows(frame, kinds, customers, cutoffs)
    parts = [
        _known_rows(frame[frame["received_at"] < cutoff], kinds, customers, [cutoff])
        for cutoff in cutoffs
    ]
    return pa.concat_tables(parts)


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[Any], pa.Array]:
    """Return each row's place among the different words; Arrow's hashing is quicker than ours."""
    encoded = column.combine_chunks()
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), encoded.dictionary


def _known_rows(
    events: pd.DataFrame, kinds: dict[str, int], customers: pa.Array, cutoffs: Sequence[int]
) -> pa.Table:
    events = events[events["occurred_at"] < max(cutoffs)]
    by_kind = {name: events[(events["event"] == place).to_numpy()] for name, place in kinds.items()}
    for name, by in {
        "order_completed": ["code", "occurred_at", "event_id"],
        "products_searched": ["code", "occurred_at", "event_id"],
        "signed_in": ["code", "occurred_at"],
    }.items():
        by_kind[name] = by_kind[name].sort_values(by)
    columns = _searched(by_kind, len(customers), cutoffs) | _scanned(
        by_kind, len(customers), cutoffs
    )
    keys = {
        "customer_id": pa.chunked_array([customers] * len(cutoffs)),
        "cutoff": pa.array(np.repeat(cutoffs, len(customers))).cast(pa.timestamp("us", tz="UTC")),
    }
    return pa.table(keys | {name: pa.array(columns[name], from_pandas=True) for name in COLUMNS})


def _searched(
    kinds: dict[str, pd.DataFrame], customers: int, cutoffs: Sequence[int]
) -> dict[str, Floats]:
    """Return the 45 columns, by (cutoff, customer)."""
    at = bounds(cutoffs)
    summed = {"orders": "value", "refunds": "value", "lines": "quantity"}
    runs: dict[str, NDArray[Any]] = {}
    for name, kind in (_COUNTED | {"lines": "product_ordered"}).items():
        own = kinds[kind]
        place = np.searchsorted(at, own["occurred_at"], side="right")
        cell = own["code"].to_numpy().astype(np.int64) * (len(at) + 1) + place
        groups = own.groupby(cell, sort=False)
        runs[name] = _running(groups.size(), customers, len(at))
        if name in summed:
            units = (own[summed[name]] * (100 if summed[name] == "value" else 1)).round()
            sums = units.astype("int64").groupby(cell, sort=False).sum()
            runs[f"{name}.sum"] = _running(sums, customers, len(at))
        if name in SINCE.values():
            newest = groups["occurred_at"].max()
            runs[f"{name}.last"] = _running(newest, customers, len(at), np.maximum)
    first, prices, ahead = _first_orders(kinds["order_completed"], customers)
    parts = []
    for cutoff in cutoffs:
        back = {days: at.index(cutoff - days * DAY_US) for days in (0, *WINDOWS, 360)}
        cut = {(name, days): run[:, b] for name, run in runs.items() for days, b in back.items()}
        there = cut["orders", 0] > 0
        part = _at(cut, cutoff)
        with np.errstate(invalid="ignore"):
            part["days_since_first_order"] = np.where(there, (cutoff - first) / _DAY, np.nan)
        last = np.where(there, ahead + cut["orders", 0] - 1, 0)
        part["last_order_value"] = np.where(there, prices[last], np.nan)
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _running(
    cells: pd.Series, customers: int, bins: int, run: np.ufunc = np.add
) -> NDArray[np.int64]:
    """Return the array (customer, bound) of what there was before each bound."""
    whole = np.zeros(customers * (bins + 1), dtype=np.int64)
    whole[cells.index.to_numpy()] = cells.to_numpy()
    grid = whole.reshape(customers, bins + 1)
    return np.asarray(run.accumulate(grid, axis=1))


def _first_orders(orders: pd.DataFrame, customers: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return each customer's first instant, all values, and where each customer's orders begin."""
    ahead = np.searchsorted(orders["code"].to_numpy(), np.arange(customers))
    first = orders.groupby("code")["occurred_at"].first().reindex(range(customers))
    return first.to_numpy(np.float64), orders["value"].to_numpy(), ahead


def _at(cut: dict[tuple[str, int], NDArray[Any]], cutoff: int) -> dict[str, Floats]:
    """Return one cutoff's columns from what there was before each of its bounds."""

    def over(name: str, days: int, until: int = 0) -> Floats:
        return np.asarray(cut[name, until] - cut[name, days], np.float64)

    def ratio(above: Floats, below: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(below != 0, above / below, np.nan)

    made = {f"{name}_{days}d": over(name, days) for name in COUNTED for days in WINDOWS}
    made |= {f"spend_{days}d": over("orders.sum", days) / 100 for days in WINDOWS}
    made |= {f"refunded_{days}d": over("refunds.sum", days) / 100 for days in WINDOWS}
    made |= {f"units_{days}d": over("lines.sum", days) for days in (90, 365)}
    for name, run in SINCE.items():
        silence = (cutoff - cut[f"{run}.last", 0]) / _DAY
        made[f"days_since_{name}"] = np.where(cut[run, 0] > 0, silence, np.nan)
    spent = over("orders.sum", 365)
    return made | {
        "mean_order_value_365d": ratio(spent / 100, over("orders", 365)),
        "orders_ratio_90d": ratio(over("orders", 90), over("orders", 360, 90) / 3),
        "spend_ratio_90d": ratio(over("orders.sum", 90), over("orders.sum", 360, 90) / 3),
        "views_ratio_30d": ratio(over("views", 30), over("views", 180, 30) / 5),
        "emails_ratio_90d": ratio(over("emails", 90), over("emails", 360, 90) / 3),
        "refund_share_365d": ratio(over("refunds.sum", 365), spent),
        "refunds_180d": over("refunds", 180),
        "tickets_180d": over("tickets", 180),
    }


def _scanned(
    kinds: dict[str, pd.DataFrame], customers: int, cutoffs: Sequence[int]
) -> dict[str, Floats]:
    """Return the 15 columns that need the window's own events, by (cutoff, customer)."""
    narrow = {
        "orders": _with_gaps(kinds["order_completed"])[["code", "occurred_at", "gap", "value"]],
        "logins": _with_gaps(kinds["signed_in"])[["code", "occurred_at", "gap"]],
        "searches": kinds["products_searched"][["code", "occurred_at", "value"]],
        "lines": _seen_before(kinds["product_ordered"], "product_id", "category"),
        "views": _seen_before(kinds["product_viewed"], "product_id"),
    }
    searches = narrow["searches"]
    narrow["searches"] = searches.assign(place=np.arange(len(searches)))
    parts = []
    for cutoff in cutoffs:
        part = {}
        for scan in (_ordered, _viewed, _bought, _streak, _order_gaps, _login_gaps):
            for name, column in scan(narrow, cutoff).items():
                whole = np.full(customers, _EMPTY.get(name, np.nan))
                whole[column.index.to_numpy()] = column.to_numpy()
                part[name] = whole
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


_EMPTY = dict.fromkeys(
    [name for name in COLUMNS if name.startswith(("products_", "categories_", "fruitless_"))], 0.0
)


def _window(events: pd.DataFrame, cutoff: int, days: int | None = None) -> pd.DataFrame:
    at = events["occurred_at"].to_numpy()
    past = at < cutoff
    return events[past if days is None else past & (at >= cutoff - days * DAY_US)]


def _with_gaps(events: pd.DataFrame) -> pd.DataFrame:
    gap = events["occurred_at"].diff().where(events["code"] == events["code"].shift()) / _DAY
    return events.assign(gap=gap)


def _seen_before(events: pd.DataFrame, *words: str) -> pd.DataFrame:
    """Return events with the instant at which the customer's event before held the same word."""
    events = events[["code", "occurred_at", "value", *words]].copy()
    at = events["occurred_at"].to_numpy()
    for word in words:
        key = events["code"].to_numpy().astype(np.int64) * (1 << 20) + events[word].to_numpy()
        order = np.lexsort((at, key))
        same = key[order[1:]] == key[order[:-1]]
        before = np.full(len(at), np.iinfo(np.int64).min)
        before[order[1:][same]] = at[order[:-1][same]]
        events[f"{word}.before"] = before
    return events


def _different(events: pd.DataFrame, word: str, since: int) -> pd.Series:
    new = (events["occurred_at"] >= since) & (events[f"{word}.before"] < since)
    return new.groupby(events["code"]).sum()


def _ordered(narrow: dict[str, pd.DataFrame], cutoff: int) -> dict[str, pd.Series]:
    lines = _window(narrow["lines"], cutoff, 365)
    back = {days: cutoff - days * DAY_US for days in (90, 365)}
    return {
        "products_ordered_90d": _different(lines, "product_id", back[90]),
        "products_ordered_365d": _different(lines, "product_id", back[365]),
        "categories_ordered_365d": _different(lines, "category", back[365]),
    }


def _viewed(narrow: dict[str, pd.DataFrame], cutoff: int) -> dict[str, pd.Series]:
    views = _window(narrow["views"], cutoff, 90)
    return {
        "products_viewed_30d": _different(views, "product_id", cutoff - 30 * DAY_US),
        "products_viewed_90d": _different(views, "product_id", cutoff - 90 * DAY_US),
        "median_viewed_value_90d": views.groupby("code")["value"].median(),
    }


def _bought(narrow: dict[str, pd.DataFrame], cutoff: int) -> dict[str, pd.Series]:
    orders = _window(narrow["orders"], cutoff, 365)
    at = (orders["occurred_at"] - cutoff) / _DAY
    code, value = orders["code"], orders["value"]
    groups = value.groupby(code)
    off = at - at.groupby(code).transform("mean")
    across = (off * (value - groups.transform("mean"))).groupby(code).sum()
    along, mean = (off * off).groupby(code).sum(), groups.mean()
    apart = at.groupby(code).max() > at.groupby(code).min()
    enough = (groups.count() >= 3) & apart
    return {
        "median_order_value_365d": groups.median(),
        "order_value_trend_365d": (across / along / mean * 30.0).where(enough),
    }


def _streak(narrow: dict[str, pd.DataFrame], cutoff: int) -> dict[str, pd.Series]:
    searches = _window(narrow["searches"], cutoff, 90)
    places = searches.groupby("code")["place"].agg(["size", "max"])
    fruitful = searches[searches["value"] != 0].groupby("code")["place"].max()
    since = places["max"] - fruitful.reindex(places.index)
    return {"fruitless_streak_90d": since.fillna(places["size"])}


def _order_gaps(narrow: dict[str, pd.DataFrame], cutoff: int) -> dict[str, pd.Series]:
    gaps = _window(narrow["orders"], cutoff).groupby("code")["gap"]
    return {
        "order_gap_median": gaps.median(),
        "order_gap_sd": gaps.std(),
        "order_gap_longest": gaps.max(),
    }


def _login_gaps(narrow: dict[str, pd.DataFrame], cutoff: int) -> dict[str, pd.Series]:
    logins = _window(narrow["logins"], cutoff)
    gaps = logins.groupby("code")["gap"]
    away = (logins["gap"] - gaps.transform("median")).abs()
    return {
        "login_gap_median": gaps.median(),
        "login_gap_longest": gaps.max(),
        "login_gap_spread": away.groupby(logins["code"]).median(),
    }
