"""A name for each request, under which its caller and the log speak of it."""

from __future__ import annotations

import random
import re

from starlette.types import Scope

_SOUND_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id_of(scope: Scope) -> bytes:
    """Return the caller's own id for a request if it is sound, else a new one.

    Examples
    --------
    >>> request_id_of({"headers": [(b"x-request-id", b"a-1")]})
    b'a-1'
    >>> len(request_id_of({"headers": [(b"x-request-id", b"no spaces please")]}))
    32
    """
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return bytes(value) if _SOUND_ID.fullmatch(value) else _new()
    return _new()


def _new() -> bytes:
    # A name, no secret; asking the kernel for random bytes would let another thread take the turn.
    return b"%032x" % random.getrandbits(128)
