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
from churnguard.compiled import compiled
from churnguard.events.timeline import MISSING, Timeline, Track

Ints = NDArray[np.int64]

CART_TIMEOUT_US = DAY_US
"""How long after the last item without an order a cart counts as abandoned."""


@dataclass(frozen=True)
class AbandonedCarts:
    """Abandoned carts sorted by (customer, instant they became known, cart).

    Attributes
    ----------
    offsets, customer, occurred : ndarray of int64
        As in ``Track``; ``occurred`` is the last item's instant plus the timeout.
    value, quantity : ndarray of int64
        Money (1/10,000) and units put in since the cart was opened, less what was taken out
        again; carts from which everything was taken out are not abandoned.
    """

    offsets: Ints
    customer: Ints
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
        return AbandonedCarts(np.zeros(customers + 1, np.int64), *[nothing] * 4)
    found = _abandoned(_moves(added, removed), ordered.occurred, ordered.offsets, CART_TIMEOUT_US)
    order = np.lexsort((found[1], found[2], found[0]))
    customer, _, occurred, value, quantity = found[:, order]
    offsets = np.searchsorted(customer, np.arange(customers + 1))
    return AbandonedCarts(
        offsets, customer, *(np.ascontiguousarray(part) for part in (occurred, value, quantity))
    )


def _moves(added: Track, removed: Track) -> Ints:
    """Return what went into carts and out of them, sorted by customer, cart and time.

    Rows: customer, cart, instant, 1 for out, signed money, signed units; at one instant what goes
    in comes first.
    """
    moves = _signed(added, 1)
    if len(removed):
        moves = np.concatenate([moves, _signed(removed, -1)], axis=1)
    order = np.lexsort((moves[3], moves[2], moves[1], moves[0]))
    return np.ascontiguousarray(moves[:, order])


def _signed(track: Track, sign: int) -> Ints:
    return np.stack(
        [
            track.customer.astype(np.int64),
            track.read("cart_id").astype(np.int64),
            track.occurred,
            np.full(len(track), sign < 0, dtype=np.int64),
            sign * _or(track.read("value"), 0),
            sign * _or(track.read("quantity"), 1),
        ]
    )


def _or(numbers: Ints, other: int) -> Ints:
    return np.where(numbers == MISSING, other, numbers)


@compiled
def _abandoned(moves: Ints, ordered: Ints, offsets: Ints, timeout: int) -> Ints:
    """Return abandoned carts as rows: customer, cart, instant known, value left, units left."""
    customer, cart, at = moves[0], moves[1], moves[2]
    takes, value, units = moves[3], moves[4], moves[5]
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
                    found[2, count], found[3, count] = last + timeout, max(money, np.int64(0))
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
