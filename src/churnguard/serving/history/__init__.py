"""What moved a customer's score, and what was said before each outcome."""

from churnguard.serving.history.endpoints import router

__all__ = ["router"]
