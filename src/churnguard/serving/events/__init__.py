"""Events, taken as they happen; those that could not be taken; and ids that are one customer."""

from churnguard.serving.events import endpoints, handshake, quarantine

router = endpoints.router
router.include_router(handshake.router)
router.include_router(quarantine.router)

__all__ = ["router"]
