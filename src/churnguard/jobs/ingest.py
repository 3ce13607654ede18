"""Takes a shop's files in: reads, maps, judges and stores them, and says what became of each row.

Every row read is accepted, a duplicate, a conflict, or in quarantine with a reason; the four add
up. A file is stored whole or not at all.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingOf
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import orjson
import pyarrow as pa

from churnguard.errors import InvalidRequest, SchemaError
from churnguard.events.mapping import Mapping, preset, read_mapping
from churnguard.events.readers import Chunk, read_file
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.times import lag_us
from churnguard.events.validation import ERASED_CUSTOMER
from churnguard.jobs.ingest_report import FileReport, IngestReport
from churnguard.jobs.judging import Judged, judge
from churnguard.jobs.ports import Appended, Progress, QuarantinedRow, Shop
from churnguard.store.records import ACCEPTED, CONFLICT, DUPLICATE, ERASED

Kind = Literal["events", "customers"]


EXPORT_FROM = 10_000
"""After so many new rows the Parquet history is brought up to date, for batches to read it."""


def ingest(
    shop: Shop,
    files: Sequence[Path | str],
    *,
    kind: Kind = "events",
    preset: str = "events",
    mapping: Path | None = None,
    known_lag: str | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Take files in, one after another.

    Parameters
    ----------
    shop : Shop
        Where they go.
    files : sequence of Path or str
        CSV, TSV, JSON lines, Parquet or Excel, by their endings.
    kind : {"events", "customers"}
        Events, or rows of the customer book.
    preset : str
        The mapping that ChurnGuard brings along.
    mapping : Path, optional
        One's own mapping, which is used instead of a preset.
    known_lag : str, optional
        How long after it occurred a row was known, such as ``2d``, where it does not say when; by
        default what the mapping says, else the setting ``known_lag_seconds``.
    progress : callable, optional
        Called with the file's name, the rows stored so far, and the rows in it once known.

    Returns
    -------
    IngestReport

    Raises
    ------
    DataError
        If a file is missing, empty or damaged; nothing of it is stored.
    SchemaError
        If a file lacks a column, or the preset does not fit the kind.
    InvalidRequest
        If the lag is none, or given for the customer book.
    """
    how = choose_mapping(kind, preset, mapping)
    if known_lag is not None:
        how = with_lag(how, known_lag)
    recipe = recipe_of(kind, how, own=mapping is not None or known_lag is not None)
    reports = []
    with _collector_paused():
        for file in map(Path, files):
            chunks = list(read_file(file, how.options))
            reports.append(
                take_in(shop, chunks, how, recipe=recipe, name=file.name, progress=progress)
            )
        if kind == "events" and sum(report.accepted for report in reports) >= EXPORT_FROM:
            if progress is not None:
                progress("Parquet history", 0, None)
            shop.events.export()
    return IngestReport(tuple(reports))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the cycle collector from walking millions of rows, none of which is a cycle."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def choose_mapping(kind: Kind, name: str, file: Path | None = None) -> Mapping:
    """Return the mapping that was asked for, if it fits the kind.

    The customer book has one preset, so it need not be named.

    Raises
    ------
    SchemaError
        If there is none of that name, or it is one for the other kind.

    Examples
    --------
    >>> choose_mapping("customers", "events").name
    'customers'
    """
    if kind not in get_args(Kind):
        raise SchemaError(
            f"There is no kind '{kind}'.", hint=f"There are: {', '.join(get_args(Kind))}."
        )
    if file is not None:
        chosen = read_mapping(file)
    else:
        chosen = preset("customers" if kind == "customers" and name == "events" else name)
    if (chosen.shape == "customers") != (kind == "customers"):
        raise SchemaError(
            f"'{chosen.name}' maps {chosen.shape}, but the kind asked for is {kind}.",
            hint="Say --kind customers for the customer book, --kind events for the rest.",
        )
    return chosen


def with_lag(mapping: Mapping, known_lag: str) -> Mapping:
    """Return a mapping that assumes so long a lag.

    Raises
    ------
    InvalidRequest
        If the lag is none, or the rows are customers: the book has one clock.
    """
    if mapping.shape == "customers":
        raise InvalidRequest(
            "The customer book has no lag.", hint="Leave --known-lag out: it is for events."
        )
    lag_us(known_lag)
    return mapping.model_copy(update={"known_lag": known_lag})


