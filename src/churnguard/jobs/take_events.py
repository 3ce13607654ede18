"""Takes events that requests bring: the door beside ``ingest``, with the same judge behind it.

A request is judged by itself and stored together with others, so it comes in two halves: an
:class:`Offer` before the store was asked, a :class:`Receipt` after it has answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from churnguard.clock import to_us
from churnguard.events.batch_look import BatchLook
from churnguard.events.formats import Item
from churnguard.events.mapping import NUMBERS, preset
from churnguard.events.quick_look import EventRow, QuickLook
from churnguard.events.readers import Chunk
from churnguard.events.readers.columns import text_of
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.validation import ERASED_CUSTOMER, REASONS, judge_ids
from churnguard.jobs.judging import judge
from churnguard.jobs.ports import (
    GONE,
    KNOWN,
    LINKED,
    EventBatch,
    Link,
    QuarantinedRow,
    Shop,
    Taken,
)
from churnguard.jobs.set_aside import quarantined, unreadable
from churnguard.store.event_rows import keyed_rows, to_values
from churnguard.store.records import ACCEPTED, CONFLICT, DUPLICATE, ERASED

SOURCE = "POST /v1/events"
"""What quarantined rows of requests name as their source."""

STAMPED = orjson.dumps({"kind": "events", "preset": "events", "clock": "server"}).decode()
ASSUMED = orjson.dumps({"kind": "events", "preset": "events"}).decode()
"""How rows of requests are read again: stamped by our clock, or with an assumed one."""

STATUSES = ("accepted", "duplicate", "conflict", "quarantined", "linked", "ignored")
"""What may become of a message."""

_WORST_FIRST = ("quarantined", "conflict", "accepted", "duplicate")
_OF_EVENTS = {
    ACCEPTED: "accepted",
    DUPLICATE: "duplicate",
    CONFLICT: "conflict",
    ERASED: "quarantined",
}
_BECAUSE = {
    "conflict": {"reason": "other_payload", "detail": "The id is known with another content."},
    "quarantined": {"reason": ERASED_CUSTOMER, "detail": REASONS[ERASED_CUSTOMER]},
}
_OF_EVENTS_TOLD = {
    outcome: {"status": status, **_BECAUSE.get(status, {})}
    for outcome, status in _OF_EVENTS.items()
}
_OF_LINKS = {LINKED: "linked", KNOWN: "duplicate"}
_CLOCKS = frozenset({"received_at", "clock"})
_COLUMNS = frozenset(EVENT_SCHEMA.names)
_MANY = 8  # messages from which on columns are looked at faster than rows
_NEEDED = ("customer_id", "event", "occurred_at")


@dataclass
class _Fate:
    """What became of one row of a message: its event, or the row of the quarantine."""

    message: int
    event: tuple[Any, ...] | None = None
    rejected: QuarantinedRow | None = None


@dataclass(frozen=True)
class Receipt:
    """What became of a request's messages; the counts of the statuses add up to ``rows``.

    Attributes
    ----------
    results : list of dict
        Message by message ``index``, ``event_id``, ``status``, and where something is wrong
        ``reason``, ``detail`` and the ``row_id`` of its row in quarantine.
    ignored_fields : tuple of str
        Fields of messages that nothing is done with.
    """

    results: list[dict[str, Any]]
    ignored_fields: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the receipt as JSON-ready values, in the words of ``churnguard ingest``."""
        counts = Counter(result["status"] for result in self.results)
        reasons = Counter(
            result["reason"] for result in self.results if result["status"] == "quarantined"
        )
        return {
            "rows": len(self.results),
            "accepted": counts["accepted"],
            "duplicates": counts["duplicate"],
            "conflicts": counts["conflict"],
            "quarantined": counts["quarantined"],
            "linked": counts["linked"],
            "ignored": counts["ignored"],
            "reasons": dict(sorted(reasons.items())),
            "ignored_fields": list(self.ignored_fields),
            "results": self.results,
        }


