"""A shop's events out of a seed: skewed customers, order lines at their order's instant, ties."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_peers.columns import DAY_US

KINDS = {
    "order_completed": 0.10,
    "product_ordered": 0.25,
    "signed_in": 0.25,
    "product_viewed": 0.22,
    "products_searched": 0.08,
    "email_opened": 0.06,
    "order_refunded": 0.02,
    "support_ticket_opened": 0.02,
}
DAYS = 730
PRODUCTS, CATEGORIES = 2_000, 30

_INSTANT = pa.timestamp("us", tz="UTC")
_SECONDS = DAYS * 86_400
_TIED = 0.01
_UNPRICED = 0.01


def cutoffs_of(count: int) -> list[int]:
    """Return cutoffs 30 days apart, the newest at the end of the history; microseconds UTC."""
    return [(DAYS - 30 * place) * DAY_US for place in range(count)]


def made_up_events(
    events: int, customers: int, *, late: float = 0.0, seed: int = 0, first: int = 0
) -> pa.Table:
    """Return unsorted canonical events of customers ``first`` to ``first + customers``.

    Parameters
    ----------
    late : float
        Share of events that were received up to ten days after they occurred.
    """
    random = np.random.default_rng([seed, first])
    kind = random.choice(len(KINDS), events, p=list(KINDS.values())).astype(np.int32)
    activity = np.cumsum(random.gamma(0.8, 1.0, customers))
    who = np.searchsorted(activity, random.random(events) * activity[-1])
    when = random.integers(0, _SECONDS, events) * 1_000_000 + random.integers(0, 1_000_000, events)
    _tie(who, when, kind, random)
    delay = np.where(random.random(events) < late, random.integers(1, 10 * DAY_US, events), 0)
    product = random.integers(0, PRODUCTS, events)
    is_item = (kind == _code("product_ordered")) | (kind == _code("product_viewed"))
    names = pa.array(list(KINDS), pa.string())
    return pa.table(
        {
            "event_id": _words(random.permutation(events) + events * first),
            "customer_id": _words(who + first),
            "event": pa.DictionaryArray.from_arrays(pa.array(kind), names),
            "occurred_at": pa.array(when).cast(_INSTANT),
            "received_at": pa.array(when + delay).cast(_INSTANT),
            "value": _values(kind, random),
            "quantity": pa.array(
                random.integers(1, 5, events), mask=kind != _code("product_ordered")
            ),
            "product_id": _words(product, mask=~is_item),
            "category": _words(product % CATEGORIES, mask=~is_item),
        }
    )


def _code(kind: str) -> int:
    return list(KINDS).index(kind)


def _tie(
    who: NDArray[np.int64],
    when: NDArray[np.int64],
    kind: NDArray[np.int32],
    random: np.random.Generator,
) -> None:
    """Put order lines where their order is, and some events where another of their kind is."""
    for code, name in enumerate(KINDS):
        own = np.flatnonzero(kind == code)
        like = (
            np.flatnonzero(kind == _code("order_completed")) if name == "product_ordered" else own
        )
        moved = own if name == "product_ordered" else own[random.random(len(own)) < _TIED]
        if len(like):
            source = random.choice(like, len(moved))
            who[moved], when[moved] = who[source], when[source]


def _values(kind: NDArray[np.int32], random: np.random.Generator) -> pa.Array:
    """Return money to two decimals, a search's result count, null for logins, mails and tickets."""
    values = np.round(random.gamma(2.0, 20.0, len(kind)) + 0.01, 2)
    searched = kind == _code("products_searched")
    values[searched] = random.integers(0, 3, int(searched.sum()))
    none = [_code(name) for name in ("signed_in", "email_opened", "support_ticket_opened")]
    unpriced = (kind == _code("product_viewed")) & (random.random(len(kind)) < _UNPRICED)
    return pa.array(values, mask=np.isin(kind, none) | unpriced)


def _words(numbers: NDArray[np.int64], mask: NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(numbers, mask=mask).cast(pa.string())
