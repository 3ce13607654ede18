"""The day's at-risk list."""

from churnguard.serving.at_risk.endpoints import router

__all__ = ["router"]
