"""Baskets: what was bought at one instant, as one event with its units and its variety."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from churnguard.compiled import compiled
from churnguard.events.timeline import MISSING, Timeline
from churnguard.features.derived import DerivedEvents

Ints = NDArray[np.int64]

_GONE = int(MISSING)


def basket_events(timeline: Timeline) -> dict[str, DerivedEvents]:
    """Derive ``basket_bought``: the lines (``product_ordered``) of a customer at one instant.

    Parameters
    ----------
    timeline : Timeline
        With ``product_ordered`` where the shop has it.

    Returns
    -------
    dict of str to DerivedEvents
        ``basket_bought``, with ``quantity``: units, 0 for a line that does not say; and ``lines``:
        how many lines.
    """
    lines = timeline.track("product_ordered")
    offsets, baskets = _together(lines.offsets, lines.occurred, lines.read("quantity"))
    columns = {"quantity": baskets[1], "lines": baskets[2]}
    return {"basket_bought": DerivedEvents(offsets, baskets[0], columns)}


@compiled
def _together(offsets: Ints, occurred: Ints, quantity: Ints) -> tuple[Ints, Ints]:
    """Return where each customer's baskets begin, and baskets as rows: instant, units, lines."""
    begins = np.zeros(len(offsets), dtype=np.int64)
    baskets = np.zeros((3, len(occurred)), dtype=np.int64)
    count = 0
    for customer in range(len(offsets) - 1):
        for place in range(offsets[customer], offsets[customer + 1]):
            if place == offsets[customer] or occurred[place] != occurred[place - 1]:
                baskets[0, count] = occurred[place]
                count += 1
            baskets[1, count - 1] += quantity[place] if quantity[place] != _GONE else 0
            baskets[2, count - 1] += 1
        begins[customer + 1] = count
    return begins, baskets[:, :count]
