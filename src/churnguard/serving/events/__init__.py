"""Events, taken as they happen; and those that could not be taken."""

from churnguard.serving.events.endpoints import router

__all__ = ["router"]
