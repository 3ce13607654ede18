"""The contract that every signal keeps, ChurnGuard's own and a shop's: tried out on a made-up shop.

A signal returns one float64 a row, NaN where nothing is known and never an infinite number; it does
not fail where data are missing; and its bits depend on nothing but what was known of that customer
before that cutoff: not on the order of rows or events, on other rows, on other customers, on events
told too late, or on what came after.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.errors import CatalogueError
from churnguard.events.schema import empty_events
from churnguard.events.timeline import Timeline, Track
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.planting import Planted, plant
from churnguard.features.rows import Floats, Rows
from churnguard.features.signal import Signal
from churnguard.features.specimen import CUTOFFS, POPULATION, specimen_events
from churnguard.features.tracks import Tracks

Codes = NDArray[np.int32]
Ints = NDArray[np.int64]

_WRITING = "docs/own-signals.md tells how a signal is written."
_MISSING = f"Customers may lack any event or number: give NaN there. {_WRITING}"
_NO_ROW = f"There may be no row at all: return an empty array then. {_WRITING}"
_WINDOWS = "Read events only through the methods of rows.events(...): they end at the row's cutoff."
_ROWWISE = "Compute each row from its own numbers only; never from a mean, rank or sort over rows."


@dataclass(frozen=True)
class Breach:
    """A promise that a signal does not keep.

    Attributes
    ----------
    signal : Signal
        Which signal.
    promise : str
        ``runs``, ``shape``, ``dtype``, ``finite``, ``late``, ``future``, ``row_order``,
        ``event_order``, ``one_row`` or ``other_customers``.
    told : str
        What was seen, as the end of a sentence that begins with the signal.
    hint : str
        What to do about it.
    """

    signal: Signal
    promise: str
    told: str
    hint: str

    def error(self) -> CatalogueError:
        """Return the breach as an error that names the signal and its file."""
        file = _file_of(self.signal)
        where = f" in {file.parent.name}/{file.name}" if file else ""
        return CatalogueError(
            f"The signal '{self.signal.name}'{where} {self.told}.", hint=self.hint, file=file
        )


def refuse_breaches(signals: Iterable[Signal]) -> None:
    """Stop on the first signal that does not keep the contract.

    Raises
    ------
    CatalogueError
        It names the signal, its file, and what was broken.

    Examples
    --------
    >>> refuse_breaches(Catalogue.of(["orders"]).signals)
    """
    for breach in breaches(signals):
        raise breach.error()


def breaches(signals: Iterable[Signal]) -> tuple[Breach, ...]:
    """Return every promise that signals break, at most one of each signal.

    Parameters
    ----------
    signals : iterable of Signal
        They are run on the made-up shop of :mod:`churnguard.features.specimen`, which is given the
        kinds of event and the words that they look for.
    """
    given = tuple(signals)
    trial = _Trial.of(given)
    found = {name: breach for name, breach in ((s.name, trial.alone(s)) for s in given) if breach}
    for promise in _PROMISES:
        sound = tuple(s for s in given if s.name not in found)
        found |= {breach.signal.name: breach for breach in trial.together(sound, promise)}
    return tuple(found[s.name] for s in given if s.name in found)


@dataclass(frozen=True)
class _Trial:
    """The made-up shop, sorted, and the rows that are asked of it: each customer at each cutoff."""

    events: pa.Table
    timeline: Timeline
    customers: Codes
    cutoffs: Ints

    @classmethod
    def of(cls, signals: Sequence[Signal]) -> _Trial:
        events = specimen_events(*looked_for(signals))
        timeline = Timeline.from_arrow(events)
        count = len(timeline.customer_ids)
        return cls(
            events,
            timeline,
            np.tile(np.arange(count, dtype=np.int32), len(CUTOFFS)),
            np.repeat(np.array(CUTOFFS, np.int64), count),
        )

    def alone(self, signal: Signal) -> Breach | None:
        """Run one signal on all rows and on none; return what is wrong with what it gives."""
        for rows in (slice(None), slice(0, 0)):
            asked = Rows(
                Tracks(self.timeline),
                self.customers[rows],
                self.cutoffs[rows],
                population=POPULATION,
            )
            with np.errstate(all="ignore"):
                try:
                    numbers = signal.compute(asked)
                except Exception as error:  # noqa: BLE001 - whatever a shop's own code raises
                    told = f"fails: {type(error).__name__}: {error}".rstrip(".")
                    return Breach(signal, "runs", told, _MISSING if len(asked) else _NO_ROW)
            wrong = _wrong_numbers(numbers, asked)
            if wrong:
                return Breach(signal, *wrong)
        return None

    def together(self, signals: tuple[Signal, ...], promise: _Promise) -> list[Breach]:
        """Try one promise on many signals at once; one by one where something fails."""
        try:
            broken = promise.broken(self, Catalogue(signals))
        except Exception as error:  # noqa: BLE001 - whatever a shop's own code raises
            if len(signals) > 1:
                return [b for s in signals for b in self.together((s,), promise)]
            told = f"fails: {type(error).__name__}: {error}".rstrip(".")
            return [Breach(signals[0], "runs", told, _MISSING)]
        return [
            Breach(s, promise.name, broken[s.name], promise.hint)
            for s in signals
            if s.name in broken
        ]

    def build(
        self, catalogue: Catalogue, events: pa.Table | None = None, *, rows: Any = slice(None)
    ) -> Floats:
        """Build the rows, from other events if given, by customer id; see ``build_features``."""
        timeline = self.timeline if events is None else Timeline.from_arrow(events)
        ids = self.timeline.customer_ids[self.customers[rows]]
        codes = timeline.codes(ids.tolist())
        with np.errstate(all="ignore"):
            built = build_features(
                timeline, catalogue, codes, self.cutoffs[rows], population=POPULATION
            )
        return built.values


def _wrong_numbers(numbers: Any, rows: Rows) -> tuple[str, str, str] | None:
    """Return promise, what was seen, and the hint, where a result is no column of rows."""
    if not isinstance(numbers, np.ndarray) or numbers.shape != rows.shape:
        got = (
            f"shape {numbers.shape}" if isinstance(numbers, np.ndarray) else type(numbers).__name__
        )
        told = f"does not return one number a row: {got} for {len(rows)} rows"
        return "shape", told, "Return a NumPy array as long as 'rows', NaN where nothing is known."
    if numbers.dtype != np.float64:
        told = f"returns {numbers.dtype} numbers, not float64"
        return (
            "dtype",
            told,
            "End with .astype(np.float64), or use the methods of rows.events(...).",
        )
    if np.isinf(numbers).any():
        told = "returns an infinite number"
        return "finite", told, "Divide with churnguard.features.rows.ratio: it gives NaN for x / 0."
    return None


_Broken = dict[str, str]


@dataclass(frozen=True)
class _Promise:
    """A promise, what to do where it is broken, and how to find the signals that break it."""

    name: str
    hint: str
    broken: Callable[[_Trial, Catalogue], _Broken]


def _planted(trial: _Trial, catalogue: Catalogue, *, what: Planted, told: str) -> _Broken:
    broken = _Broken()
    ids = trial.timeline.customer_ids.tolist()
    for cutoff in CUTOFFS:
        more = pa.concat_tables([trial.events, plant(trial.events, ids, cutoff, what=what)])
        rows = trial.cutoffs == cutoff
        one, other = (trial.build(catalogue, log, rows=rows) for log in (None, more))
        broken |= _differing(catalogue, one, other, told)
    return broken


def _row_order(trial: _Trial, catalogue: Catalogue) -> _Broken:
    order = np.random.default_rng(1).permutation(len(trial.cutoffs))
    turned = trial.build(catalogue, rows=order)
    told = "depends on the order of the rows"
    return _differing(catalogue, trial.build(catalogue)[order], turned, told)


def _event_order(trial: _Trial, catalogue: Catalogue) -> _Broken:
    shuffled = trial.events.take(pa.array(np.random.default_rng(2).permutation(len(trial.events))))
    told = "depends on the order in which events were brought in"
    return _differing(catalogue, trial.build(catalogue), trial.build(catalogue, shuffled), told)


def _one_row(trial: _Trial, catalogue: Catalogue) -> _Broken:
    base, broken = trial.build(catalogue), _Broken()
    told = "gives a row other numbers alone than among other rows"
    for place in range(0, len(trial.cutoffs), 2):
        alone = trial.build(catalogue, rows=[place])
        broken |= _differing(catalogue, base[[place]], alone, told)
    return broken


def _other_customers(trial: _Trial, catalogue: Catalogue) -> _Broken:
    base, broken = trial.build(catalogue), _Broken()
    told = "depends on the events of other customers"
    for code, customer in enumerate(trial.timeline.customer_ids):
        own = trial.events.filter(pc.equal(trial.events["customer_id"], customer))
        rows = trial.customers == code
        broken |= _differing(catalogue, base[rows], trial.build(catalogue, own, rows=rows), told)
    return broken


_AHEAD = "looks ahead: events from after the cutoff changed it"
_UNTOLD = "looks ahead: events that were not yet received at the cutoff changed it"
_PROMISES = (
    _Promise("future", _WINDOWS, partial(_planted, what="future", told=_AHEAD)),
    _Promise("row_order", _ROWWISE, _row_order),
    _Promise("one_row", _ROWWISE, _one_row),
    _Promise("late", _WINDOWS, partial(_planted, what="late", told=_UNTOLD)),
    _Promise("other_customers", _WINDOWS, _other_customers),
    _Promise("event_order", _WINDOWS, _event_order),
)
"""How each promise is tried; a signal is told by the first that it breaks."""


def _differing(catalogue: Catalogue, one: Floats, other: Floats, told: str) -> _Broken:
    """Return the columns of which any cell has other bits."""
    differ = (one.view(np.int64) != other.view(np.int64)) & ~(np.isnan(one) & np.isnan(other))
    return {catalogue.names[place]: told for place in np.flatnonzero(differ.any(axis=0))}


def looked_for(signals: Iterable[Signal]) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the kinds of event that signals look at, and the (column, word) pairs they look for.

    Examples
    --------
    >>> kinds, words = looked_for(Catalogue.of(["searches"]).signals)
    >>> "products_searched" in kinds
    True
    """
    listening = _Listening.of(empty_events())
    for signal in signals:
        listening.kinds.update(signal.needs)
        nobody = np.zeros(0, np.int32), np.zeros(0, np.int64)
        try:
            signal.compute(Rows(Tracks(listening.timeline), *nobody, population=POPULATION))
        except Exception:  # noqa: BLE001, S112 - it will be told when the signal is tried
            continue
    return listening.kinds, listening.words


class _Listening:
    """A timeline that remembers what it was asked for."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.words: set[tuple[str, str]] = set()
        self.timeline: Timeline

    @classmethod
    def of(cls, events: pa.Table) -> _Listening:
        self = cls()

        class Heard(Timeline):
            def track(heard, event: str) -> Track:  # noqa: N805 - 'self' is the listener
                self.kinds.add(event)
                found = super().track(event)
                return Track(**(vars(found) | {"code": self._code(found)}))

        self.timeline = Heard.from_arrow(events)
        return self

    def _code(self, track: Track) -> Callable[[str, str], int]:
        def code(column: str, word: str) -> int:
            self.words.add((column, word))
            return track.code(column, word)

        return code


def _file_of(signal: Signal) -> Path | None:
    """Return the file that a signal was written in."""
    compute: Any = signal.compute
    function = compute.func if isinstance(compute, partial) else compute
    try:
        return Path(inspect.getfile(function))
    except TypeError:
        return None
