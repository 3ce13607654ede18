"""HEAD, which monitors of uptime ask by habit: whatever takes GET takes it too."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class HeadAsGet:
    """Handle HEAD as GET; the server leaves the body away (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            # Headers told further in are read by layers further out, which keep the old scope.
            scope.setdefault("churnguard.headers", {})
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)
