"""An outbox in memory and a courier that delivers to nobody, with the promises of the real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from churnguard.jobs.ports import Attempt, Delivery, DeliveryState, Endpoint, Message


class FakeOutbox:
    """Keep endpoints, messages and deliveries in dictionaries.

    Examples
    --------
    >>> from churnguard.testing import NOON
    >>> outbox = FakeOutbox()
    >>> there = outbox.add_endpoint("https://crm.example/hook", ["risk.raised"], now=NOON)
    >>> outbox.put([Message("msg_1", "risk.raised", "C1", "{}", NOON)])
    1
    >>> [one.message.message_id for one in outbox.claim(now=NOON, until=NOON)]
    ['msg_1']
    """

    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}
        self._deliveries: dict[int, Delivery] = {}
        self._ended: Counter[str] = Counter()
        self._numbers = 0

    def add_endpoint(
        self, url: str, events: Sequence[str], *, now: datetime, description: str = ""
    ) -> Endpoint:
        """Keep a new endpoint."""
        self._numbers += 1
        made = Endpoint(f"we_{self._numbers:016x}", url, tuple(events), description, 1, now)
        self._endpoints[made.endpoint_id] = made
        return made

    def endpoints(self) -> list[Endpoint]:
        """Return all endpoints, oldest first."""
        return list(self._endpoints.values())

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """Return one endpoint."""
        return self._endpoints.get(endpoint_id)

    def remove_endpoint(self, endpoint_id: str) -> bool:
        """Take an endpoint and its deliveries out."""
        theirs = [one.number for one in self._of(endpoint_id)]
        for number in theirs:
            del self._deliveries[number]
        return self._endpoints.pop(endpoint_id, None) is not None

    def rotate(self, endpoint_id: str, *, now: datetime) -> Endpoint | None:
        """Go on to the next generation of the secret."""
        found = self._endpoints.get(endpoint_id)
        generation = found.generation + 1 if found else 0
        return self._change(endpoint_id, generation=generation, rotated_at=now)

    def disable(self, endpoint_id: str, *, reason: str, now: datetime) -> None:
        """Send nothing there any more; what waits for it fails."""
        self._change(endpoint_id, disabled_at=now, disabled_reason=reason)
        for one in self._of(endpoint_id):
            if one.state == "waiting":
                changed = replace(one, state="failed", last_error="endpoint_disabled")
                self._deliveries[one.number] = changed
                self._ended["failed"] += 1

    def enable(self, endpoint_id: str) -> Endpoint | None:
        """Send there again."""
        return self._change(endpoint_id, disabled_at=None, disabled_reason=None)

    def _change(self, endpoint_id: str, **values: object) -> Endpoint | None:
        if endpoint_id not in self._endpoints:
            return None
        self._endpoints[endpoint_id] = replace(self._endpoints[endpoint_id], **values)  # type: ignore[arg-type]
        return self._endpoints[endpoint_id]

    def put(self, messages: Sequence[Message]) -> int:
        """Keep messages for every live endpoint that wants their type."""
        made = 0
        for message in messages:
            if message.message_id in {one.message.message_id for one in self._deliveries.values()}:
                continue
            for endpoint in self._endpoints.values():
                if message.type in endpoint.events and endpoint.disabled_at is None:
                    self._numbers += 1
                    made += 1
                    self._deliveries[self._numbers] = Delivery(
                        self._numbers, message, endpoint, "waiting", 0, message.created_at
                    )
        return made

    def claim(
        self, *, now: datetime, until: datetime, limit: int = 100, each: int = 10
    ) -> list[Delivery]:
        """Take deliveries that are due, at most ``each`` an endpoint; longest due first."""
        taken: Counter[str] = Counter()
        found: list[Delivery] = []
        for one in sorted(self._deliveries.values(), key=lambda one: (one.next_at, one.number)):
            endpoint = self._endpoints[one.endpoint.endpoint_id]
            due = one.state == "waiting" and one.next_at <= now and endpoint.disabled_at is None
            if due and taken[endpoint.endpoint_id] < each and len(found) < limit:
                taken[endpoint.endpoint_id] += 1
                found.append(replace(one, next_at=until))
        self._deliveries |= {one.number: one for one in found}
        return [self._fresh(one) for one in found]

    def record(self, delivery: Delivery, attempt: Attempt) -> bool:
        """Write down what became of an attempt; False where somebody else did meanwhile."""
        found = self._deliveries.get(delivery.number)
        if found is None or found.state != "waiting" or found.attempts != delivery.attempts:
            return False
        self._ended[attempt.state] += 1
        self._deliveries[delivery.number] = replace(
            found,
            state=attempt.state,
            attempts=found.attempts + 1,
            next_at=attempt.next_at,
            last_status=attempt.status,
            last_error=attempt.error,
            delivered_at=attempt.at if attempt.state == "delivered" else None,
        )
        return True

    def deliveries(
        self,
        endpoint_id: str,
        *,
        state: DeliveryState | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[Delivery]:
        """Return an endpoint's deliveries, newest first."""
        found = [
            self._fresh(one)
            for one in self._of(endpoint_id)
            if state in (None, one.state) and (before is None or one.number < before)
        ]
        return sorted(found, key=lambda one: -one.number)[:limit]

    def replay(
        self, endpoint_id: str, *, now: datetime, message_ids: Collection[str] | None = None
    ) -> int:
        """Make failed deliveries (these, or all) wait again from the first attempt on."""
        found = [
            replace(one, state="waiting", attempts=0, next_at=now)
            for one in self._of(endpoint_id)
            if one.state == "failed"
            and (message_ids is None or one.message.message_id in message_ids)
        ]
        self._deliveries |= {one.number: one for one in found}
        return len(found)

    def counts(self) -> Mapping[str, int]:
        """Return how many deliveries there are, by state."""
        return Counter(one.state for one in self._deliveries.values())

    def ended(self) -> Mapping[str, int]:
        """Return how many attempts ever ended, by state; these numbers only rise."""
        return dict(self._ended)

    def oldest_waiting(self) -> datetime | None:
        """Return since when the message that waits longest is there."""
        waiting = [one for one in self._deliveries.values() if one.state == "waiting"]
        return min((one.message.created_at for one in waiting), default=None)

    def prune(self, before: datetime) -> int:
        """Forget messages from before an instant that wait nowhere."""
        rows = self._deliveries.values()
        waiting = {one.message.message_id for one in rows if one.state == "waiting"}
        old = {one.message.message_id for one in rows if one.message.created_at < before} - waiting
        kept = [one for one in rows if one.message.message_id not in old]
        self._deliveries = {one.number: one for one in kept}
        return len(old)

    def _of(self, endpoint_id: str) -> list[Delivery]:
        mine = self._deliveries.values()
        return [one for one in mine if one.endpoint.endpoint_id == endpoint_id]

    def _fresh(self, one: Delivery) -> Delivery:
        return replace(one, endpoint=self._endpoints[one.endpoint.endpoint_id])


@dataclass(frozen=True)
class FakeReceipt:
    """What a receiver says.

    Examples
    --------
    >>> FakeReceipt().status
    204
    """

    status: int | None = 204
    error: str | None = None
    retry_after: float | None = None


@dataclass
class FakeCourier:
    """Keep what would have been sent, and answer what is asked for.

    Parameters
    ----------
    answer : callable
        From URL, body and headers to a receipt.

    Examples
    --------
    >>> courier = FakeCourier()
    >>> courier.post("https://crm.example", b"{}", {}).status, len(courier.sent)
    (204, 1)
    """

    answer: Callable[[str, bytes, Mapping[str, str]], FakeReceipt] = lambda _url, _body, _headers: (
        FakeReceipt()
    )
    sent: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> FakeReceipt:
        """Keep a message."""
        self.sent.append((url, body, dict(headers)))
        return self.answer(url, body, headers)

    def refuse(self, url: str) -> str | None:
        """Refuse what does not begin with https."""
        return None if url.startswith("https://") else "The address must begin with https://."
