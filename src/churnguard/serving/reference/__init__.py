"""The API's reference page, rendered from its own OpenAPI description."""

from churnguard.serving.reference.endpoints import router

__all__ = ["router"]