def recipe_of(kind: Kind, mapping: Mapping, *, own: bool) -> str:
    """Return, as JSON, how rows are read, so that quarantined ones can be read again."""
    if not own:
        return orjson.dumps({"kind": kind, "preset": mapping.name}).decode()
    values = mapping.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return orjson.dumps({"kind": kind, "mapping": values}).decode()


def take_in(
    shop: Shop,
    chunks: Sequence[Chunk],
    mapping: Mapping,
    *,
    recipe: str,
    name: str,
    progress: Progress | None = None,
    mends: Sequence[Sequence[str]] = (),
    received: int | None = None,
) -> FileReport:
    """Judge and store chunks that belong together, in one transaction.

    Parameters
    ----------
    mends : sequence of sequences of str
        Chunk by chunk and row by row, the quarantined row that a row is meant to mend; rows found
        wanting again are not stored again.
    received : int, optional
        When we were told of the rows, as for :func:`churnguard.jobs.judging.judge`.

    Returns
    -------
    FileReport
    """
    judged = [judge(shop, chunk, mapping, recipe, received=received) for chunk in chunks]
    rejected = [row for part in judged for row in part.rejected]
    if progress is not None:
        progress(name, 0, sum(part.rows for part in judged))
    if mapping.shape == "customers":
        told = _store_customers(shop, judged, rejected, mends)
        events: MappingOf[str, int] = {}
        outcomes = told.outcomes
    else:
        told, derived = _store(shop, judged, rejected, mends)
        outcomes = told.outcomes[derived:]
        events = _accepted_by_name(judged, told)
    report = _report(name, judged, outcomes, rejected, events)
    if progress is not None:
        progress(name, report.rows, report.rows)
    return report


def _store_customers(
    shop: Shop,
    judged: Sequence[Judged],
    rejected: list[QuarantinedRow],
    mends: Sequence[Sequence[str]],
) -> Appended:
    """Store rows of the customer book; the quarantine first, so that nothing can get lost."""
    if not mends:
        shop.events.quarantine(rejected)
    told = shop.events.put_customers(_joined([part.events for part in judged]))
    for part, names in zip(judged, mends, strict=False):
        shop.events.release([names[place] for place in part.fine])
    return told


def _store(
    shop: Shop,
    judged: Sequence[Judged],
    rejected: list[QuarantinedRow],
    mends: Sequence[Sequence[str]],
) -> tuple[Appended, int]:
    """Store orders before their lines; return the outcome and the number of orders."""
    orders = _joined([part.derived for part in judged])
    lines = _joined([part.events for part in judged])
    mended: list[str | None] = []
    if mends:
        mended = [None] * orders.num_rows
        for part, names in zip(judged, mends, strict=True):
            mended += [names[place] for place in part.fine]
    told = shop.events.append(
        pa.concat_tables([orders, lines]), rejected=() if mends else rejected, mends=mended
    )
    return told, orders.num_rows


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries() if tables else EVENT_SCHEMA.empty_table()


def _accepted_by_name(judged: Sequence[Judged], told: Appended) -> MappingOf[str, int]:
    tables = [part.derived for part in judged] + [part.events for part in judged]
    names = _joined(tables)["event"].cast(pa.string())
    new = names.filter(pa.array(told.outcomes == ACCEPTED)).value_counts().to_pylist()
    return dict(sorted((one["values"], one["counts"]) for one in new))


def _report(
    name: str,
    judged: Sequence[Judged],
    outcomes: Any,
    rejected: Sequence[QuarantinedRow],
    events: MappingOf[str, int],
) -> FileReport:
    counts = np.bincount(outcomes, minlength=4).tolist()
    reasons = Counter(row.reason for row in rejected)
    if counts[ERASED]:
        reasons[ERASED_CUSTOMER] = counts[ERASED]
    return FileReport(
        file=name,
        rows=sum(part.rows for part in judged),
        accepted=counts[ACCEPTED],
        duplicates=counts[DUPLICATE],
        conflicts=counts[CONFLICT],
        quarantined=len(rejected) + counts[ERASED],
        reasons=dict(sorted(reasons.items())),
        events=events,
        ambiguous_times=sum(part.ambiguous for part in judged),
        moved_times=sum(part.moved for part in judged),
        ignored_columns=tuple(dict.fromkeys(name for part in judged for name in part.ignored)),
    )
