"""The real store of the risk watch: its place in the log, standings, and score changes.

Moves are compared with what stands in the same transaction that makes them, so two watchers (the
night's and the day's) never tell of one move twice; messages are put into the outbox with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.store.bulk import insert_sql
from churnguard.store.database import reading, writing
from churnguard.store.outbox import put_messages
from churnguard.store.service_records import Message, Move, Position, ScoreChange, Standing
from churnguard.store.service_tables import restriction, score_change, standing
from churnguard.store.tables import customer, event, meta
from churnguard.store.tombstones import Tombstones

_LOOKUP = 500
_PLACE, _EPOCH = "watch_position", "log_epoch"
_STANDING = ("customer_id", "as_of", "band", "margin", "bundle", "frozen", "document")
_CHANGE = (
    "customer_id", "from_at", "to_at", "from_margin", "to_margin", "behaviour", "time_passing",
    "late_data", "model_change", "document",
)  # fmt: skip


class SqlWatchStore:
    """Standings and score changes.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    tombstones : Tombstones, optional
        Erased people: what is computed of them in the same moment is not kept.
    """

    def __init__(self, engine: sa.Engine, *, tombstones: Tombstones | None = None) -> None:
        self._engine = engine
        self._tombstones = tombstones or Tombstones()

    def position(self) -> Position | None:
        """Return how far the watch has got; None before its first look."""
        with reading(self._engine) as connection:
            return _position(connection)

    def newest(self) -> Position:
        """Return the end of the log."""
        with reading(self._engine) as connection:
            last = connection.execute(sa.select(sa.func.max(event.c.seq))).scalar()
            return Position(int(last or 0), int(_meta(connection, _EPOCH) or 0))

    def touched(self, after: int, *, events: int) -> tuple[list[str], int]:
        """Return whom the next so many events of the log are about, and the last one's number."""
        query = (
            sa.select(event.c.seq, event.c.customer_id)
            .where(event.c.seq > after)
            .order_by(event.c.seq)
            .limit(events)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return list(dict.fromkeys(row.customer_id for row in rows)), rows[-1].seq if rows else after

    def standings(self, customer_ids: Sequence[str]) -> Mapping[str, Standing]:
        """Return the live standing of those customers who have one."""
        with reading(self._engine) as connection:
            return _standings(connection, customer_ids)

    def save(
        self, moves: Sequence[Move], *, seen: tuple[Position | None, Position] | None = None
    ) -> int:
        """Store moves, with their messages, in one transaction; return how many were made."""
        with writing(self._engine) as connection:
            if seen is not None and _position(connection) != seen[0]:
                return -1
            names = [move.customer_id for move in moves]
            gone = self._tombstones.among(connection, names)
            moves = [move for move in moves if move.customer_id not in gone]
            stands = _standings(connection, names)
            made = [move for move in moves if _fits(move, stands.get(move.customer_id))]
            _take(connection, [move.before for move in made if move.before is not None])
            kept = [one for move in made for one in (move.frozen, move.after) if one is not None]
            self._insert(connection, standing, _STANDING, [_standing_row(one) for one in kept])
            changes = [move.change for move in made if move.change is not None]
            self._insert(connection, score_change, _CHANGE, [_change_row(one) for one in changes])
            messages: list[Message] = [one for move in made for one in move.messages]
            put_messages(connection, messages)
            if seen is not None:
                _put_meta(connection, _PLACE, orjson.dumps(vars(seen[1])).decode())
        return len(made)

    def _insert(
        self,
        connection: sa.Connection,
        table: sa.Table,
        columns: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
    ) -> None:
        if rows:
            connection.exec_driver_sql(insert_sql(table, columns, self._engine), list(rows))

    def changes(
        self, customer_id: str, *, limit: int = 50, before: int | None = None
    ) -> list[tuple[int, ScoreChange]]:
        """Return a customer's moves with their numbers, newest first."""
        query = sa.select(score_change).where(score_change.c.customer_id == customer_id)
        if before is not None:
            query = query.where(score_change.c.seq < before)
        query = query.order_by(score_change.c.seq.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [(row["seq"], _change(row)) for row in connection.execute(query).mappings()]

    def frozen(self, customer_id: str, *, limit: int = 50) -> list[Standing]:
        """Return a customer's standings whose outcome is known, newest first."""
        mine = sa.and_(standing.c.customer_id == customer_id, standing.c.frozen == 1)
        query = sa.select(standing).where(mine).order_by(standing.c.as_of.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_standing(row) for row in connection.execute(query).mappings()]

    def restricted(self, customer_ids: Sequence[str]) -> frozenset[str]:
        """Return those who object to profiling, or whose data may not be used."""
        found: set[str] = set()
        with reading(self._engine) as connection:
            for some in _chunks(customer_ids):
                asked = restriction.c.customer_id.in_(some)
                found |= set(
                    connection.execute(sa.select(restriction.c.customer_id).where(asked)).scalars()
                )
                told = sa.or_(customer.c.opt_out_profiling == 1, customer.c.exclude == 1)
                book = sa.select(customer.c.customer_id).where(
                    customer.c.customer_id.in_(some), told
                )
                found |= set(connection.execute(book).scalars())
        return frozenset(found)

    def prune(self, before: datetime) -> int:
        """Forget moves and frozen standings from before an instant; return how many."""
        old = to_us(before)
        with writing(self._engine) as connection:
            moves = connection.execute(sa.delete(score_change).where(score_change.c.to_at < old))
            known = sa.and_(standing.c.frozen == 1, standing.c.as_of < old)
            return moves.rowcount + connection.execute(sa.delete(standing).where(known)).rowcount


def _fits(move: Move, stands: Standing | None) -> bool:
    """Tell whether a customer still stands where the move begins."""
    if move.before is None or stands is None:
        return move.before is stands
    return move.before.as_of == stands.as_of


def _take(connection: sa.Connection, standings: Sequence[Standing]) -> None:
    """Take live standings away, to be replaced."""
    for some in _chunks([one.customer_id for one in standings]):
        mine = sa.and_(standing.c.customer_id.in_(some), standing.c.frozen == 0)
        connection.execute(sa.delete(standing).where(mine))


def _standings(connection: sa.Connection, customer_ids: Sequence[str]) -> dict[str, Standing]:
    found = {}
    for some in _chunks(customer_ids):
        mine = sa.and_(standing.c.customer_id.in_(some), standing.c.frozen == 0)
        for row in connection.execute(sa.select(standing).where(mine)).mappings():
            found[row["customer_id"]] = _standing(row)
    return found


def _chunks(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[at : at + _LOOKUP] for at in range(0, len(values), _LOOKUP)]


def _position(connection: sa.Connection) -> Position | None:
    found = _meta(connection, _PLACE)
    return None if found is None else Position(**orjson.loads(found))


def _meta(connection: sa.Connection, name: str) -> str | None:
    found: str | None = connection.execute(
        sa.select(meta.c.value).where(meta.c.name == name)
    ).scalar()
    return found


def _put_meta(connection: sa.Connection, name: str, value: str) -> None:
    change = sa.update(meta).where(meta.c.name == name).values(value=value)
    if connection.execute(change).rowcount == 0:
        connection.execute(sa.insert(meta).values(name=name, value=value))


def _standing_row(one: Standing) -> tuple[Any, ...]:
    document = orjson.dumps(one.document).decode()
    at = to_us(one.as_of)
    return (one.customer_id, at, one.band, one.margin, one.bundle, int(one.frozen), document)


def _standing(row: Mapping[Any, Any]) -> Standing:
    return Standing(
        customer_id=row["customer_id"],
        as_of=from_us(row["as_of"]),
        band=row["band"],
        margin=row["margin"],
        bundle=row["bundle"],
        document=orjson.loads(row["document"]),
        frozen=bool(row["frozen"]),
    )


def _change_row(one: ScoreChange) -> tuple[Any, ...]:
    values = vars(one) | {
        "from_at": to_us(one.from_at),
        "to_at": to_us(one.to_at),
        "document": orjson.dumps(one.document).decode(),
    }
    return tuple(values[name] for name in _CHANGE)


def _change(row: Mapping[Any, Any]) -> ScoreChange:
    values = {name: row[name] for name in _CHANGE}
    instants = {name: from_us(row[name]) for name in ("from_at", "to_at")}
    return ScoreChange(**values | instants | {"document": orjson.loads(row["document"])})
