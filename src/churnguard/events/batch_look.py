"""Sees at a glance that all events of a batch are fine: whole columns, in a few calls each.

It is :mod:`churnguard.events.quick_look` for many rows and says the same of them, or nothing at
all: one row that leaves a doubt sends all of the batch to a look at each. Texts of a column are
looked at as one text with bars between them, so nearly all of the work is done outside Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from math import ceil
from operator import itemgetter
from typing import Any

import pyarrow as pa

from churnguard.clock import to_us
from churnguard.events.quick_look import (
    DOUBTFUL,
    EARLIEST_US,
    NAME,
    TEXTS,
    EventRow,
    instant,
    packed,
)
from churnguard.events.validation import FUTURE_ALLOWANCE, ID_LENGTH, LARGEST, REMOVED

_ASKED = (
    "event_id", "customer_id", "event", "occurred_at", "received_at", "clock", "value", "quantity",
    *(name for name, _ in TEXTS), "discount", "properties",
)  # fmt: skip
_AS_ZEROS = str.maketrans("123456789", "000000000")
_UTC, _Z = "+00:00", "Z"
_INSTANTS = frozenset(
    f"0000-00-00{between}00:00:00{fraction}Z"
    for between in "T "
    for fraction in ("", ".000", ".000000")
)
_WHOLE = frozenset({int, type(None)})
_NUMBER = frozenset({float, *_WHOLE})


class _Doubt(Exception):
    """A column holds something that has to be looked at row by row."""


class BatchLook:
    """Makes events of batches in which every row is plainly fine.

    Parameters
    ----------
    now, currency, received, lag_us
        As of :class:`churnguard.events.quick_look.QuickLook`.

    Examples
    --------
    >>> from datetime import UTC
    >>> look = BatchLook(datetime(2026, 11, 21, tzinfo=UTC), "EUR", received=0)
    >>> row = {"event_id": "e1", "customer_id": "C1", "event": "signed_in",
    ...        "occurred_at": "2026-11-20T08:00:00Z"}
    >>> [event[:4] for event in look([row])]
    [('e1', 'C1', 'signed_in', 1795161600000000)]
    >>> look([row, row | {"occurred_at": "yesterday"}]) is None
    True
    """

    def __init__(
        self, now: datetime, currency: str, *, received: int | None, lag_us: int = 0
    ) -> None:
        self._latest = to_us(now + FUTURE_ALLOWANCE)
        self._currencies = {None, currency}
        self._received = received
        self._lag = lag_us

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> list[EventRow] | None:
        """Return the rows' events, or None where one of them needs a closer look."""
        try:
            return list(zip(*self._columns(_said(rows), len(rows)), strict=True))
        except (_Doubt, TypeError):  # a text that is none, a name that is a list
            return None

    def _columns(self, said: Mapping[str, Sequence[Any]], rows: int) -> list[Sequence[Any]]:
        occurred = self._occurred(said["occurred_at"])
        texts = [_optional(said[name], longest) for name, longest in TEXTS]
        _demand(self._currencies.issuperset(said["currency"]))
        return [
            _sound(said["event_id"], ID_LENGTH),
            _customers(said["customer_id"]),
            _names(said["event"]),
            occurred,
            *self._clocks(said, occurred),
            _amounts(said["value"]),
            _units(said["quantity"]),
            *texts,
            _amounts(said["discount"]),
            _properties(said["properties"], rows),
        ]

    def _occurred(self, texts: Sequence[Any]) -> list[int]:
        found = _instants(texts)
        _demand(min(found) >= EARLIEST_US and max(found) <= self._latest)
        return found

    def _clocks(
        self, said: Mapping[str, Sequence[Any]], occurred: list[int]
    ) -> tuple[list[int], list[str]]:
        rows = len(occurred)
        if self._received is not None:
            return [self._received] * rows, ["true"] * rows
        _demand(said["received_at"].count(None) == said["clock"].count(None) == rows)
        return [at + self._lag for at in occurred], ["assumed"] * rows


def _said(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[Any]]:
    """Return what rows say, by column; those that name the same things are read in one go."""
    names = tuple(rows[0])
    if len(names) > 1 and {len(names)} == set(map(len, rows)):
        with suppress(KeyError):
            told = dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True))
            nothing = (None,) * len(rows)
            return {name: told.get(name, nothing) for name in _ASKED}
    return {name: [row.get(name) for row in rows] for name in _ASKED}


def _demand(fine: object) -> None:
    if not fine:
        raise _Doubt


def _sound(texts: Sequence[Any], longest: int) -> Sequence[str]:
    """Demand that all texts are there and are stored as they are; a bar in one may be a doubt."""
    together = f"|{'|'.join(texts)}|"
    _demand(
        together.isprintable()
        and "@" not in together
        and "||" not in together
        and "| " not in together
        and " |" not in together
        and REMOVED not in together
        and max(map(len, texts)) <= longest
    )
    return texts


def _optional(texts: Sequence[Any], longest: int) -> Sequence[str | None]:
    missing = texts.count(None)
    if missing < len(texts):
        _sound([text for text in texts if text is not None] if missing else texts, longest)
    return texts


def _customers(ids: Sequence[Any]) -> Sequence[str]:
    """Demand ids; a telephone number may begin with a plus, a bracket or a zero."""
    _sound(ids, ID_LENGTH)
    together = f"|{'|'.join(ids)}"
    _demand("|+" not in together and "|(" not in together and "|0" not in together)
    return ids


def _names(names: Sequence[Any]) -> Sequence[str]:
    for name in set(names):
        _demand(type(name) is str and NAME.fullmatch(name) is not None)
    return names


def _instants(texts: Sequence[Any]) -> list[int]:
    """Return instants as microseconds; those that are not all written alike are read one by one."""
    together = "|".join(texts).replace(_UTC, _Z)
    shape = texts[0].replace(_UTC, _Z).translate(_AS_ZEROS)
    if shape in _INSTANTS and together.translate(_AS_ZEROS) == "|".join([shape] * len(texts)):
        try:
            read = pa.array(together.split("|")).cast(pa.timestamp("us", "UTC"))
        except pa.ArrowInvalid:
            raise _Doubt from None
        instants: list[int] = read.cast(pa.int64()).to_pylist()
        return instants
    return [instant(text) for text in texts]


def _amounts(values: Sequence[Any]) -> Sequence[float | None]:
    """Return amounts as they are stored; a zero of -0.0."""
    if not _are_numbers(values):
        return values
    return [None if value is None else value + 0.0 for value in values]


def _units(values: Sequence[Any]) -> Sequence[int | None]:
    if not _are_numbers(values) or _WHOLE.issuperset(map(type, values)):
        return values
    return [None if value is None else ceil(value) for value in values]


def _are_numbers(values: Sequence[Any]) -> bool:
    """Tell whether there are any, and demand that nothing else is there."""
    if values.count(None) == len(values):
        return False
    _demand(_NUMBER.issuperset(map(type, values)))
    _demand(all(value is None or 0 <= value <= LARGEST for value in values))
    return True


def _properties(values: Sequence[Any], rows: int) -> Sequence[str | None]:
    if values.count(None) == rows:
        return values
    texts = [packed(value) for value in values]
    _demand(DOUBTFUL not in texts)
    return texts
