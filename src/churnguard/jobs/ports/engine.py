"""The ports for work that is done partition by partition of customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pyarrow as pa


class Task(Protocol):
    """What is done with one partition of customers, on whatever machine it is.

    A task travels to the workers of an engine, so it holds plain data and needs no project there.
    """

    @property
    def columns(self) -> Sequence[str]:
        """The columns of events that it reads; others are not sent."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of its answer."""

    def __call__(self, events: pa.Table, beside: pa.Table | None = None) -> pa.Table:
        """Return the answer for some customers: all their events, and what is known beside."""


class Engine(Protocol):
    """Runs tasks over all partitions of customers of one table of events."""

    def run(self, task: Task, *, beside: pa.Table | None = None, only: bool = False) -> pa.Table:
        """Return what a task makes of all partitions, in no order.

        ``beside`` holds facts by ``customer_id``: a task is given those of its own customers, and
        customers without events are in a partition too. ``only`` leaves all other customers out.
        """

    def write(self, task: Task, out: str, *, order_by: Sequence[str]) -> Mapping[str, int]:
        """Write a task's sorted answer as Parquet; return how many values each column has."""
