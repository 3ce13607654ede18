"""Abandoned carts: derived from what was put into carts and what was ordered, never ingested.

A cart is abandoned when nothing more is put into it and nothing is ordered within the timeout after
the last item. It becomes an event at that later instant, so that a half-open window never sees the
future.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.timeline import MISSING, Timeline, Track
from churnguard.features.kernel import compiled

Ints = NDArray[np.int64]

CART_TIMEOUT_US = DAY_US
"""How long after the last item without an order a cart counts as abandoned."""


@dataclass(frozen=True)
class AbandonedCarts:
    """Abandoned carts sorted by (customer, instant they became known, cart).

    Attributes
    ----------
    offsets, occurred : ndarray of int64
        As in ``Track``; ``occurred`` is the last item's instant plus the timeout.
    value, quantity : ndarray of int64
        Money (1/10,000) and units put in since the cart was opened, less what was taken out
        again; carts from which everything was taken out are not abandoned.
    """

    offsets: Ints
    occurred: Ints
    value: Ints
    quantity: Ints


def abandoned_carts(timeline: Timeline) -> AbandonedCarts:
    """Derive the abandoned carts of every customer.

    Parameters
    ----------
    timeline : Timeline
        With ``product_added``, ``product_removed`` and ``order_completed`` where the shop has them.
        Items without ``cart_id`` belong to the customer's one nameless cart.

    Returns
    -------
    AbandonedCarts
        An order within the timeout (both ends included) closes all carts of the customer.
    """
    customers = len(timeline.customer_ids)
    added, removed = timeline.track("product_added"), timeline.track("product_removed")
    ordered = timeline.track("order_completed")
    if not len(added):
        nothing = np.zeros(0, dtype=np.int64)
        return AbandonedCarts(np.zeros(customers + 1, np.int64), nothing, nothing, nothing)
    moves = _cart_moves(added, removed)
    found = _abandoned(*moves, ordered.occurred, ordered.offsets, CART_TIMEOUT_US)
    customer, cart, at = found[0], found[1], found[2]
    order = np.lexsort((cart, at, customer))
    offsets = np.searchsorted(customer[order], np.arange(customers + 1))
    return AbandonedCarts(offsets, at[order], found[3][order], found[4][order])


def _cart_moves(added: Track, removed: Track) -> tuple[Ints, ...]:
    """Return customer, cart, instant, signed money and units of every move, by cart and time."""
    tracks, signs = (added, removed), (1, -1)
    customer = np.concatenate([_customers(track) for track in tracks])
    cart = np.concatenate([track.read("cart_id") for track in tracks]).astype(np.int64)
    at = np.concatenate([track.occurred for track in tracks])
    value = np.concatenate(
        [s * _or(t.read("value"), 0) for t, s in zip(tracks, signs, strict=True)]
    )
    units = np.concatenate(
        [s * _or(t.read("quantity"), 1) for t, s in zip(tracks, signs, strict=True)]
    )
    takes = np.concatenate([np.zeros(len(added), np.int8), np.ones(len(removed), np.int8)])
    order = np.lexsort((takes, at, cart, customer))
    return customer[order], cart[order], at[order], value[order], units[order], takes[order]


def _customers(track: Track) -> Ints:
    return np.repeat(np.arange(len(track.offsets) - 1), np.diff(track.offsets))


def _or(numbers: Ints, other: int) -> Ints:
    return np.where(numbers == MISSING, other, numbers)


@compiled
def _abandoned(
    customer: Ints,
    cart: Ints,
    at: Ints,
    value: Ints,
    units: Ints,
    takes: NDArray[np.int8],
    ordered: Ints,
    offsets: Ints,
    timeout: int,
) -> Ints:
    """Return abandoned carts as rows: customer, cart, instant known, value left, units left."""
    found = np.empty((5, len(at)), dtype=np.int64)
    count, start = 0, 0
    while start < len(at):
        stop = start
        while stop < len(at) and customer[stop] == customer[start] and cart[stop] == cart[start]:
            stop += 1
        order, last_order = offsets[customer[start]], offsets[customer[start] + 1]
        is_open, last, money, left = False, np.int64(0), np.int64(0), np.int64(0)
        for move in range(start, stop + 1):
            if is_open:
                while order < last_order and ordered[order] < last:
                    order += 1
                bought = order < last_order and ordered[order] <= last + timeout
                over = move == stop or at[move] > last + timeout
                if over and not bought and left > 0:
                    found[0, count], found[1, count] = customer[start], cart[start]
                    found[2, count], found[3, count] = last + timeout, max(money, 0)
                    found[4, count] = left
                    count += 1
                is_open = not (over or (bought and ordered[order] < at[move]))
            if move == stop:
                break
            if not takes[move]:
                if not is_open:
                    is_open, money, left = True, np.int64(0), np.int64(0)
                last = at[move]
            if is_open:
                money += value[move]
                left += units[move]
        start = stop
    return found[:, :count]
