"""What people may ask about their own data."""

from churnguard.serving.privacy.endpoints import router

__all__ = ["router"]
