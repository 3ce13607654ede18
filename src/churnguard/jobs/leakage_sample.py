"""The events that a leakage check works on: all of a shop's, or all those of some of its customers.

Who is in the sample is decided by a digest of the customer's id alone, so the same shop gives the
same sample, and a customer is in it with every event or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.errors import NotEnoughHistory
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.jobs.ports import Progress, Shop
from churnguard.jobs.snapshots import known_events, not_to_be_profiled


@dataclass(frozen=True)
class Sample:
    """Some customers with every event that was known of them.

    Attributes
    ----------
    events : pyarrow.Table
        In ``EVENT_SCHEMA``.
    share : float
        Which share of customers was aimed at; 1.0 is everybody.
    customers_in_all, events_in_all : int
        What the shop has.
    """

    events: pa.Table
    share: float
    customers_in_all: int
    events_in_all: int

    @property
    def customers(self) -> int:
        """How many customers are in it."""
        return len(pc.unique(self.events["customer_id"]))

    @property
    def assumed_share(self) -> float:
        """Share of its events whose second clock was assumed."""
        assumed = pc.sum(pc.equal(self.events["clock"].cast(pa.string()), "assumed")).as_py()
        return float((assumed or 0) / max(self.events.num_rows, 1))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "share": self.share,
            "customers": self.customers,
            "customers_in_all": self.customers_in_all,
            "events": self.events.num_rows,
            "events_in_all": self.events_in_all,
        }


def take_sample(
    shop: Shop, *, known_before: datetime, most_events: int, progress: Progress
) -> Sample:
    """Read the events of as many customers as can be checked in reasonable time.

    Parameters
    ----------
    shop : Shop
        An opened project.
    known_before : datetime
        Only what was known before it.
    most_events : int
        About so many events are taken at most.
    progress : callable
        Told what is being done.

    Raises
    ------
    NotEnoughHistory
        If there is no event.
    """
    total = sum(shop.events.event_counts().values())
    share = min(1.0, most_events / total) if total else 1.0
    unwanted = pa.array(not_to_be_profiled(shop), pa.string())
    parts, customers, count = [EVENT_SCHEMA.empty_table()], 0, 0
    for done, part in enumerate(shop.events.partitions(), start=1):
        progress("reading events", done, None)
        events = known_events(part.select(EVENT_SCHEMA.names), known_before, unwanted)
        ids = pc.unique(events["customer_id"])
        customers, count = customers + len(ids), count + events.num_rows
        if share < 1:
            events = events.filter(pc.is_in(events["customer_id"], value_set=_chosen(ids, share)))
        parts.append(events.cast(EVENT_SCHEMA))
    if not count:
        raise NotEnoughHistory(
            f"Nothing was known before {known_before:%Y-%m-%d}.",
            hint="Bring in the shop's files with 'churnguard ingest', or choose a later instant.",
        )
    return Sample(pa.concat_tables(parts).unify_dictionaries(), share, customers, count)


def lot(customer_id: str) -> float:
    """Return a number between 0 and 1 that is always the same for a customer.

    Examples
    --------
    >>> 0 <= lot("C1") < 1, lot("C1") == lot("C2")
    (True, False)
    """
    drawn = blake2b(customer_id.encode(), digest_size=8, person=b"leakage").digest()
    return int.from_bytes(drawn) / 2**64


def events_digest(events: pa.Table) -> str:
    """Return a digest of what events say, whatever the order of rows and how they are stored.

    SHA-256 over, for each column in the order of the schema and rows by event id: which rows are
    empty, then the numbers as 64 bits, little end first, or the ends and the UTF-8 bytes of texts.

    Examples
    --------
    >>> from churnguard.events.schema import empty_events
    >>> events_digest(empty_events())[:14]
    'sha256:e3b0c44'
    """
    order = pc.sort_indices(events, sort_keys=[("event_id", "ascending")])
    digest = sha256()
    for field in EVENT_SCHEMA:
        column = events[field.name].take(order)
        digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.int64())
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            digest.update(pc.fill_null(column, 0).to_numpy().astype("<" + _NUMBER[field.name]))
            continue
        texts = pc.fill_null(column.cast(pa.large_string()), "").combine_chunks()
        ends = np.cumsum(pc.binary_length(texts).to_numpy(zero_copy_only=False))
        digest.update(ends.astype("<i8").tobytes())
        digest.update("".join(texts.to_pylist()).encode())
    return f"sha256:{digest.hexdigest()}"


_NUMBER = dict.fromkeys(("occurred_at", "received_at", "quantity"), "i8") | dict.fromkeys(
    ("value", "discount"), "f8"
)


def _chosen(ids: pa.Array, share: float) -> pa.Array:
    return pa.array([name for name in ids.to_pylist() if lot(name) < share], pa.string())
