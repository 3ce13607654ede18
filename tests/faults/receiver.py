"""A webhook receiver to be sent to: each mode is one way in which receivers behave."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OK = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


def status(code: int, *headers: str) -> bytes:
    """Return an empty answer with a status."""
    lines = [f"HTTP/1.1 {code} X", "Content-Length: 0", *headers, "", ""]
    return "\r\n".join(lines).encode()


class Receiver:
    """A socket that keeps what it is sent and answers as its mode says.

    ``mode`` is bytes to be answered as they are, or ``hang``, ``drip``, ``huge``, ``reset``.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.mode: bytes | str = OK
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.read_back = 0  # bytes of a huge answer that went out
        self._context = context
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self.port}/hook?shop=1"

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()

    def _serve(self) -> None:
        while not self._closing:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(plain,), daemon=True).start()

    def _answer(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), plain:
            stream = self._context.wrap_socket(plain, server_side=True) if self._context else plain
            stream.settimeout(30)
            self.requests.append(_read_request(stream))
            if isinstance(self.mode, bytes):
                stream.sendall(self.mode)
            elif self.mode == "reset":
                linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            elif self.mode == "hang":
                time.sleep(20)
            elif self.mode == "drip":
                for byte in OK * 100:
                    stream.sendall(bytes([byte]))
                    time.sleep(0.1)
            elif self.mode == "huge":
                stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
                for _ in range(1000):
                    stream.sendall(b"x" * 1_000_000)
                    self.read_back += 1_000_000


def _read_request(stream: socket.socket) -> tuple[dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += stream.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    values = {name: line.split(": ", 1)[1] for line, name in zip(lines[1:], headers, strict=True)}
    while len(body) < int(values.get("content-length", 0)):
        body += stream.recv(65536)
    return values | {":line": lines[0]}, body


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Receive for as long as the block runs."""
    receiver = Receiver(context)
    try:
        yield receiver
    finally:
        receiver.close()


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return a server's side of TLS with a certificate that nobody trusts."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
