"""What the signals recover of a simulated shop's truth: carts left, streaks, and why people left.

    python benchmarks/truth_recovery.py [--customers 2000] [--days 600] [--seed 7]

Prints JSON. Carts and streaks are compared over the log as if every message had come at once, where
they have to be equal; streaks also as it was received, where late messages may hide some.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from churnguard.clock import DAY_US
from churnguard.events.simulation import SimulatedShop, SimulationPlan, simulate
from churnguard.events.timeline import Timeline
from churnguard.features.build import FeatureRows, build_features
from churnguard.features.carts import CART_TIMEOUT_US, cart_events
from churnguard.features.catalogue import Catalogue

LONGEST_DELAY_DAYS = 6
"""Of the last days of a log, messages may still be on their way."""

STREAKS = {"cart_streak": "cart_streak", "searches_empty_streak": "empty_streak"}
"""The truth's own count for each signal that is one."""

EVIDENCE = {
    "carts": "carts_abandoned_90d",
    "searches": "searches_empty_share_90d",
    "delivery": "tickets_180d",
    "service": "tickets_180d",
    "silence": "days_since_login",
    "need": "days_since_login",
}
"""The signal in which each cause shows; two causes may show in the same one."""

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]


def known_at_once(shop: SimulatedShop) -> pa.Table:
    """Return the log as if every message had been received when it was sent."""
    place = shop.events.column_names.index("received_at")
    return shop.events.set_column(place, "received_at", shop.events["occurred_at"])


def carts(shop: SimulatedShop) -> dict[str, float | int]:
    """Compare carts derived as abandoned with those that no order took up, cart by cart.

    The simulator writes into each order which cart it takes up; the signals look at times only. So
    a cart that is left, and another that is bought within a day, are one thing to the signals.
    """
    timeline = Timeline.from_arrow(known_at_once(shop))
    items, orders = timeline.track("product_added"), timeline.track("order_completed")
    cart = items.read("cart_id").astype(np.int64)
    last, customer = np.zeros(cart.max() + 1, np.int64), np.zeros(cart.max() + 1, np.int64)
    np.maximum.at(last, cart, items.occurred)
    customer[cart] = items.customer
    left = np.setdiff1d(cart, orders.read("cart_id"))
    left = left[last[left] < _end(shop)]
    bought_soon = _any_between(timeline, customer[left], last[left], last[left] + CART_TIMEOUT_US)
    derived = cart_events(timeline)["cart_abandoned"]
    who = np.repeat(np.arange(len(timeline.customer_ids)), np.diff(derived.offsets))
    when = derived.occurred - CART_TIMEOUT_US
    found = {pair for pair in zip(who.tolist(), when.tolist(), strict=True) if pair[1] < _end(shop)}
    truly = list(zip(customer[left].tolist(), last[left].tolist(), strict=True))
    unrelieved = {pair for pair, soon in zip(truly, bought_soon, strict=True) if not soon}
    return {
        "left": len(truly),
        "derived": len(found),
        "precision": round(len(found & set(truly)) / len(found), 6),
        "recall": round(len(found & set(truly)) / len(truly), 6),
        "left_but_bought_within_a_day": int(bought_soon.sum()),
        "differences_where_not_bought_within_a_day": len(found ^ unrelieved),
    }


def streaks(shop: SimulatedShop, events: pa.Table) -> dict[str, dict[str, float | int]]:
    """Compare signals at the truth's points in time with the truth's own counts."""
    timeline = Timeline.from_arrow(events)
    codes, at, truth = _asked(timeline, shop.truth, "at")
    whole = at < _end(shop)
    codes, at, truth = codes[whole], at[whole], truth.filter(pa.array(whole))
    rows = build_features(timeline, Catalogue.of(["carts", "searches"]), codes, at)
    return {
        signal: {
            "rows": len(rows),
            "longest": int(truth[counted].to_numpy().max()),
            "above_zero": int((truth[counted].to_numpy() > 0).sum()),
            "different": int((_column(rows, signal) != truth[counted].to_numpy()).sum()),
        }
        for signal, counted in STREAKS.items()
    }


def causes(shop: SimulatedShop) -> dict[str, dict[str, Any]]:
    """Return, by cause, how well each kind of evidence tells it from the other causes (AUC).

    Signals are those of two days after the customer left, when a cart left that day has become
    abandoned. The other side are those who left for a cause that shows in another signal. A
    missing signal is no evidence and counts below all others.
    """
    timeline = Timeline.from_arrow(shop.events)
    newest = shop.truth.filter(pc.equal(shop.truth["at"], pc.max(shop.truth["at"])))
    left = newest.filter(pc.is_valid(newest["cause"]))
    codes, at, left = _asked(timeline, left, "left_at")
    signals = dict.fromkeys(EVIDENCE.values())
    rows = build_features(timeline, Catalogue.of().subset(signals), codes, at + 2 * DAY_US)
    why = np.array(left["cause"].cast(pa.string()).to_pylist())
    shows = np.array([EVIDENCE[cause] for cause in why])
    return {
        cause: {
            "left": int((why == cause).sum()),
            "shows_in": signal,
            "auc": {
                name: _auc(_column(rows, name), why == cause, shows != signal) for name in signals
            },
        }
        for cause, signal in EVIDENCE.items()
    }


def _asked(timeline: Timeline, truth: pa.Table, time: str) -> tuple[Codes, Ints, pa.Table]:
    """Return whose truth is asked for and when, for those customers who have events."""
    there = pc.is_in(truth["customer_id"], pa.array(timeline.customer_ids, pa.string()))
    truth = truth.filter(there)
    codes = timeline.codes(truth["customer_id"].to_pylist())
    return codes, truth[time].cast(pa.int64()).to_numpy(), truth


def _column(rows: FeatureRows, name: str) -> NDArray[np.float64]:
    return rows.values[:, rows.names.index(name)]


def _auc(signal: NDArray[np.float64], mine: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    """Return the chance that one of mine has more of it than one of the others, ties as half."""
    signal = np.nan_to_num(signal, nan=-1.0)
    found = mannwhitneyu(signal[mine], signal[others]).statistic
    return round(float(found / (mine.sum() * others.sum())), 4)


def _any_between(timeline: Timeline, customers: Ints, first: Ints, last: Ints) -> NDArray[np.bool_]:
    """Tell whether a customer ordered between two instants, both included."""
    orders = timeline.track("order_completed")
    codes = customers.astype(np.int32)
    return orders.first_at(codes, last + 1) > orders.first_at(codes, first)


def _end(shop: SimulatedShop) -> int:
    """Return the instant up to which every message of the log has been received."""
    newest = shop.events["received_at"].cast(pa.int64()).to_numpy().max()
    return int(newest) - LONGEST_DELAY_DAYS * DAY_US


def main(argv: list[str] | None = None) -> int:
    """Simulate a shop and print what is recovered of its truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=600)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(argv)
    shop = simulate(SimulationPlan(**vars(options)))
    told = {
        "carts": carts(shop),
        "streaks_known_at_once": streaks(shop, known_at_once(shop)),
        "streaks_as_received": streaks(shop, shop.events),
        "causes": causes(shop),
    }
    json.dump(told, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
