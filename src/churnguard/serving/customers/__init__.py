"""What the shop's own log and book say of one customer."""

from churnguard.serving.customers.endpoints import router

__all__ = ["router"]
