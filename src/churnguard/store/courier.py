"""Carries webhooks over HTTP, to nowhere it must not go.

A name is resolved once; every address it has must be public, or stand in the shop's own list, and
the connection goes to that very address, so that a name cannot point elsewhere a moment later. No
redirect is followed, no proxy is asked, an answer is read only so far and only so long.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import SplitResult, urlsplit

from churnguard.clock import Clock, system_clock

TIMEOUT_SECONDS = 15.0
"""For name, connection, request and answer together."""

MOST_READ = 64 * 1024
"""Bytes of an answer that are read; only its status matters."""

_PORTS = {"http": 80, "https": 443}
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)
"""IPv6 that carries an IPv4 address inside: who answers there is not who it seems."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class HttpReceipt:
    """What the other side said; see :class:`churnguard.jobs.ports.Receipt`."""

    status: int | None
    error: str | None = None
    retry_after: float | None = None


class HttpCourier:
    """Posts over HTTP and HTTPS.

    Parameters
    ----------
    allow : sequence of str
        One's own networks, such as ``10.0.0.0/8``: addresses in them may be private, and need no
        TLS.
    timeout : float
        Seconds for one delivery, all in all.
    context : ssl.SSLContext, optional
        What certificates are trusted; the system's when not given.
    resolve : callable, optional
        From host and port to addresses; the system's resolver when not given.
    clock : callable
        Tells how long a ``Retry-After`` that names a date is.

    Examples
    --------
    >>> HttpCourier().refuse("https://169.254.169.254/latest")
    "The address 169.254.169.254 is not a public one; see the setting 'webhook_allow'."
    >>> HttpCourier(allow=["10.0.0.0/8"]).refuse("http://10.1.2.3:8080/hook") is None
    True
    """

    def __init__(
        self,
        allow: Sequence[str] = (),
        *,
        timeout: float = TIMEOUT_SECONDS,
        context: ssl.SSLContext | None = None,
        resolve: Resolver | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._allow = tuple(ipaddress.ip_network(text) for text in allow)
        self._timeout = timeout
        self._context = context
        self._resolve = resolve or _resolve
        self._clock = clock

    def refuse(self, url: str) -> str | None:
        """Return why nothing is ever sent to an address, in a sentence; None where it may be.

        Names are not resolved here: what they stand for is looked at before each delivery.
        """
        try:
            parts, host, _ = _split(url)
        except ValueError as error:
            return f"{error}."
        address = _literal(host)
        if address is None:
            return None if parts.scheme == "https" or self._allow else _PLAIN
        return self._unsafe(address, parts.scheme)

    def _unsafe(self, address: Address, scheme: str) -> str | None:
        address = _plain(address)
        if any(address in network for network in self._allow):
            return None
        if not _is_public(address):
            return f"The address {address} is not a public one; see the setting 'webhook_allow'."
        return None if scheme == "https" else _PLAIN

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpReceipt:
        """Send a body; never raises for what the other side does."""
        try:
            return self._send(self._place(url), body, headers)
        except _NotSent as why:
            return HttpReceipt(None, str(why))
        except (OSError, HTTPException, ValueError) as error:
            return HttpReceipt(None, _name(error))

    def _place(self, url: str) -> _Place:
        """Look the host up, once, and at every address it has."""
        try:
            parts, host, port = _split(url)
        except ValueError:
            raise _NotSent("bad_url") from None
        try:
            found = self._resolve(host, port)
            addresses = [_plain(ipaddress.ip_address(text.partition("%")[0])) for text in found]
        except (OSError, UnicodeError, ValueError):
            addresses = []
        if not addresses:
            raise _NotSent("unknown_host")
        if any(self._unsafe(address, parts.scheme) for address in addresses):
            raise _NotSent("address_refused")
        return _Place(parts, host, port, addresses[0])

    def _send(self, place: _Place, body: bytes, headers: Mapping[str, str]) -> HttpReceipt:
        connection = HTTPConnection(place.host, place.port, timeout=self._timeout)
        late = threading.Event()
        watch = threading.Timer(self._timeout, _cut, (connection, late))
        watch.daemon = True
        watch.start()
        try:
            connection.sock = self._connect(place)
            connection.request("POST", place.target, body, {"Host": place.name, **headers})
            with connection.getresponse() as answer:
                status = answer.status
                waits = _retry_after(answer.headers.get("Retry-After"), self._clock())
                _drain(answer)
            return HttpReceipt(status, None, waits)
        except (OSError, HTTPException, ValueError):
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            watch.cancel()
            connection.close()

    def _connect(self, place: _Place) -> socket.socket:
        """Connect to the address that was looked at; the name stays what TLS is checked against."""
        plain = socket.create_connection((str(place.address), place.port), timeout=self._timeout)
        if place.parts.scheme == "http":
            return plain
        context = self._context or ssl.create_default_context()
        try:
            return context.wrap_socket(plain, server_hostname=place.host)
        except BaseException:
            plain.close()
            raise


_PLAIN = "The address must begin with https://; plain http is for one's own network only."
_NAMES: Sequence[tuple[type[Exception], str]] = (
    (TimeoutError, "timeout"),
    (ssl.SSLError, "tls"),
    (ConnectionRefusedError, "refused"),
    (ConnectionResetError, "reset"),
    (HTTPException, "not_http"),
)


class _NotSent(Exception):
    """Nothing was sent; the message is a word for why."""


def _name(error: Exception) -> str:
    return next((name for kind, name in _NAMES if isinstance(error, kind)), "connection")


@dataclass(frozen=True)
class _Place:
    """Where a request goes: what the URL says, and the address that was found for it."""

    parts: SplitResult
    host: str
    port: int
    address: Address

    @property
    def target(self) -> str:
        path = self.parts.path or "/"
        return f"{path}?{self.parts.query}" if self.parts.query else path

    @property
    def name(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.parts.scheme] else f"{host}:{self.port}"


def _split(url: str) -> tuple[SplitResult, str, int]:
    if not url.isascii() or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise ValueError("The address may only hold plain letters, digits and signs")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError("The address must begin with https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("The address must not hold a name or password")
    if not parts.hostname:
        raise ValueError("The address names no host")
    port = parts.port  # raises ValueError beyond 65535
    return parts, parts.hostname, port or _PORTS[parts.scheme]


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _plain(address: Address) -> Address:
    """Return the IPv4 address inside a mapped IPv6 one, which is where the packets go."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _cut(connection: HTTPConnection, late: threading.Event) -> None:
    """End a delivery whose time is over, wherever it waits."""
    late.set()
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            # Past TLS, whose own shutdown would wait for the other side.
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _drain(answer: HTTPResponse) -> None:
    """Read a little of an answer, so that a well-meaning receiver can finish; errors are its."""
    with contextlib.suppress(OSError, HTTPException, ValueError):
        answer.read(MOST_READ)


def _retry_after(text: str | None, now: datetime) -> float | None:
    """Return how many seconds a ``Retry-After`` asks to wait: a number, or a date (RFC 9110)."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(min(int(text.strip()[:9]), 10**9))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
