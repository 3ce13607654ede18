"""Makes quarantined rows of rows that were found wanting: whole, so that they can be mended.

One thing is not kept: a value for which a row was set aside as personal data, because e-mail
addresses and phone numbers are to enter no store of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from churnguard.events.readers import BrokenRow, Chunk
from churnguard.events.readers.columns import text_of
from churnguard.events.validation import REASONS, REMOVED, Verdicts, holds_personal_data
from churnguard.jobs.ports import QuarantinedRow


def set_aside(chunk: Chunk, verdicts: Verdicts, recipe: str) -> list[QuarantinedRow]:
    """Return the rows of a chunk that may not become events, and its lines that are no rows."""
    places = np.flatnonzero(~verdicts.fine)
    rows = _plain(chunk.table.take(pa.array(places))).to_pylist()
    kept = []
    for place, values in zip(places, rows, strict=True):
        reason, detail = verdicts.reasons[verdicts.codes[place]]
        number = int(chunk.row_numbers[place])
        kept.append(quarantined(chunk.source, number, values, recipe, because=(reason, detail)))
    return kept + [_broken(chunk, row, recipe) for row in chunk.broken]


def quarantined(
    source: str, number: int, row: Mapping[str, Any], recipe: str, *, because: tuple[str, str]
) -> QuarantinedRow:
    """Return one row as it is kept, without the personal data for which it was set aside.

    Parameters
    ----------
    source, number : str, int
        Where it stood.
    row : mapping
        Its columns.
    recipe : str
        How it was read, as JSON.
    because : tuple of str
        The reason's code and sentence.
    """
    reason, detail = because
    if reason == "personal_data":
        row = {name: _masked(value) for name, value in row.items()}
    payload = orjson.dumps(row).decode()
    row_id = _row_id(source, number, payload)
    return QuarantinedRow(row_id, source, number, reason, detail, payload, recipe)


def unreadable(source: str, number: int, text: str, recipe: str, *, detail: str) -> QuarantinedRow:
    """Return what is no row at all as it is kept."""
    row = {"": _masked(text)}
    return quarantined(source, number, row, recipe, because=("broken_row", detail))


def _broken(chunk: Chunk, row: BrokenRow, recipe: str) -> QuarantinedRow:
    detail = row.detail or REASONS["broken_row"]
    return unreadable(chunk.source, row.row_number, row.text, recipe, detail=detail)


def _row_id(source: str, number: int, payload: str) -> str:
    """Name a row after where it stands and what it says."""
    return blake2b(f"{source}\n{number}\n{payload}".encode(), digest_size=12).hexdigest()


def _plain(table: pa.Table) -> pa.Table:
    """Return rows with what JSON cannot hold as text, so that it is read again as the same."""
    for place, item in enumerate(table.schema):
        kind = item.type
        if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
            table = table.set_column(place, item.name, table.column(place).cast(pa.string()))
        elif pa.types.is_nested(kind) or pa.types.is_binary(kind):
            values = [text_of(value) for value in table.column(place).to_pylist()]
            table = table.set_column(place, item.name, pa.array(values, pa.string()))
    return table


def _masked(value: Any) -> Any:
    text = pa.array([text_of(value)], pa.string())
    return REMOVED if holds_personal_data(text, phones=True)[0] else value
