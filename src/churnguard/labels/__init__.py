"""What "churned" means, and when that can be known."""

from churnguard.labels.order_gap import churned, data_end, eligible, mature

__all__ = ["churned", "data_end", "eligible", "mature"]
