"""Whether the process lives, and whether it can answer."""

from churnguard.serving.health.endpoints import router

__all__ = ["router"]