@dataclass(frozen=True)
class Offer:
    """One request, judged: what the store is to be asked, and how its answer is told.

    Attributes
    ----------
    batch : EventBatch
        For :meth:`churnguard.jobs.ports.EventStore.take`.
    """

    batch: EventBatch
    _messages: int
    _fates: Sequence[_Fate] | None  # None: each message is the one event at its place
    _links: Mapping[int, int]
    _ignored: Mapping[int, str]
    _fields: tuple[str, ...] = field(default=())

    @property
    def is_sound(self) -> bool:
        """Whether nothing of it has to go into quarantine."""
        return not self.batch.rejected

    def receipt(self, taken: Taken | None = None) -> Receipt:
        """Return what became of each message; before it was stored, only what is wrong."""
        if self._fates is None:
            return Receipt(self._plain_results(taken), self._fields)
        results: list[dict[str, Any]] = [{"index": at} for at in range(self._messages)]
        found: list[list[tuple[str, _Fate]]] = [[] for _ in results]
        outcomes = iter(taken.outcomes if taken else ())
        for fate in self._fates:
            if fate.rejected is not None:
                status = "quarantined"
            else:
                status = _OF_EVENTS[next(outcomes)] if taken else "accepted"
            found[fate.message].append((status, fate))
        for result, fates in zip(results, found, strict=True):
            if fates:
                result.update(_result(fates))
        for message, place in self._links.items():
            results[message] |= _link_result(taken.links[place] if taken else LINKED)
        for message, code in self._ignored.items():
            results[message] |= {"event_id": None, "status": "ignored", "reason": code}
        return Receipt(results, self._fields)

    def _plain_results(self, taken: Taken | None) -> list[dict[str, Any]]:
        outcomes = taken.outcomes if taken else [ACCEPTED] * self._messages
        return [
            {"index": at, "event_id": event[0], **_OF_EVENTS_TOLD[outcome]}
            for at, (event, outcome) in enumerate(zip(self.batch.rows, outcomes, strict=True))
        ]


def offer_events(
    shop: Shop, items: Sequence[Item], *, backfill: bool = False, whole: bool = False
) -> Offer:
    """Judge the messages of one request.

    Parameters
    ----------
    shop : Shop
        Whose events they are.
    items : sequence of Item
        The messages, read by their format.
    backfill : bool
        The messages tell of the past: when they were known is what they say themselves, or else the
        setting ``known_lag_seconds`` after they occurred. Otherwise they were known now.
    whole : bool
        Store all of it or nothing.

    Returns
    -------
    Offer
    """
    now = to_us(shop.clock())
    received = None if backfill else now
    plain = _look_at_all(shop, items, received)
    if plain is not None:
        batch = EventBatch(rows=plain, keyed=keyed_rows(plain), whole=whole, at=now)
        return Offer(batch, len(items), None, {}, {}, _unused(items, backfill=backfill))
    fates = _judge(shop, items, received)
    links, refused = _read_links(items, ASSUMED if backfill else STAMPED)
    for message, row in refused.items():
        fates.append(_Fate(message, rejected=row))
    fates.sort(key=lambda fate: fate.message)
    rows = [fate.event for fate in fates if fate.event is not None]
    batch = EventBatch(
        rows=rows,
        keyed=keyed_rows(rows),
        rejected=[fate.rejected for fate in fates if fate.rejected is not None],
        links=[link for _, link in links],
        whole=whole,
        at=now,
    )
    return Offer(
        batch,
        len(items),
        fates,
        {message: place for place, (message, _) in enumerate(links)},
        {at: item.ignored for at, item in enumerate(items) if item.ignored},
        _unused(items, backfill=backfill),
    )


def _look_at_all(shop: Shop, items: Sequence[Item], received: int | None) -> list[EventRow] | None:
    """Return the one event of each message, if all of them plainly are one."""
    rows = [item.rows[0] for item in items if len(item.rows) == 1]
    if len(rows) < max(len(items), _MANY):
        return None
    settings = shop.settings
    lag = round(settings.known_lag_seconds * 1_000_000)
    look = BatchLook(shop.clock(), settings.currency, received=received, lag_us=lag)
    return look(rows)


def _judge(shop: Shop, items: Sequence[Item], received: int | None) -> list[_Fate]:
    """Look at each row; judge in full what a look does not settle."""
    settings = shop.settings
    lag = round(settings.known_lag_seconds * 1_000_000)
    look = QuickLook(shop.clock(), settings.currency, received=received, lag_us=lag)
    fates: list[_Fate] = []
    doubtful: list[tuple[_Fate, dict[str, Any]]] = []
    recipe = ASSUMED if received is None else STAMPED
    for at, item in enumerate(items):
        if item.broken:
            text = text_of(item.text) or ""
            row = unreadable(SOURCE, 0, text, recipe, detail=item.broken)
            fates.append(_Fate(at, rejected=row))
        for values in item.rows:
            fates.append(fate := _Fate(at, look(values)))
            if fate.event is None:
                doubtful.append((fate, values))
    if doubtful:
        _judge_in_full(shop, doubtful, recipe, received)
    return fates


