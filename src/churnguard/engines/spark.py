"""Runs a task over every partition of customers on Spark: one machine's cores or a cluster.

The events are hashed by customer into buckets of about half a million events. A bucket goes to a
Python worker as one Arrow table, so a task here sees what it sees anywhere: all events of some
customers. The kernel's rows do not depend on who else is in the partition, and so the answer has
the same bits on any cluster.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from churnguard.engines.session import quiet, start_session
from churnguard.errors import DataError, InvalidRequest, SchemaError, StoreError
from churnguard.events.schema import EVENT_SCHEMA

TABLE = "table"
"""The format of events that are a table of Spark's catalogue, not files."""

BUCKETS = "spark.churnguard.buckets"
"""A Spark setting: how many buckets, where the number should not follow from the data."""

_BUCKET = "churnguard_bucket"
_EVENTS_A_BUCKET = 500_000
_NEEDED = EVENT_SCHEMA.names[:5]
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
}
"""What the bits depend on, and how an answer travels: set for our session, whatever was there."""


class Task(Protocol):
    """What is done with one partition; see :class:`churnguard.jobs.ports.Task`."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns of events that it reads."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of its answer."""

    def __call__(self, events: pa.Table, beside: pa.Table | None = None) -> pa.Table:
        """Return the answer for some customers."""


class SparkEngine:
    """Spark, reading one table of canonical events.

    Parameters
    ----------
    source : str
        A folder, a file or a URI that Spark can read; with format ``table``, a table's name.
    format : str
        A data source of Spark: ``parquet``, ``delta``, ``iceberg``, ``orc``, ...; or ``table``.
    session : pyspark.sql.SparkSession, optional
        The session; by default the one that there is, or a new one with the settings of
        ``spark-submit``, ``spark-defaults.conf`` or ``PYSPARK_SUBMIT_ARGS``.

    Raises
    ------
    InvalidRequest
        If pyspark or Java is missing or too old.
    """

    def __init__(
        self,
        source: str,
        *,
        format: str = "parquet",  # noqa: A002 - Spark's own word for it
        session: Any = None,
    ) -> None:
        self._source = source
        self._format = format
        self._spark = session if session is not None else start_session()
        for name, value in _SETTINGS.items():
            self._spark.conf.set(name, value)

    def run(self, task: Task, *, beside: pa.Table | None = None, only: bool = False) -> pa.Table:
        """Return what a task makes of all partitions, in no order.

        Parameters
        ----------
        task : Task
            Sent to the workers; see :class:`churnguard.jobs.ports.Task`.
        beside : pa.Table, optional
            Facts by ``customer_id``; a task is given those of its partition's customers. Customers
            without events are in a partition as well.
        only : bool
            Leave out events of customers who are not in ``beside``.
        """
        with _told(self._source):
            answer: pa.Table = self._frame(task, beside, only=only).toArrow()
        return answer.cast(task.schema)

    def write(self, task: Task, out: str, *, order_by: Sequence[str]) -> Mapping[str, int]:
        """Write what a task makes of all partitions as a folder of Parquet files.

        Parameters
        ----------
        task : Task
            Sent to the workers.
        out : str
            The folder. A local one is replaced, and appears once and whole; a URI must not exist
            yet, and is whole once it holds ``_SUCCESS``.
        order_by : sequence of str
            Columns that the rows are sorted by, from file to file.

        Returns
        -------
        mapping of str to int
            How many values each column has.

        Raises
        ------
        InvalidRequest
            If ``out`` is there and is not what Spark wrote.
        """
        from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it

        _refuse_what_is_not_ours(out)
        with _told(self._source):
            rows = self._frame(task, None, only=False).persist()
            try:
                counts = rows.agg(*(F.count(name).alias(name) for name in rows.columns)).first()
                _write_whole(rows.orderBy(*order_by), out)
            finally:
                rows.unpersist()
        return {name: counts[name] for name in task.schema.names}

    def _frame(self, task: Task, beside: pa.Table | None, *, only: bool) -> Any:
        """Return the answer as a data frame that has not been computed yet."""
        from pyspark.sql.pandas.types import from_arrow_schema

        events, schema = self._events(task.columns), from_arrow_schema(task.schema)
        if beside is None:
            groups = self._by_customer(events).groupBy(_BUCKET)
            return groups.applyInArrow(lambda part: task(part.drop_columns(_BUCKET)), schema)
        facts = self._spark.createDataFrame(beside)
        if only:
            events = events.join(facts.select("customer_id"), "customer_id", "left_semi")
        left, right = (self._by_customer(frame).groupBy(_BUCKET) for frame in (events, facts))
        return left.cogroup(right).applyInArrow(
            lambda part, known: task(part.drop_columns(_BUCKET), known.drop_columns(_BUCKET)),
            schema,
        )

    def _by_customer(self, frame: Any) -> Any:
        """Hash the rows by customer; a bucket is one group."""
        from pyspark.sql import functions as F  # noqa: N812

        bucket = F.pmod(F.xxhash64("customer_id"), F.lit(self._buckets)).cast("int")
        return frame.withColumn(_BUCKET, bucket).repartition(self._buckets, _BUCKET)

    @cached_property
    def _buckets(self) -> int:
        """How many: two for each core that there is now, or more for a larger shop."""
        chosen = self._spark.conf.get(BUCKETS, None)
        if chosen is not None:
            return int(chosen)
        cores = int(self._spark.sparkContext.defaultParallelism)
        events = int(self._found.count())
        return max(2 * cores, math.ceil(events / _EVENTS_A_BUCKET))

    @cached_property
    def _found(self) -> Any:
        """The table of events as it is."""
        if self._format == TABLE:
            return self._spark.table(self._source)
        return self._spark.read.format(self._format).load(self._source)

    def _events(self, columns: Sequence[str]) -> Any:
        """Return the columns that are wanted and there, with the types of the event table."""
        from pyspark.sql import functions as F  # noqa: N812

        found = self._found
        _refuse_unlike_events(found, columns)
        types = {"value": "double", "discount": "double", "quantity": "bigint"}
        return found.select(
            *(
                F.col(name).cast(types.get(name, "string"))
                if not name.endswith("_at")
                else F.col(name)
                for name in columns
                if name in found.columns
            )
        )


