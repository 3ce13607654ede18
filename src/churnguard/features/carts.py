"""Carts: derived from what was put into them and what was ordered, never ingested.

A cart is abandoned when nothing more is put into it and nothing is ordered within the timeout after
the last item. It becomes an event at that later instant, so that a half-open window never sees the
future; a cart that was bought ends with its order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.compiled import compiled
from churnguard.events.timeline import MISSING, Timeline
from churnguard.features.derived import DerivedEvents, derived_events, in_order

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

_GONE = int(MISSING)

CART_TIMEOUT_US = DAY_US
"""How long after the last item without an order a cart counts as abandoned."""


def cart_events(timeline: Timeline) -> dict[str, DerivedEvents]:
    """Derive what became of every customer's carts.

    Parameters
    ----------
    timeline : Timeline
        With ``product_added``, ``product_removed`` and ``order_completed`` where the shop has them.
        Items without ``cart_id`` belong to the customer's one nameless cart.

    Returns
    -------
    dict of str to DerivedEvents
        ``cart_ended``: every cart, at the order that bought it or at the end of the timeout after
        its last item; an order within the timeout (both ends included) ends all carts of the
        customer. ``cart_abandoned``: those that no order ended and in which something was left.
        Both have ``value`` (1/10,000) and ``quantity`` put in since the cart was opened, less what
        was taken out again. ``product_left``: each product (``product_id``) of which something was
        left in an abandoned cart, once a cart, with its ``quantity``.
    """
    moves, order = _moves(timeline)
    ordered = timeline.track("order_completed")
    found = _ended(moves, order, ordered.occurred, ordered.offsets, CART_TIMEOUT_US)
    (owner, at, value, units, left), products = in_order(found[0]), in_order(found[1])
    gone = np.flatnonzero(left)
    return {
        "cart_ended": derived_events(timeline, owner, at, value=value, quantity=units, left=left),
        "cart_abandoned": derived_events(
            timeline, owner[gone], at[gone], value=value[gone], quantity=units[gone]
        ),
        "product_left": derived_events(
            timeline, *products[:2], product_id=products[2].astype(np.int32), quantity=products[3]
        ),
    }


def _moves(timeline: Timeline) -> tuple[Ints, Ints]:
    """Return what went into carts and out of them, and its order by customer, cart and time.

    Rows: customer, cart, instant, 1 for out, signed money, signed units, product; at one instant
    what goes in comes first.
    """
    added, removed = timeline.track("product_added"), timeline.track("product_removed")
    moves = np.empty((7, len(added) + len(removed)), dtype=np.int64)
    for takes, track, part in (
        (0, added, slice(len(added))),
        (1, removed, slice(len(added), None)),
    ):
        if len(track) == 0:
            continue
        numbers = track.read("value"), track.read("quantity")
        words = track.read("cart_id"), track.read("product_id")
        _write(moves[:, part], takes, (track.offsets, track.occurred), numbers, words)
    group = moves[0] * (int(moves[1].max(initial=0)) + 2) + moves[1]
    if len(removed) == 0:  # a track is in the order of time already
        return moves, np.argsort(group, kind="stable")
    return moves, np.lexsort((moves[3], moves[2], group))


@compiled
def _write(
    moves: Ints,
    takes: int,
    events: tuple[Ints, Ints],
    numbers: tuple[Ints, Ints],
    words: tuple[Codes, Codes],
) -> None:
    """Write one track's moves: money is 0 and units are 1 where they are not told."""
    offsets, occurred = events
    sign = -1 if takes else 1
    for customer in range(len(offsets) - 1):
        for place in range(offsets[customer], offsets[customer + 1]):
            value, units = numbers[0][place], numbers[1][place]
            moves[0, place], moves[1, place] = customer, words[0][place]
            moves[2, place], moves[3, place] = occurred[place], takes
            moves[4, place] = sign * (value if value != _GONE else 0)
            moves[5, place] = sign * (units if units != _GONE else 1)
            moves[6, place] = words[1][place]


@compiled
def _ended(
    moves: Ints, order: Ints, ordered: Ints, offsets: Ints, timeout: int
) -> tuple[Ints, Ints]:
    """Return carts (customer, end, money, units, 1 if left) and products left in them.

    A cart takes in moves until an order or the timeout ends it; the item that comes next under its
    name opens another.
    """
    carts = np.empty((5, len(order)), dtype=np.int64)
    products = np.empty((4, len(order)), dtype=np.int64)
    count = found = opened = 0
    bought = np.int64(0)
    is_open, last, money, left = False, np.int64(0), np.int64(0), np.int64(0)
    for place in range(len(order) + 1):
        move = order[place] if place < len(order) else -1
        before = order[place - 1] if place > 0 else -1
        same = move >= 0 and before >= 0
        same = same and moves[0, move] == moves[0, before] and moves[1, move] == moves[1, before]
        if is_open:
            customer = moves[0, before]
            while bought < offsets[customer + 1] and ordered[bought] < last:
                bought += 1
            sold = bought < offsets[customer + 1] and ordered[bought] <= last + timeout
            late = not same or moves[2, move] > last + timeout
            if late or (sold and ordered[bought] < moves[2, move]):
                carts[0, count], carts[3, count] = customer, left
                carts[2, count] = max(money, np.int64(0))
                carts[1, count] = ordered[bought] if sold else last + timeout
                carts[4, count] = not sold and left > 0
                if carts[4, count]:
                    found = _left(moves, order[opened:place], carts[1, count], products, found)
                count += 1
                is_open = False
        if move < 0:
            break
        if not same:
            bought = offsets[moves[0, move]]
        if not moves[3, move]:
            if not is_open:
                is_open, opened, money, left = True, place, np.int64(0), np.int64(0)
            last = moves[2, move]
        if is_open:
            money += moves[4, move]
            left += moves[5, move]
    return carts[:, :count], products[:, :found]


@compiled
def _left(moves: Ints, cart: Ints, ended: int, products: Ints, found: int) -> int:
    """Add the products left in one cart (customer, end, product, units); return how many now."""
    by_product = cart.copy()
    step = len(cart) // 2
    while step > 0:  # Shell's sort: numba's own argsort, loaded from its cache, mixed up with sort
        for i in range(step, len(cart)):
            move, j = by_product[i], i
            while j >= step and moves[6, by_product[j - step]] > moves[6, move]:
                by_product[j] = by_product[j - step]
                j -= step
            by_product[j] = move
        step //= 2
    units = np.int64(0)
    for i in range(len(cart)):
        move = by_product[i]
        units += moves[5, move]
        if i + 1 < len(cart) and moves[6, by_product[i + 1]] == moves[6, move]:
            continue
        if moves[6, move] >= 0 and units > 0:
            products[0, found], products[1, found] = moves[0, move], ended
            products[2, found], products[3, found] = moves[6, move], units
            found += 1
        units = np.int64(0)
    return found
