"""Who sits at the desk: a signed cookie, bound to an API key that is still good.

The cookie holds no secret, only the key's id, until when it is good, and a random value from
which the token of the forms is derived. Its signing key lives as long as the process, unless one is
given.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

SESSION_COOKIE = "cg_session"
FLASH_COOKIE = "cg_flash"
LANGUAGE_COOKIE = "cg_language"
SESSION_HOURS = 12


@dataclass(frozen=True)
class Session:
    """One person at the desk.

    Attributes
    ----------
    key_id, name : str
        The API key used to sign in; ``open`` at an open desk.
    until : int
        Unix seconds at which it ends.
    nonce : str
        Random; the forms' token is derived from it.
    """

    key_id: str
    name: str
    until: int
    nonce: str


class Sealer:
    """Seal small values so that only we could have made them, each for one purpose.

    Parameters
    ----------
    key : bytes
        The secret; 32 random bytes.

    Examples
    --------
    >>> sealer = Sealer(b"k" * 32)
    >>> sealer.open("flash", sealer.seal("flash", {"a": 1}))
    {'a': 1}
    >>> sealer.open("session", sealer.seal("flash", {"a": 1})) is None
    True
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, purpose: str, value: Mapping[str, Any]) -> str:
        """Return the value as URL-safe text with its seal."""
        body = _text(json.dumps(dict(value)).encode())
        return f"{body}.{self._mac(purpose, body)}"

    def open(self, purpose: str, sealed: str) -> dict[str, Any] | None:
        """Return the value, or None if it was not sealed by us for this purpose."""
        body, _, mac = sealed.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(purpose, body).encode()):
            return None
        value = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return value if isinstance(value, dict) else None

    def form_token(self, session: Session) -> str:
        """Return the token that this session's forms must send along."""
        return self._mac("form", session.nonce)

    def new_session(self, key_id: str, name: str, *, now: datetime) -> Session:
        """Begin a session."""
        until = int((now + timedelta(hours=SESSION_HOURS)).timestamp())
        return Session(key_id, name, until, secrets.token_urlsafe(16))

    def seal_session(self, session: Session) -> str:
        """Return the session as a cookie's value."""
        return self.seal("session", asdict(session))

    def open_session(self, cookie: str, *, now: datetime) -> Session | None:
        """Return the session of a cookie, or None if it is not ours or has ended."""
        value = self.open("session", cookie)
        session = Session(**value) if value else None
        return session if session and now.timestamp() < session.until else None

    def _mac(self, purpose: str, body: str) -> str:
        text = f"{purpose}\0{body}".encode("utf-8", "surrogatepass")
        return _text(hmac.digest(self._key, text, hashlib.sha256))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