def _refuse_unlike_events(found: Any, columns: Sequence[str]) -> None:
    """Stop where the table cannot be read as events: a column is missing, or a clock is naive."""
    types = dict(found.dtypes)
    for name in columns:
        if name not in types and name in {*_NEEDED, "clock"}:
            raise SchemaError(
                f"The events have no column '{name}'.",
                hint="Canonical events have the columns listed in docs/events.md.",
            )
        if name.endswith("_at") and types.get(name) != "timestamp":
            raise SchemaError(
                f"The events' column '{name}' is {types[name]}, not an instant.",
                hint="Cast it to Spark's 'timestamp', in the shop's time zone where it is naive.",
            )


def _refuse_what_is_not_ours(out: str) -> None:
    there = Path(out)
    ours = there.is_file() or (there / "_SUCCESS").is_file()
    if _is_local(out) and there.exists() and not ours:
        raise InvalidRequest(
            f"'{out}' is a folder that Spark has not written.",
            hint="Name another one: what is there would be lost.",
        )


def _write_whole(rows: Any, out: str) -> None:
    """Write a folder that appears once and whole; of a URI, Spark's ``_SUCCESS`` tells that."""
    if not _is_local(out):
        rows.write.parquet(out)
        return
    final = Path(out).resolve()
    unfinished = final.with_name(f".{final.name}.unfinished")
    rows.write.mode("overwrite").parquet(unfinished.as_uri())
    if final.is_dir():
        shutil.rmtree(final)
    final.unlink(missing_ok=True)
    unfinished.rename(final)


def _is_local(out: str) -> bool:
    return "://" not in out


@contextmanager
def _told(source: str) -> Iterator[None]:
    """Turn what Spark raises into a sentence; our own errors on a worker keep theirs."""
    from pyspark.errors import AnalysisException, PySparkException

    try:
        with quiet():
            yield
    except AnalysisException as error:
        first = str(error).splitlines()[0]
        raise StoreError(f"Spark cannot read or write what was asked: {first}") from error
    except PySparkException as error:
        own = re.search(r"churnguard\.errors\.\w+: (.+)", str(error))
        if own is None:
            raise
        raise DataError(f"{own.group(1)} (the events of {source})") from error