def _judge_in_full(
    shop: Shop, doubtful: Sequence[tuple[_Fate, dict[str, Any]]], recipe: str, received: int | None
) -> None:
    rows = [row for _, row in doubtful]
    chunk = Chunk(SOURCE, np.zeros(len(rows), np.int64), table_of_messages(rows))
    judged = judge(shop, chunk, preset("events"), recipe, received=received)
    events = iter(to_values(judged.events))
    verdicts = judged.verdicts
    for (fate, row), code in zip(doubtful, verdicts.codes, strict=True):
        if code == 0:
            fate.event = next(events)
        else:
            fate.rejected = quarantined(
                SOURCE, 0, _kept(row), recipe, because=verdicts.reasons[code]
            )


def table_of_messages(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return messages' canonical columns, each value read as it would be alone.

    Examples
    --------
    >>> table_of_messages([{"value": 1}, {"value": "2"}])["value"].to_pylist()
    ['1', '2']
    """
    columns = {name: [row.get(name) for row in rows] for name in EVENT_SCHEMA.names}
    return pa.table({name: _column(name, values) for name, values in columns.items()})


def _column(name: str, values: Sequence[Any]) -> pa.Array:
    if name in NUMBERS and all(type(value) in (int, float, type(None)) for value in values):
        return pa.array([None if value is None else value + 0.0 for value in values], pa.float64())
    return pa.array([text_of(value) for value in values], pa.string())


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message as it is kept: what it says, and what it should have said."""
    said = {name: value for name, value in row.items() if value is not None}
    return dict.fromkeys(_NEEDED) | said


def _read_links(
    items: Sequence[Item], recipe: str
) -> tuple[list[tuple[int, Link]], dict[int, QuarantinedRow]]:
    """Return the links that messages state, by message, and those whose ids cannot be used."""
    said = [(at, item.link) for at, item in enumerate(items) if item.link is not None]
    if not said:
        return [], {}
    ids = [name for _, link in said for name in link]
    verdicts = judge_ids(pa.array(ids, pa.string()))
    links, refused = [], {}
    for number, (at, (alias, customer)) in enumerate(said):
        code = int(max(verdicts.codes[2 * number : 2 * number + 2]))
        if code == 0:
            links.append((at, Link(alias, customer)))
            continue
        text = orjson.dumps({"alias_id": alias, "customer_id": customer}).decode()
        detail = verdicts.reasons[code][1]
        refused[at] = unreadable(SOURCE, 0, text, recipe, detail=detail)
    return links, refused


def _unused(items: Sequence[Item], *, backfill: bool) -> tuple[str, ...]:
    used = _COLUMNS if backfill else _COLUMNS - _CLOCKS
    named: set[str] = set().union(*(row for item in items for row in item.rows))
    return tuple(sorted(named - used))


def _result(fates: Sequence[tuple[str, _Fate]]) -> dict[str, Any]:
    """Return what became of one message: the worst that became of its rows."""
    main = fates[0][1]
    said = main.event[0] if main.event is not None else None
    worst, fate = min(fates, key=lambda each: _WORST_FIRST.index(each[0]))
    result: dict[str, Any] = {"event_id": said, "status": worst}
    if fate.rejected is not None:
        row = fate.rejected
        return result | {"reason": row.reason, "detail": row.detail, "row_id": row.row_id}
    return result | _BECAUSE.get(worst, {})


def _link_result(outcome: int) -> dict[str, Any]:
    if outcome in _OF_LINKS:
        return {"event_id": None, "status": _OF_LINKS[outcome]}
    if outcome == GONE:
        return {"event_id": None, "status": "quarantined", **_BECAUSE["quarantined"]}
    detail = "The id belongs to another customer already; nothing was merged."
    return {
        "event_id": None,
        "status": "conflict",
        "reason": "linked_elsewhere",
        "detail": detail,
    }
