"""What "churned" means, and when that can be known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnguard.events.timeline import Timeline
from churnguard.labels import order_gap, subscription
from churnguard.labels.order_gap import churned, data_end, eligible, mature

__all__ = ["LABELS", "ORDER_GAP", "Label", "churned", "data_end", "eligible", "mature"]

ORDER_GAP = "order_gap"


@dataclass(frozen=True)
class Label:
    """One meaning of "churned".

    Attributes
    ----------
    needs : tuple of str
        Events of which at least one kind must occur.
    eligible, churned : callable
        As in :mod:`churnguard.labels.order_gap`.
    """

    needs: tuple[str, ...]
    eligible: Callable[[Timeline, int, int], NDArray[np.int32]]
    churned: Callable[[Timeline, NDArray[np.int32], NDArray[np.int64], int], NDArray[np.bool_]]


LABELS: Mapping[str, Label] = {
    ORDER_GAP: Label(("order_completed",), order_gap.eligible, order_gap.churned),
    "subscription": Label(subscription.EVENTS, subscription.eligible, subscription.churned),
}
"""Every label, by name."""
