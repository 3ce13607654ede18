"""What a caller sends along to be scored: events or signals. It is used once, and never kept.

Events count as if the shop had received them when they occurred, beside those that it has. Signals
are taken as they are; one that is not sent is missing, and the score says ``degraded``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.clock import to_us
from churnguard.errors import DataError
from churnguard.events.mapping import preset
from churnguard.events.readers import Chunk
from churnguard.events.readers.chunks import numbered_from
from churnguard.events.readers.columns import table_of
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.timeline import Timeline
from churnguard.features.build import FeatureRows
from churnguard.features.catalogue import Catalogue
from churnguard.jobs.judging import judge
from churnguard.jobs.ports import Shop
from churnguard.scoring.score import Source


@dataclass(frozen=True)
class RawSent:
    """What was sent along about one customer, as it came: events in the native format, or signals.

    Attributes
    ----------
    customer_id : str
        Whom it is about.
    events : sequence of mapping or None
        Columns of the canonical table by name; they need not name the customer.
    features : mapping of str to float or None
        Signals by name; None is a signal that is known to be missing.
    """

    customer_id: str
    events: Sequence[Mapping[str, Any]] | None = None
    features: Mapping[str, float | None] | None = None


@dataclass(frozen=True)
class Sent:
    """The same, read: canonical events or else signals, of whom the id belongs to by now."""

    customer_id: str
    events: pa.Table | None = None
    features: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        """What the score is made of."""
        return "features" if self.events is None else "events"

    def is_complete(self, catalogue: Catalogue) -> bool:
        """Tell whether every signal was sent."""
        return len(self.features) == len(catalogue)


@dataclass(frozen=True)
class Refusal:
    """One thing sent along that cannot be used: where it stands, and why."""

    place: tuple[str | int, ...]
    why: str


class SentRefused(DataError):
    """Something that was sent along cannot be used.

    Parameters
    ----------
    refusals : sequence of Refusal
        Everything that cannot be used; places begin with the item's number.
    """

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        first = refusals[0]
        super().__init__(f"{'/'.join(map(str, first.place))}: {first.why}")
        self.refusals = refusals


def read_sent(
    shop: Shop, catalogue: Catalogue, items: Sequence[RawSent], owners: Mapping[str, str]
) -> list[Sent]:
    """Read what was sent along.

    Parameters
    ----------
    shop : Shop
        Its settings say how times without a zone are read, and the currency.
    catalogue : Catalogue
        The model's signals.
    items : sequence of RawSent
        As they came.
    owners : mapping of str to str
        Whose those ids are that turned out to be another customer's.

    Raises
    ------
    SentRefused
        If an event is no event, or the model has no such signal.
    """
    refused: list[Refusal] = []
    sent = []
    known = frozenset(catalogue.names)
    for number, item in enumerate(items):
        owner = owners.get(item.customer_id, item.customer_id)
        if item.events is None:
            features = item.features or {}
            sent.append(Sent(owner, features=features))
            refused += [
                Refusal((number, "features", name), "The model has no such signal.")
                for name in features
                if name not in known
            ]
        else:
            events, wrong = _read_events(shop, item, item.events, owner=owner)
            sent.append(Sent(owner, events))
            refused += [Refusal((number, "events", *one.place), one.why) for one in wrong]
    if refused:
        raise SentRefused(refused)
    return sent


def _read_events(
    shop: Shop, item: RawSent, rows: Sequence[Mapping[str, Any]], *, owner: str
) -> tuple[pa.Table, list[Refusal]]:
    """Return events as canonical ones, received when they occurred, and what is wrong with some."""
    foreign = [
        Refusal((number, "customer_id"), "The event is of another customer than its item.")
        for number, row in enumerate(rows)
        if row.get("customer_id", item.customer_id) not in (item.customer_id, owner)
    ]
    if foreign or not rows:
        return EVENT_SCHEMA.empty_table(), foreign
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    columns["customer_id"] = [owner] * len(rows)
    for name in ("event", "occurred_at"):
        columns.setdefault(name, [None] * len(rows))
    chunk = Chunk("body", numbered_from(1, len(rows)), table_of(columns, len(rows)))
    judged = judge(shop, chunk, preset("events"), "{}")
    refused = [Refusal((row.row_number - 1,), row.detail) for row in judged.rejected]
    return _received_at_once(judged.events), refused


def sent_rows(catalogue: Catalogue, items: Sequence[Sent], *, as_of: datetime) -> FeatureRows:
    """Return signals sent along as rows, one an item; what is missing is NaN."""
    values = np.array(
        [list(map(item.features.get, catalogue.names)) for item in items], dtype=np.float64
    )
    return FeatureRows(
        values,
        catalogue.names,
        np.array([item.customer_id for item in items], dtype=object),
        np.full(len(items), to_us(as_of), dtype=np.int64),
    )


def with_stored(shop: Shop, items: Sequence[Sent]) -> Timeline:
    """Return the events of different customers: those that the shop has, and those sent along.

    An event that the shop has already counts once, as the shop has it.
    """
    stored = shop.events.events_of([item.customer_id for item in items])
    sent = pa.concat_tables([item.events for item in items if item.events is not None])
    new = pc.invert(pc.is_in(sent["event_id"], stored["event_id"]))
    events = pa.concat_tables([stored, _once(sent.filter(new))]).unify_dictionaries()
    # In one piece, like the golden events: the compiled loops know no other yet.
    return Timeline.from_arrow(events.combine_chunks())


def rounds(items: Sequence[Sent]) -> list[list[int]]:
    """Return the places of items in rounds, in each of which a customer comes once.

    Examples
    --------
    >>> rounds([Sent("a"), Sent("b"), Sent("a")])
    [[0, 1], [2]]
    """
    made: list[list[int]] = []
    times: dict[str, int] = {}
    for place, item in enumerate(items):
        turn = times.get(item.customer_id, 0)
        times[item.customer_id] = turn + 1
        if turn == len(made):
            made.append([])
        made[turn].append(place)
    return made


def _received_at_once(events: pa.Table) -> pa.Table:
    place = events.schema.get_field_index("received_at")
    return events.set_column(place, EVENT_SCHEMA.field(place), events["occurred_at"])


def _once(events: pa.Table) -> pa.Table:
    """Return events with the first of each id."""
    first: dict[str, int] = {}
    for place, name in enumerate(events["event_id"].to_pylist()):
        first.setdefault(name, place)
    return events if len(first) == events.num_rows else events.take(list(first.values()))
