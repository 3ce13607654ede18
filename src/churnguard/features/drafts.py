"""What a signal asks, and what it makes of the answers, found out without any customer.

A signal of ChurnGuard's own is called with a row of formulas and says its own. One that says none,
and one of a shop's, is listened to on a customer without events: what it asks is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import numpy as np

from churnguard.events.columns import Columns
from churnguard.events.schema import empty_events
from churnguard.events.timeline import Timeline
from churnguard.features.formulas import Formula
from churnguard.features.rows import WIDTH, EventRows, Floats, Ints, Path, Question, Rows
from churnguard.features.signal import Signal
from churnguard.features.tracks import PreparedTrack, Tracks

_Made = TypeVar("_Made")
_NO_ROWS = np.zeros(0, np.int32), np.zeros(0, np.int64)
_OURS = "churnguard.features.families."


def formula_of(signal: Signal) -> Formula | None:
    """Return what a signal computes, None where it cannot be written down.

    A shop's own signal is never taken by its word: it may change an answer in place, or look at
    another row's.
    """
    function = getattr(signal.compute, "func", signal.compute)
    if not str(function.__module__).startswith(_OURS):
        return None
    try:
        found: Any = signal.compute(cast("Rows", _Draft()))
    except Exception:  # noqa: BLE001 - it wants numbers, and is computed from them
        return None
    if isinstance(found, np.ndarray) and found.shape == (1,):
        found = found[0]  # np.ascontiguousarray puts a formula into an array
    return found if isinstance(found, Formula) else None


def heard_of(signals: Iterable[Signal]) -> Mapping[Path, Mapping[Question, None]]:
    """Return what signals ask of a customer without events, by path.

    A signal that fails there asks no more; it will fail, with its own words, where it is computed.
    """
    heard: dict[Path, dict[Question, None]] = {}
    nobody = Timeline(np.array(["nobody"], dtype=object), {}, Columns(empty_events()))
    one = np.zeros(1, np.int32), np.zeros(1, np.int64)
    rows = Rows(Tracks(nobody), *one, answers=_Heard(heard))
    for signal in signals:
        try:
            with np.errstate(all="ignore"):
                signal.compute(rows)
        except Exception:  # noqa: BLE001, S112 - whatever a shop's own code raises
            continue
    return heard


class _Draft:
    """A row of which nothing is known yet; it has no population: what is fitted is no formula."""

    cutoffs = Formula("cutoff")
    season = tuple(Formula("season", place) for place in range(4))

    def once(self, _: str, make: Callable[[Any], _Made]) -> _Made:
        return make(self)

    def events(self, name: str) -> EventRows:
        return _DraftEvents((name,), _nowhere, *_NO_ROWS, answers={})


class _DraftEvents(EventRows):
    def _ask(self, question: Question) -> Floats:
        parts = WIDTH.get(question[0])
        if parts is None:
            return cast("Floats", Formula("answer", self._path, question, 0))
        found = tuple(Formula("answer", self._path, question, part) for part in range(parts))
        return cast("Floats", found)

    def _ask_after(self, name: str, column: str, after: Ints) -> Floats:
        return cast("Floats", Formula("after", self._path, name, column, after))


def _nowhere() -> PreparedTrack:
    raise TypeError("A draft has no events.")


class _Heard(dict[Path, Any]):
    """Answers that are never known, which keep what was asked."""

    def __init__(self, heard: dict[Path, dict[Question, None]]) -> None:
        super().__init__()
        self._heard = heard

    def get(self, path: Path, default: Any = None) -> Any:
        """Return what keeps the questions asked of a path."""
        del default
        return _Listener(self._heard.setdefault(path, {}))


class _Listener(dict[Question, Any]):
    def __init__(self, asked: dict[Question, None]) -> None:
        super().__init__()
        self._asked = asked

    def get(self, question: Question, default: Any = None) -> Any:
        self._asked[question] = None
        return default
