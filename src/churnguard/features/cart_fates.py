"""What became of every cart: bought, left behind or emptied, and which products were left.

The rule is that of :mod:`churnguard.features.carts`. A cart's fate stands at the instant from which
it is certain: the order that bought it, or the end of the timeout after its last item.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnguard.compiled import compiled
from churnguard.events.timeline import MISSING, Timeline
from churnguard.features.carts import CART_TIMEOUT_US
from churnguard.features.derived import DerivedEvents, sorted_events

Ints = NDArray[np.int64]


def ended_carts(timeline: Timeline) -> DerivedEvents:
    """Derive ``cart_ended``: every cart whose fate is certain.

    Parameters
    ----------
    timeline : Timeline
        With ``product_added``, ``product_removed`` and ``order_completed`` where the shop has them.

    Returns
    -------
    DerivedEvents
        ``left``: 1 for a cart that was abandoned, 0 for one that was bought or emptied.
    """
    carts = _carts(timeline)
    return sorted_events(timeline, carts.customer, carts.ended, left=carts.left.astype(np.int64))


def products_left(timeline: Timeline) -> DerivedEvents:
    """Derive ``product_left``: each product of which something was left in an abandoned cart.

    Parameters
    ----------
    timeline : Timeline
        As for :func:`ended_carts`; items without ``product_id`` are passed over.

    Returns
    -------
    DerivedEvents
        ``product_id``: which product; once a cart, however many units. ``quantity``: units.
    """
    carts = _carts(timeline)
    mine = (carts.of >= 0) & (carts.product >= 0)
    mine[mine] = carts.left[carts.of[mine]]
    cart, product, units = carts.of[mine], carts.product[mine], carts.units[mine]
    order = np.lexsort((product, cart))
    cart, product, units = cart[order], product[order], units[order]
    begins = np.ones(len(cart), dtype=bool)
    begins[1:] = (cart[1:] != cart[:-1]) | (product[1:] != product[:-1])
    start = np.flatnonzero(begins)
    left = np.add.reduceat(units, start) if len(start) else units
    start, left = start[left > 0], left[left > 0]
    cart, product = cart[start], product[start].astype(np.int32)
    return sorted_events(
        timeline, carts.customer[cart], carts.ended[cart], product_id=product, quantity=left
    )


@dataclass(frozen=True)
class _Carts:
    """Moves with the cart they belong to (-1: none), and the carts."""

    of: Ints
    product: Ints
    units: Ints
    customer: Ints
    ended: Ints
    left: NDArray[np.bool_]


def _carts(timeline: Timeline) -> _Carts:
    moves = _moves(timeline)
    ordered = timeline.track("order_completed")
    of, carts = _fates(moves[:5], ordered.occurred, ordered.offsets, CART_TIMEOUT_US)
    return _Carts(of, moves[5], moves[4], carts[0], carts[1], carts[2] > 0)


def _moves(timeline: Timeline) -> Ints:
    """Return what went into carts and out of them, sorted by customer, cart and time.

    Rows: customer, cart, instant, 1 for out, signed units, product; at one instant what goes in
    comes first.
    """
    parts = []
    for event, sign in (("product_added", 1), ("product_removed", -1)):
        track = timeline.track(event)
        units = track.read("quantity")
        parts.append(
            np.stack(
                [
                    track.customer.astype(np.int64),
                    track.read("cart_id").astype(np.int64),
                    track.occurred,
                    np.full(len(track), sign < 0, dtype=np.int64),
                    sign * np.where(units == MISSING, 1, units),
                    track.read("product_id").astype(np.int64),
                ]
            )
        )
    moves = np.concatenate(parts, axis=1)
    order = np.lexsort((moves[3], moves[2], moves[1], moves[0]))
    return np.ascontiguousarray(moves[:, order])


@compiled
def _fates(moves: Ints, ordered: Ints, offsets: Ints, timeout: int) -> tuple[Ints, Ints]:
    """Return the cart of each move, -1 for none, and carts as rows: customer, end, 1 if left.

    A cart takes in moves until an order or the timeout ends it; the item that comes next under its
    name opens another.
    """
    customer, cart, at, takes, units = moves[0], moves[1], moves[2], moves[3], moves[4]
    of, carts = np.full(len(at), -1), np.empty((3, len(at)), dtype=np.int64)
    count, order = 0, np.int64(0)
    is_open, last, left = False, np.int64(0), np.int64(0)
    for move in range(len(at) + 1):
        over = move == len(at)
        same = move > 0 and not over
        same = same and customer[move] == customer[move - 1] and cart[move] == cart[move - 1]
        if is_open:
            owner = customer[move - 1]
            while order < offsets[owner + 1] and ordered[order] < last:
                order += 1
            bought = order < offsets[owner + 1] and ordered[order] <= last + timeout
            late = not same or at[move] > last + timeout
            if late or (bought and ordered[order] < at[move]):
                carts[0, count] = owner
                carts[1, count] = ordered[order] if bought else last + timeout
                carts[2, count] = not bought and left > 0
                count += 1
                is_open = False
        if over:
            break
        if not same:
            order = offsets[customer[move]]
        if not takes[move]:
            if not is_open:
                is_open, left = True, np.int64(0)
            last = at[move]
        if is_open:
            left += units[move]
            of[move] = count
    return of, carts[:, :count]
