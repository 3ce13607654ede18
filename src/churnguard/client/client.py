"""The client itself: one method for each thing that a caller wants of the service."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from churnguard.client.answers import (
    Endpoint,
    Outcome,
    Score,
    ScoreChange,
    SentEvents,
    instant,
    known,
)
from churnguard.client.retries import Retries
from churnguard.client.transport import HttpTransport, Request, Transport

MOST_SCORES = 1000
MOST_EVENTS = 500
T = TypeVar("T")


class Client:
    """Ask a ChurnGuard service; safe to be shared by threads.

    Every request is sent again when it may help, and takes effect once: what reads is repeated as
    it is, events have ids, and other writes carry an ``Idempotency-Key`` that stays the same.

    Parameters
    ----------
    base_url : str
        Such as ``https://churn.example.com``.
    key : str
        An API key, ``cg_live_...``.
    timeout : float
        Seconds to wait for a connection, and for each part of an answer.
    retries : Retries, optional
        How patient to be.
    transport : Transport, optional
        What carries requests; HTTP to ``base_url`` if left out.

    Examples
    --------
    >>> from churnguard.testing import build_score, fake_service
    >>> client = fake_service([build_score("C1"), build_score("C2", churn_risk=0.4, band="medium")])
    >>> client.score("C1").band
    'high'
    >>> [score.customer_id for score in client.at_risk(band="medium")]
    ['C2']
    >>> client.score("nobody")
    Traceback (most recent call last):
    churnguard.client.failures.NotFound: There is no customer with this id.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeout: float = 10.0,
        retries: Retries | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._transport = transport or HttpTransport(base_url, timeout=timeout)
        self._retries = retries or Retries()
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "User-Agent": "churnguard-client",
        }

    def score(
        self, customer_id: str, *, explain: bool = False, as_of: datetime | None = None
    ) -> Score:
        """Score one customer.

        Parameters
        ----------
        customer_id : str
            The shop's own id.
        explain : bool
            With the reasons behind the number.
        as_of : datetime, optional
            Look back from this instant; now if left out.

        Raises
        ------
        NotFound
            If the shop has no such customer.
        """
        query = {"explain": explain or None, "as_of": _iso(as_of)}
        told = self._ask("GET", f"/v1/customers/{_quoted(customer_id)}/score", query)
        return Score.of(told)

    def scores(
        self,
        items: Iterable[str | Mapping[str, Any]],
        *,
        explain: bool = False,
        as_of: datetime | None = None,
    ) -> Iterator[Score]:
        """Score many customers, in the order given; an unknown one has status ``unknown``.

        Parameters
        ----------
        items : iterable of str or mapping
            Ids, or items with ``customer_id`` and ``events`` or ``features``. They are sent in
            batches of up to 1,000 as the iterator is read.
        explain : bool
            With reasons.
        as_of : datetime, optional
            Look back from this instant; now if left out.

        Examples
        --------
        >>> from churnguard.testing import build_score, fake_service
        >>> client = fake_service([build_score("C1")])
        >>> [score.status for score in client.scores(["C1", "nobody"])]
        ['scored', 'unknown']
        """
        for batch in _batches(items, MOST_SCORES):
            asked = [{"customer_id": one} if isinstance(one, str) else one for one in batch]
            body = {"items": asked, "explain": explain, "as_of": _iso(as_of)}
            told = self._ask("POST", "/v1/scores", body={k: v for k, v in body.items() if v})
            yield from (Score.of(one) for one in told["scores"])

    def at_risk(self, *, page_size: int = 200, **filters: str | float | None) -> Iterator[Score]:
        """Iterate the at-risk list of the newest batch, most worthwhile first.

        Parameters
        ----------
        page_size : int
            How many are fetched at a time.
        **filters
            ``band``, ``min_risk``, ``segment``, ``action``, ``min_value``, ``group``, ``outcome``,
            ``sort``, as the API has them.
        """
        for page in self._pages("/v1/at-risk", {**filters, "page_size": page_size}):
            yield from (Score.of(one) for one in page["scores"])

    def history(self, customer_id: str, *, page_size: int = 200) -> Iterator[ScoreChange]:
        """Iterate the moves of a customer's score, and what moved it."""
        path = f"/v1/customers/{_quoted(customer_id)}/history"
        for page in self._pages(path, {"page_size": page_size}):
            yield from (ScoreChange(one) for one in page["changes"])

    def profile(self, customer_id: str) -> Mapping[str, Any]:
        """Return what the customer book says of a customer, and how much the log holds."""
        return self._ask("GET", f"/v1/customers/{_quoted(customer_id)}")

    def timeline(self, customer_id: str, *, page_size: int = 200) -> Iterator[Mapping[str, Any]]:
        """Iterate a customer's events, the newest first."""
        path = f"/v1/customers/{_quoted(customer_id)}/timeline"
        for page in self._pages(path, {"page_size": page_size}):
            yield from page["events"]

    def send_events(
        self, events: Iterable[Mapping[str, Any]], *, batch_size: int = MOST_EVENTS
    ) -> SentEvents:
        """Send events; when this returns they are on the service's disk.

        Sending them again changes nothing, if each has its own ``event_id``.

        Parameters
        ----------
        events : iterable of mapping
            Native, Segment's or CloudEvents', one kind at a time.
        batch_size : int
            How many go into one request.

        Returns
        -------
        SentEvents
            What became of each, over all requests.
        """
        sent = SentEvents()
        for batch in _batches(events, batch_size):
            sent = sent.plus(self._ask("POST", "/v1/events", body={"events": batch}))
        return sent

    def report_outcome(
        self, decision_id: str, outcome: str, *, note: str = "", idempotency_key: str | None = None
    ) -> Outcome:
        """Report what became of a suggested action.

        Parameters
        ----------
        decision_id : str
            ``action.decision_id`` of a score.
        outcome : str
            ``contacted``, ``converted``, ``dismissed``, ``snoozed`` or ``reopened``.
        note : str
            A free word to the record.
        idempotency_key : str, optional
            Names this report, so that it counts once even if the program is started again; a new
            one if left out.

        Examples
        --------
        >>> from churnguard.testing import build_score, fake_service
        >>> client = fake_service([build_score("C1")])
        >>> client.report_outcome("d-C1", "contacted").customer_id
        'C1'
        """
        told = self._write(
            "POST",
            f"/v1/actions/{_quoted(decision_id)}/outcome",
            {"outcome": outcome, "note": note},
            idempotency_key,
        )
        return known(Outcome, told, at=instant(told["at"]))

    def model(self) -> Mapping[str, Any]:
        """Return the model card of the champion."""
        return self._ask("GET", "/v1/model")

    def webhooks(self) -> list[Endpoint]:
        """Return the webhook endpoints, without their secrets."""
        return [_endpoint(one) for one in self._ask("GET", "/v1/webhooks")["webhooks"]]

    def create_webhook(
        self,
        url: str,
        events: Sequence[str],
        *,
        description: str = "",
        idempotency_key: str | None = None,
    ) -> Endpoint:
        """Make a webhook endpoint; its ``secret`` is told this once."""
        body = {"url": url, "events": list(events), "description": description}
        return _endpoint(self._write("POST", "/v1/webhooks", body, idempotency_key))

    def remove_webhook(self, webhook_id: str) -> None:
        """Remove a webhook endpoint."""
        self._ask("DELETE", f"/v1/webhooks/{_quoted(webhook_id)}")

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while token != "":
            page = self._ask("GET", path, {**query, "page_token": token})
            yield page
            token = str(page["next_page_token"])

    def _write(
        self, method: str, path: str, body: Mapping[str, Any], key: str | None
    ) -> dict[str, Any]:
        named = {"Idempotency-Key": f'"{key or uuid.uuid4()}"'}
        return self._ask(method, path, body=body, headers=named)

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        asked = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        sent = {**self._headers, **(headers or {})}
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
            sent["Content-Type"] = "application/json"
        whole = f"{path}?{urlencode(asked)}" if asked else path
        reply = self._retries.send(self._transport, Request(method, whole, sent, content))
        told: dict[str, Any] = json.loads(reply.body)
        return told


def _endpoint(told: Mapping[str, Any]) -> Endpoint:
    return known(Endpoint, told, events=tuple(told["events"]))


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _iso(at: datetime | None) -> str | None:
    if at is not None and at.tzinfo is None:
        raise ValueError("as_of needs a time zone, such as datetime(2026, 11, 21, tzinfo=UTC)")
    return None if at is None else at.isoformat()


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
