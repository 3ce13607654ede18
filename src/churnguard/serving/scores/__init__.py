"""Scores of customers, made when asked."""

from churnguard.serving.scores.endpoints import router

__all__ = ["router"]
