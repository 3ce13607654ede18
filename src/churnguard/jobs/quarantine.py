"""The quarantine: what is in it, and reading rows again after the cause has been mended.

A row is read again as it was read the first time, or with another mapping, or with values that
somebody corrected. What is accepted (or turns out to be known already) leaves the quarantine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from churnguard.clock import to_us
from churnguard.errors import SchemaError
from churnguard.events.mapping import Mapping, mapping_of, preset, read_mapping
from churnguard.events.readers import BrokenRow, Chunk
from churnguard.events.readers.columns import table_of
from churnguard.jobs.ingest import take_in
from churnguard.jobs.ingest_report import IngestReport
from churnguard.jobs.ports import Progress, QuarantinedRow, Shop


def list_quarantine(
    shop: Shop, *, reason: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return what is in quarantine, as JSON-ready values.

    Parameters
    ----------
    shop : Shop
        Whose quarantine.
    reason : str, optional
        Only rows with this reason are returned.
    limit : int, optional
        At most so many rows; the counts are always of all.

    Returns
    -------
    dict
        ``counts``: rows by reason. ``rows``: oldest first, each with ``row_id``, ``source``,
        ``row_number``, ``reason``, ``detail`` and ``payload``, the row's columns.
    """
    rows = shop.events.quarantined(reason=reason, limit=limit)
    return {
        "counts": dict(shop.events.quarantine_counts()),
        "rows": [readable(row) for row in rows],
    }


def readable(row: QuarantinedRow) -> dict[str, Any]:
    """Return a row for people and programs: its payload as values, not how it is kept."""
    shown = {name: value for name, value in vars(row).items() if name not in ("recipe", "place")}
    return shown | {"payload": orjson.loads(row.payload)}


def replay(
    shop: Shop,
    *,
    reason: str | None = None,
    mapping: Path | None = None,
    edits: MappingOf[str, MappingOf[str, Any]] | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Read quarantined rows again; those that are accepted or known leave the quarantine.

    Parameters
    ----------
    shop : Shop
        Whose quarantine.
    reason : str, optional
        Only rows with this reason.
    mapping : Path, optional
        Read them by this mapping instead of the one by which they came.
    edits : mapping of row id to mapping of column to value, optional
        Columns that somebody corrected; only rows named here are read then.
    progress : callable, optional
        As for :func:`churnguard.jobs.ingest.ingest`.

    Returns
    -------
    IngestReport
        One entry a source. Rows still found wanting stay as they are, and count as quarantined; so
        do lines that are no rows, unless ``edits`` says their columns.
    """
    rows = shop.events.quarantined(reason=reason, row_ids=None if edits is None else list(edits))
    own = None if mapping is None else read_mapping(mapping)
    batches: dict[tuple[str, str], list[QuarantinedRow]] = defaultdict(list)
    for row in rows:
        batches[row.recipe, row.source].append(row)
    reports = []
    for (recipe, source), batch in batches.items():
        how = own or read_recipe(recipe)
        chunk, names = _chunk(source, batch, edits or {})
        reports.append(
            take_in(
                shop,
                [chunk],
                how,
                recipe=recipe,
                name=source,
                progress=progress,
                mends=[names],
                received=to_us(shop.clock()) if is_stamped(recipe) else None,
            )
        )
    return IngestReport(tuple(reports))


def _chunk(
    source: str, rows: Sequence[QuarantinedRow], edits: MappingOf[str, MappingOf[str, Any]]
) -> tuple[Chunk, list[str]]:
    """Return rows as a reader would have yielded them, and the names of those that can be read."""
    whole = [row for row in rows if row.reason != "broken_row" or row.row_id in edits]
    payloads = [
        (orjson.loads(row.payload) if row.reason != "broken_row" else {})
        | dict(edits.get(row.row_id, {}))
        for row in whole
    ]
    names = dict.fromkeys(name for payload in payloads for name in payload)
    columns = {name: [payload.get(name) for payload in payloads] for name in names}
    broken = tuple(
        BrokenRow(row.row_number, orjson.loads(row.payload)[""], row.detail)
        for row in rows
        if row.reason == "broken_row" and row.row_id not in edits
    )
    numbers = np.array([row.row_number for row in whole], np.int64)
    chunk = Chunk(source, numbers, table_of(columns, len(whole)), broken)
    return chunk, [row.row_id for row in whole]


def read_edits(file: Path) -> dict[str, dict[str, Any]]:
    """Read corrected rows, as :func:`list_quarantine` gives them, or one JSON object a line.

    Raises
    ------
    SchemaError
        If a row has no ``row_id`` or no ``payload``.
    """
    text = file.read_text(encoding="utf-8")
    try:
        rows = _listed(text)
        return {row["row_id"]: dict(row["payload"]) for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise SchemaError(
            f"{file.name} holds something that is no corrected row.",
            hint='Write {"row_id": "...", "payload": {"column": "value"}}, one a line.',
        ) from error


def _listed(text: str) -> list[dict[str, Any]]:
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        return [orjson.loads(line) for line in text.splitlines() if line.strip()]
    rows: list[dict[str, Any]] = (
        whole.get("rows", [whole]) if isinstance(whole, dict) else list(whole)
    )
    return rows


def is_stamped(recipe: str) -> bool:
    """Tell whether rows are known from when we are told of them; a mended one, from now.

    Examples
    --------
    >>> is_stamped('{"kind": "events", "preset": "events", "clock": "server"}')
    True
    """
    return bool(orjson.loads(recipe).get("clock") == "server")


def read_recipe(text: str) -> Mapping:
    """Return the mapping by which a quarantined row was read.

    Examples
    --------
    >>> read_recipe('{"kind": "events", "preset": "orders"}').shape
    'orders'
    """
    recipe = orjson.loads(text)
    if "preset" in recipe:
        return preset(recipe["preset"])
    return mapping_of(recipe["mapping"], name=recipe["mapping"].get("name", "own"))
