"""What the Parquet history has to follow: people who were erased, and ids that were merged.

It is noted in the store in the transaction that changes the log, so it cannot be forgotten, and
carried out on the files before they are read again; see :mod:`churnguard.store.history`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from churnguard.store.digests import bucket_of, customer_key
from churnguard.store.history_files import Part
from churnguard.store.tables import meta

_PENDING = meta.c.name == "history_pending"

Changes = Sequence[tuple[str, str | None]]
"""Customers who have another id now, or None: who are gone; in the order in which it happened."""


def note_changes(connection: sa.Connection, mapping: Mapping[str, str | None]) -> None:
    """Note, in the transaction that changes the log, what the files have to follow.

    Parameters
    ----------
    mapping : mapping of str to str or None
        The customer's new id, or None where all events of the customer are gone.
    """
    _note(connection, [*pending(connection), *mapping.items()])


def pending(connection: sa.Connection) -> list[tuple[str, str | None]]:
    """Return the changes that the files have not followed yet."""
    found = connection.execute(sa.select(meta.c.value).where(_PENDING)).scalar()
    return [] if found is None else [(old, new) for old, new in orjson.loads(found)]


def forget(connection: sa.Connection, changes: Changes) -> None:
    """Take the oldest changes, which were carried out, off the note."""
    left = pending(connection)[len(changes) :]
    connection.execute(sa.delete(meta).where(_PENDING))
    if left:
        _note(connection, left)


def _note(connection: sa.Connection, changes: Changes) -> None:
    text = orjson.dumps(changes).decode()
    connection.execute(sa.delete(meta).where(_PENDING))
    connection.execute(sa.insert(meta).values(name="history_pending", value=text))


def final(changes: Changes) -> dict[str, str | None]:
    """Return what each customer became in the end, following the changes in their order.

    Examples
    --------
    >>> final([("a", "b"), ("b", None)])
    {'a': None, 'b': None}
    >>> final([("b", None), ("a", "b")])
    {'b': None, 'a': 'b'}
    """
    found: dict[str, str | None] = {}
    for old, new in changes:
        found |= {name: new for name, now in found.items() if now == old}
        found[old] = new
    return found


def concerns(part: Part, final: Mapping[str, str | None]) -> bool:
    """Tell whether a file has events of somebody who changed."""
    names = [name for name in final if bucket_of(customer_key(name)) == part.bucket]
    if not names:
        return False
    column = pq.read_table(part.path, partitioning=None, columns=["customer_id"])["customer_id"]
    return bool(pc.any(pc.is_in(column, value_set=pa.array(names))).as_py())


def renamed(events: pa.Table, final: Mapping[str, str | None]) -> Iterator[tuple[int, pa.Table]]:
    """Yield the events of customers with a new id, with the bucket where they belong now."""
    place = events.schema.get_field_index("customer_id")
    for old, new in final.items():
        mine = events.filter(pc.equal(events["customer_id"], old))
        if new is not None and mine.num_rows:
            names = pa.array([new] * mine.num_rows, pa.string())
            field = events.schema.field("customer_id")
            yield bucket_of(customer_key(new)), mine.set_column(place, field, names)
