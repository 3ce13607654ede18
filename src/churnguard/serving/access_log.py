"""One line of JSON a request, and an id for each, without personal data.

Paths hold customers' ids, so the route's template is logged instead; so are neither queries nor
bodies nor addresses. An error that nobody foresaw ends here, as a problem without internals.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from churnguard.serving.problems import answer, log_error, problem_of
from churnguard.serving.request_ids import request_id_of

access = logging.getLogger("churnguard.access")


class AccessLog:
    """Name, time and log each request; answer errors that got this far.

    Parameters
    ----------
    app : ASGI application
        What answers.
    observe : callable, optional
        Told method, route, status and seconds of each request.
    """

    def __init__(
        self, app: ASGIApp, observe: Callable[[str, str, int, float], None] | None = None
    ) -> None:
        self.app = app
        self.observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, from its first byte to its line in the log."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        named = request_id_of(scope)
        request_id = scope["churnguard.request_id"] = named.decode()
        started, status = time.perf_counter(), 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *(one for one in message["headers"] if one[0] != b"x-request-id"),
                    (b"x-request-id", named),
                ]
            await send(message)

        try:
            await self.app(scope, receive, send_named)
        except Exception as error:  # noqa: BLE001 - the last wall: nothing leaves as it is
            log_error(error, request_id)
            if not status:
                response = answer(Request(scope), problem_of(error))
                await response(scope, receive, send_named)
        finally:
            self._tell(scope, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        name = str(getattr(route, "path_format", None) or getattr(route, "path", "unmatched"))
        if self.observe is not None:
            self.observe(scope["method"], name, status, seconds)
        facts = {
            "request_id": scope["churnguard.request_id"],
            "method": scope["method"][:10],
            "route": name,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
        }
        access.info("request", extra={"facts": facts})


class JsonLines(logging.Formatter):
    """Write a log record as one line of JSON, its ``facts`` beside time, level and name.

    Examples
    --------
    >>> record = logging.LogRecord("churnguard", logging.INFO, "", 0, "ready", None, None)
    >>> orjson.loads(JsonLines().format(record))["event"]
    'ready'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname, "logger": record.name}
        line |= {"event": record.getMessage(), **getattr(record, "facts", {})}
        return orjson.dumps(line, default=str).decode()


def log_json_lines(level: int = logging.INFO) -> None:
    """Send ChurnGuard's and the server's log to stderr as lines of JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name in ("churnguard", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
    # The server's own line for each request would hold the path, and with it the customer's id.
    own_lines = logging.getLogger("uvicorn.access")
    own_lines.handlers.clear()
    own_lines.propagate = False
