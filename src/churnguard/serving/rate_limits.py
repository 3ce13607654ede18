"""How much one API key may ask for: token buckets, charged by cost, told in RateLimit headers.

A request costs 1, a batch as many as it has items. A bucket fills steadily, so the wait that
``Retry-After`` names is exact, and a caller who keeps to it is never refused twice. The headers
are those of draft-ietf-httpapi-ratelimit-headers-11. Buckets live in the process: each worker
grants the whole quota.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from churnguard.errors import ChurnGuardError

WINDOW = 60
"""Seconds in which an empty bucket fills."""


class RateLimited(ChurnGuardError):
    """The API key has spent its quota; the headers say when there is more."""

    def __init__(self, policy: Policy, headers: Mapping[str, str], wait: int) -> None:
        super().__init__(
            f"This API key has spent its {policy.quota} {policy.unit} a minute.",
            hint=f"Send it again in {wait} s, or ask for less at once.",
        )
        self.headers = {**headers, "Retry-After": str(wait)}


@dataclass(frozen=True)
class Policy:
    """What a key may spend.

    Attributes
    ----------
    name : str
        As the headers name it.
    quota : int
        What a full bucket holds, and what flows in within :data:`WINDOW` seconds; 0: no limit.
    unit : str
        What is counted, for people.
    """

    name: str
    quota: int
    unit: str

    def __str__(self) -> str:
        return f'"{self.name}";q={self.quota};w={WINDOW}'


@dataclass
class _Bucket:
    level: float
    at: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class Budgets:
    """What each key has left.

    Parameters
    ----------
    policies : iterable of Policy
        What is limited.
    monotonic : callable
        Seconds that only ever rise.

    Examples
    --------
    >>> budgets = Budgets([Policy("default", 10, "requests")], monotonic=lambda: 0.0)
    >>> budgets.charge("default", "key", 4)
    {'RateLimit-Policy': '"default";q=10;w=60', 'RateLimit': '"default";r=6;t=24'}
    """

    def __init__(
        self, policies: Iterable[Policy], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._policies = {policy.name: policy for policy in policies}
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def charge(self, name: str, who: str, cost: int) -> dict[str, str]:
        """Take a cost from a bucket; return the headers that tell what is left.

        Parameters
        ----------
        name : str
            The policy.
        who : str
            The key's id.
        cost : int
            What it costs; more than a full bucket holds counts as a full bucket.

        Raises
        ------
        RateLimited
            If there is not enough; nothing is taken then.
        """
        policy = self._policies[name]
        if not policy.quota:
            return {}
        flow = policy.quota / WINDOW
        bucket = self._buckets.get((name, who))
        if bucket is None:
            bucket = self._buckets.setdefault((name, who), _Bucket(policy.quota, self._monotonic()))
        with bucket.lock:
            now = self._monotonic()
            bucket.level = min(policy.quota, bucket.level + (now - bucket.at) * flow)
            bucket.at = now
            wanted = min(cost, policy.quota)
            missing = wanted - bucket.level
            if missing <= 0:
                bucket.level -= wanted
            level = bucket.level
        headers = _headers(policy, level, flow)
        if missing > 0:
            raise RateLimited(policy, headers, max(1, math.ceil(missing / flow)))
        return headers


def _headers(policy: Policy, level: float, flow: float) -> dict[str, str]:
    """Return the policy, what is left, and the seconds until the bucket is full again."""
    full = math.ceil((policy.quota - level) / flow)
    left = f'"{policy.name}";r={math.floor(level)};t={full}'
    return {"RateLimit-Policy": str(policy), "RateLimit": left}
