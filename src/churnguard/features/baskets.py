"""Baskets: what was bought at one instant, as one event with its units and its variety."""

from __future__ import annotations

import numpy as np

from churnguard.events.timeline import MISSING, Timeline
from churnguard.features.derived import DerivedEvents


def bought_baskets(timeline: Timeline) -> DerivedEvents:
    """Derive ``basket_bought``: the lines (``product_ordered``) of a customer at one instant.

    Parameters
    ----------
    timeline : Timeline
        With ``product_ordered`` where the shop has it.

    Returns
    -------
    DerivedEvents
        ``quantity``: units, 0 for a line that does not say; ``lines``: how many lines.
    """
    lines = timeline.track("product_ordered")
    begins = np.ones(len(lines), dtype=bool)
    begins[1:] = (lines.occurred[1:] != lines.occurred[:-1]) | (
        lines.customer[1:] != lines.customer[:-1]
    )
    start = np.flatnonzero(begins)
    units = lines.read("quantity")
    units = np.where(units == MISSING, 0, units)
    return DerivedEvents(
        np.searchsorted(start, lines.offsets),
        lines.customer[start].astype(np.int64),
        lines.occurred[start],
        {
            "quantity": np.add.reduceat(units, start) if len(start) else units,
            "lines": np.diff(np.append(start, len(lines))),
        },
    )
