"""Webhook endpoints, what was sent to them, and what is sent."""

from churnguard.serving.webhooks.endpoints import router
from churnguard.serving.webhooks.sent import describe_webhooks

__all__ = ["describe_webhooks", "router"]
