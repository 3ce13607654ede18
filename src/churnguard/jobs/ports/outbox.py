"""The ports for webhooks: the outbox in which messages wait, and what carries one away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from churnguard.store.service_records import Attempt, Delivery, DeliveryState, Endpoint, Message


class Outbox(Protocol):
    """Endpoints, the messages for them, and how far each has got."""

    def add_endpoint(
        self, url: str, events: Sequence[str], *, now: datetime, description: str = ""
    ) -> Endpoint:
        """Keep a new endpoint, its secret of generation 1."""

    def endpoints(self) -> list[Endpoint]:
        """Return all endpoints, oldest first."""

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """Return one endpoint."""

    def remove_endpoint(self, endpoint_id: str) -> bool:
        """Take an endpoint and its deliveries out; False when there is none."""

    def rotate(self, endpoint_id: str, *, now: datetime) -> Endpoint | None:
        """Go on to the next generation of the secret."""

    def disable(self, endpoint_id: str, *, reason: str, now: datetime) -> None:
        """Send nothing there any more; what waits for it fails, and can be replayed."""

    def enable(self, endpoint_id: str) -> Endpoint | None:
        """Send there again."""

    def put(self, messages: Sequence[Message]) -> int:
        """Keep messages for every live endpoint that wants their type; return the deliveries.

        The same message again changes nothing. A message that nobody wants is not kept.
        """

    def claim(
        self, *, now: datetime, until: datetime, limit: int = 100, each: int = 10
    ) -> list[Delivery]:
        """Take deliveries that are due, at most ``each`` an endpoint; longest due first.

        Nobody else is given them before ``until``: whoever took them and died has lost nothing.
        """

    def record(self, delivery: Delivery, attempt: Attempt) -> bool:
        """Write down what became of an attempt; False where somebody else did meanwhile."""

    def deliveries(
        self,
        endpoint_id: str,
        *,
        state: DeliveryState | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[Delivery]:
        """Return an endpoint's deliveries, newest first; ``before`` is a number seen already."""

    def replay(
        self, endpoint_id: str, *, now: datetime, message_ids: Collection[str] | None = None
    ) -> int:
        """Make failed deliveries (these, or all) wait again from the first attempt on."""

    def counts(self) -> Mapping[str, int]:
        """Return how many deliveries there are, by state."""

    def ended(self) -> Mapping[str, int]:
        """Return how many attempts ever ended, by the state that each led to.

        These numbers only rise: not by a replay, nor by an endpoint taken out, nor by old messages
        forgotten does one of them fall. What fails as its endpoint is disabled counts as failed.
        """

    def oldest_waiting(self) -> datetime | None:
        """Return since when the message that waits longest is there."""

    def prune(self, before: datetime) -> int:
        """Forget messages from before an instant that wait nowhere; return how many."""


class Courier(Protocol):
    """Carries one message to one address."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """Send a body; never raises for what the other side does."""

    def refuse(self, url: str) -> str | None:
        """Return why nothing is ever sent to an address, in a sentence; None where it may be."""


class Receipt(Protocol):
    """What the other side said.

    ``status`` is the HTTP status, None where none came; ``error`` then is a word for why;
    ``retry_after`` is the seconds that it asked us to wait.
    """

    @property
    def status(self) -> int | None:
        """The HTTP status."""

    @property
    def error(self) -> str | None:
        """A word for what went wrong."""

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, where it said so."""
