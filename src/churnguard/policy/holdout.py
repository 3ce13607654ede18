"""Who is held out of every action, decided from the first day.

Without a group that is left alone nobody can ever say what actions bring in. The group is a keyed
hash of customer and experiment: no list to keep, the same answer in batch and in a request, and
nobody without the key can tell or steer who is held out.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

_SHORTEST_KEY = 16
_LONGEST_KEY = 64
_ALL = 1 << 64


@dataclass(frozen=True)
class Holdout:
    """The draw between ``treat`` and ``control``.

    The draw is 64 bits of BLAKE2b (RFC 7693) in its keyed mode over experiment and customer, read
    as a share of 2**64; what lies below ``share`` is ``control``.

    Attributes
    ----------
    key : bytes
        Secret of the project, at least 16 bytes; what is longer than 64 is hashed first.
    share : float
        Share held out, from 0 to below 1.
    experiment : str
        Name and epoch of the experiment; a new name draws anew, the old draw stays reproducible.

    Examples
    --------
    >>> holdout = Holdout(b"a key of this doctest", share=0.1)
    >>> holdout.group("C123"), holdout.propensity("treat")
    ('treat', 0.9)
    """

    key: bytes = field(repr=False)
    share: float = 0.1
    experiment: str = "holdout-1"

    def __post_init__(self) -> None:
        if len(self.key) < _SHORTEST_KEY:
            raise ValueError(f"The holdout key must have at least {_SHORTEST_KEY} bytes.")
        if not 0 <= self.share < 1:
            raise ValueError(f"The share held out must be from 0 to below 1, not {self.share}.")

    def group(self, customer_id: str) -> Literal["treat", "control"]:
        """Return the customer's group; it depends on nothing but key, experiment and customer."""
        drawn = int.from_bytes(self._digest(b"group", customer_id, size=8), "big")
        return "control" if drawn < self._held_out else "treat"

    def groups(self, customer_ids: Sequence[str]) -> list[Literal["treat", "control"]]:
        """Return the groups of many customers, in order."""
        return [self.group(customer_id) for customer_id in customer_ids]

    def propensity(self, group: Literal["treat", "control"]) -> float:
        """Return the probability with which the group is drawn."""
        return self.share if group == "control" else 1 - self.share

    def decision_id(self, customer_id: str, *, as_of_us: int, action: str) -> str:
        """Return the name of one decision: the same decision always has the same name.

        Parameters
        ----------
        customer_id : str
            Whom it is about.
        as_of_us : int
            Cutoff of the score, microseconds since 1970-01-01 UTC.
        action : str
            Code of the suggested action.

        Returns
        -------
        str
            32 hexadecimal digits.

        Examples
        --------
        >>> holdout = Holdout(b"a key of this doctest")
        >>> len(holdout.decision_id("C123", as_of_us=0, action="cart_reminder"))
        32
        """
        return self._digest(b"decision", customer_id, str(as_of_us), action, size=16).hex()

    def _digest(self, purpose: bytes, *parts: str, size: int) -> bytes:
        """Hash experiment and parts, each ended by a zero byte, apart for each purpose."""
        text = "\0".join((self.experiment, *parts)).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=size, key=self._key, person=purpose).digest()

    @cached_property
    def _held_out(self) -> int:
        """The first draw that is not held out; whole, for comparing with a float takes long."""
        return math.ceil(self.share * _ALL)

    @cached_property
    def _key(self) -> bytes:
        """The key as BLAKE2b takes it."""
        return self.key if len(self.key) <= _LONGEST_KEY else hashlib.blake2b(self.key).digest()
