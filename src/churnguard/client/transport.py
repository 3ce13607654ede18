"""How a request gets to the service and an answer back: HTTP/1.1 by the standard library."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    """What is sent: method, path with query, headers, body."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True)
class Reply:
    """What came back: status, headers with names in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Whatever carries a request there and an answer back.

    A transport raises ``OSError`` when nobody answered; it never repeats a request itself.
    """

    def __call__(self, request: Request) -> Reply:
        """Carry one request."""


class HttpTransport:
    """Carry requests over one kept connection a thread.

    Parameters
    ----------
    base_url : str
        Such as ``https://churn.example.com``; what stands behind the host goes before each path.
    timeout : float
        Seconds to wait for a connection, and for each part of an answer.
    context : ssl.SSLContext, optional
        For TLS; the machine's certificates if left out.

    Examples
    --------
    >>> HttpTransport("ftp://churn.example.com")
    Traceback (most recent call last):
    ValueError: the service's address begins with http:// or https://, not ftp://churn.example.com
    """

    def __init__(
        self, base_url: str, *, timeout: float = 10.0, context: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"the service's address begins with http:// or https://, not {base_url}"
            )
        self._secure = parts.scheme == "https"
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._timeout = timeout
        self._context = context or (ssl.create_default_context() if self._secure else None)
        self._kept = threading.local()

    def __call__(self, request: Request) -> Reply:
        """Carry one request.

        Raises
        ------
        OSError
            If nobody answered.
        """
        connection = self._connection()
        try:
            connection.request(
                request.method,
                self._prefix + request.path,
                body=request.body,
                headers=dict(request.headers),
            )
            response = connection.getresponse()
            body = response.read()
        except http.client.HTTPException as error:
            connection.close()
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
        except OSError:
            connection.close()
            raise
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, headers, body)

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._kept, "connection", None)
        if connection is not None:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._kept, "connection", None)
        if kept is None:
            kept = self._new()
            self._kept.connection = kept
        return kept

    def _new(self) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
