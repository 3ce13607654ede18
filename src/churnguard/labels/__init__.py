"""What "churned" means, and when that can be known."""

from __future__ import annotations

from churnguard.labels.label import LABELS, ORDER_GAP, Label, label_named
from churnguard.labels.order_gap import churned, data_end, eligible, mature

__all__ = [
    "LABELS",
    "ORDER_GAP",
    "Label",
    "churned",
    "data_end",
    "eligible",
    "label_named",
    "mature",
]
