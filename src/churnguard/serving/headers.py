"""Headers of every answer: nothing is framed, sniffed, cached or loaded from elsewhere."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Pages bring no script at all, so none may run; forms go to ourselves only.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: it would make browsers send "Origin: null" with the desk's forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Name -> value; an answer that sets one itself keeps its own."""

ENCODED = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
"""The same as they are sent."""
_NAMES = frozenset(name for name, _ in ENCODED)


class SecurityHeaders:
    """Add :data:`SECURITY_HEADERS`, and what a request was told of its quota, to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                own = scope.get("churnguard.headers")
                if own:
                    told = [(name.lower().encode(), value.encode()) for name, value in own.items()]
                    replaced = {name for name, _ in told}
                    headers = [one for one in headers if one[0] not in replaced] + told
                there = {name for name, _ in headers}
                if there.isdisjoint(_NAMES):
                    headers += ENCODED
                else:
                    headers += [one for one in ENCODED if one[0] not in there]
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, send_with_headers)
