"""Carry the outbox away: what is due is signed, sent, and written down, endpoint by endpoint.

At least once: a message is marked after it was sent, so a process that dies between the two sends
it again, under the same id. An endpoint that fails holds up nobody else.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from http import HTTPStatus

from churnguard.jobs.messages import SUBJECT_ERASED
from churnguard.jobs.ports import Attempt, Delivery, DeliveryState, Receipt, Shop
from churnguard.jobs.webhook_signature import signed_headers
from churnguard.project.layout import Layout
from churnguard.project.secrets import service_key

SCHEDULE_SECONDS = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Before each attempt, how long after the one before: three days in all (Standard Webhooks)."""

JITTER = 0.2
"""A wait is up to so much longer, so that what failed together does not return together."""

CLAIM = timedelta(seconds=60)
"""How long a sender keeps deliveries to itself; longer than it can take with them."""

_BUDGET_SECONDS = 20.0
_LONGEST_WAIT = 86_400.0
_SENDERS = 8
_EACH = 100
_MOST = 500
_SLOW_DOWN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

logger = logging.getLogger("churnguard.serving")


def deliver_due(shop: Shop, *, draw: Callable[[], float] = random.random) -> Mapping[str, int]:
    """Send what is due now.

    Parameters
    ----------
    shop : Shop
        An opened project.
    draw : callable
        Returns a number from 0 to 1, for the jitter.

    Returns
    -------
    mapping of str to int
        How many attempts ended as ``delivered``, ``waiting`` (for the next), ``failed`` or
        ``cancelled``.
    """
    now = shop.clock()
    claimed = shop.outbox.claim(now=now, until=now + CLAIM, limit=_MOST, each=_EACH)
    if not claimed:
        return {}
    queues: dict[str, list[Delivery]] = defaultdict(list)
    for one in claimed:
        queues[one.endpoint.endpoint_id].append(one)
    key = service_key(Layout(shop.root), shop.environ)

    def send(queue: Sequence[Delivery]) -> Counter[str]:
        return _send_queue(shop, key, queue, draw)

    with ThreadPoolExecutor(min(_SENDERS, len(queues))) as pool:
        told: Counter[str] = sum(pool.map(send, queues.values()), Counter())
    if told["delivered"] and any(one.message.type == SUBJECT_ERASED for one in claimed):
        shop.privacy.scrub()  # the outbox forgot whom it was about: so must its pages
    return told


def _send_queue(
    shop: Shop, key: bytes, queue: Sequence[Delivery], draw: Callable[[], float]
) -> Counter[str]:
    """Send to one endpoint until it fails or its time is up; the rest falls due again by itself."""
    told: Counter[str] = Counter()
    end = time.monotonic() + _BUDGET_SECONDS
    for one in queue:
        attempt = _send(shop, key, one, draw)
        told[attempt.state] += 1
        shop.outbox.record(one, attempt)
        _log(one, attempt)
        if attempt.status == HTTPStatus.GONE:
            shop.outbox.disable(one.endpoint.endpoint_id, reason="gone", now=attempt.at)
        if attempt.state not in ("delivered", "cancelled") or time.monotonic() > end:
            break
    return told


def _send(shop: Shop, key: bytes, one: Delivery, draw: Callable[[], float]) -> Attempt:
    message, now = one.message, shop.clock()
    about = message.customer_id
    if about is not None and message.type != SUBJECT_ERASED and shop.watch.restricted([about]):
        return Attempt("cancelled", now, now, error="objected")
    body = message.body.encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "ChurnGuard-Webhooks/1",
        **signed_headers(key, one.endpoint, message_id=message.message_id, body=body, now=now),
    }
    receipt = shop.courier.post(one.endpoint.url, body, headers)
    return attempted(receipt, one.attempts + 1, now=shop.clock(), draw=draw())


def attempted(receipt: Receipt, attempts: int, *, now: datetime, draw: float) -> Attempt:
    """Return what becomes of a delivery after an attempt.

    Parameters
    ----------
    receipt : Receipt
        What the other side said.
    attempts : int
        How many there were, this one included.
    now : datetime
        When it ended.
    draw : float
        From 0 to 1: how much of the jitter is added.

    Returns
    -------
    Attempt
        2xx is delivered; 410 fails for good; anything else, redirects included, waits for the next
        attempt while there is one. 429 and 503 are given as long as they ask, up to a day.

    Examples
    --------
    >>> from churnguard.testing import NOON, FakeReceipt
    >>> attempted(FakeReceipt(500), 1, now=NOON, draw=0.0).next_at - NOON
    datetime.timedelta(seconds=5)
    >>> attempted(FakeReceipt(503, None, 90.0), 1, now=NOON, draw=0.0).next_at - NOON
    datetime.timedelta(seconds=90)
    >>> attempted(FakeReceipt(410), 1, now=NOON, draw=0.0).state
    'failed'
    """
    status = receipt.status
    if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Attempt("delivered", now, now, status)
    error = receipt.error or f"status_{status}"
    if status == HTTPStatus.GONE or attempts >= len(SCHEDULE_SECONDS):
        return Attempt("failed", now, now, status, error)
    wait = SCHEDULE_SECONDS[attempts] * (1 + JITTER * draw)
    if status in _SLOW_DOWN and receipt.retry_after is not None:
        wait = max(wait, min(receipt.retry_after, _LONGEST_WAIT))
    state: DeliveryState = "waiting"
    return Attempt(state, now, now + timedelta(seconds=wait), status, error)


def _log(one: Delivery, attempt: Attempt) -> None:
    facts = {
        "endpoint": one.endpoint.endpoint_id,
        "type": one.message.type,
        "outcome": attempt.state,
        "attempt": one.attempts + 1,
        "status": attempt.status,
        "error": attempt.error,
    }
    logger.info("webhook", extra={"facts": facts})
