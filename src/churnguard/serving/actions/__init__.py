"""What became of suggested actions."""

from churnguard.serving.actions.endpoints import router

__all__ = ["router"]
