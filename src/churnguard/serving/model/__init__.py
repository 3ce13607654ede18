"""The model that answers."""

from churnguard.serving.model.endpoints import router

__all__ = ["router"]
