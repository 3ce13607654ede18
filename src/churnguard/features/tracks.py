"""Tracks made ready for many rows: prefix sums, earlier places of a word, narrower tracks.

All of it is made when a signal first asks for it, and then shared by signals and blocks of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.schema import MONEY_SCALE
from churnguard.events.sorting import first_at
from churnguard.events.timeline import MISSING, MONEY_COLUMNS, WORD_COLUMNS, Timeline, Track
from churnguard.features import kernel
from churnguard.features.baskets import basket_events
from churnguard.features.carts import cart_events
from churnguard.features.derived import DerivedEvents
from churnguard.features.tickets import ticket_events

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
_Made = TypeVar("_Made")
_NOTHING: Ints = np.zeros(0, dtype=np.int64)

CART_ABANDONED = "cart_abandoned"
"""The derived event: see ``churnguard.features.carts``."""

DERIVED: Mapping[str, Callable[[Timeline], Mapping[str, DerivedEvents]]] = {
    CART_ABANDONED: cart_events,
    "cart_ended": cart_events,
    "product_left": cart_events,
    "ticket_moved": ticket_events,
    "basket_bought": basket_events,
}
"""Derived events, and what derives them, with its siblings."""


class PreparedTrack:
    """One kind of event (or part of it) with everything the row primitives need."""

    def __init__(
        self,
        offsets: Ints,
        occurred: Ints,
        *,
        read: Callable[[str], NDArray[Any]],
        code: Callable[[str, str], int],
    ) -> None:
        self.offsets = offsets
        self.occurred = occurred
        self._read = cache(read)
        self._code = code
        self._made: dict[tuple[object, ...], Any] = {}

    def column(self, name: str) -> NDArray[Any]:
        """Return a column: int64 numbers (``MISSING``) or int32 codes (-1)."""
        return self._read(name)

    def sums(self, name: str) -> Ints:
        """Return prefix sums of a column of numbers; what is missing adds nothing."""
        return self._once(("sums", name), lambda: kernel.prefix_sums(self.column(name)))

    def presence(self, name: str) -> Ints:
        """Return prefix counts of the numbers of a column that are not missing."""
        return self._once(("presence", name), lambda: kernel.prefix_counts(self.column(name)))

    def previous(self, name: str) -> Ints:
        """Return the place of the customer's event before with the same word, -1 for the first.

        A missing word is no word: its place before is set past every window, so it never counts.
        """
        return self._once(("previous", name), lambda: self._previous(self.column(name)))

    def narrowed(self, how: str, name: str, to: float | str) -> PreparedTrack:
        """Return the track of those events that a step keeps: see :data:`~.rows.Step`."""
        if how == "where":
            return self.where(name, to)
        if how == "visits":
            return self.visits(float(to))
        return self.where_known(name) if how == "known" else self.where_first(name)

    def where(self, name: str, equals: float | str) -> PreparedTrack:
        """Return the track of those events whose column has a number or a word."""
        return self._once(("where", name, equals), lambda: self._kept(self._equal(name, equals)))

    def where_known(self, name: str) -> PreparedTrack:
        """Return the track of those events whose column is not missing."""
        missing = -1 if name in WORD_COLUMNS else MISSING
        return self._once(("known", name), lambda: self._kept(self.column(name) != missing))

    def where_first(self, name: str) -> PreparedTrack:
        """Return the track of those events whose word the customer's earlier ones did not hold."""
        return self._once(("first", name), lambda: self._kept(self.previous(name) == -1))

    def visits(self, apart_days: float) -> PreparedTrack:
        """Return the track of those events that begin a visit."""

        def made() -> PreparedTrack:
            apart = int(apart_days * DAY_US)
            return self._kept(kernel.visit_starts(self.occurred, self.offsets, apart))

        return self._once(("visits", apart_days), made)

    def _equal(self, name: str, equals: float | str) -> NDArray[np.bool_]:
        if isinstance(equals, str):
            return np.asarray(self.column(name) == self._code(name, equals))
        return np.asarray(self.column(name) == round(equals * scale(name)))

    def _kept(self, mask: NDArray[np.bool_]) -> PreparedTrack:
        places, offsets = kernel.kept(mask, self.offsets)
        read = self._read  # and not this track, which keeps the new one: no cycle
        return PreparedTrack(
            offsets,
            self.occurred[places],
            read=lambda name: read(name)[places],
            code=self._code,
        )

    def _previous(self, codes: Codes) -> Ints:
        if codes.max(initial=0) > 4 * len(codes) + 1024:  # many words elsewhere, few here
            known, places = np.unique(codes, return_inverse=True)
            codes = (places - (known[:1] < 0)).astype(np.int32)
        found: Ints = kernel.previous_places(codes, self.offsets)
        return found

    def _once(self, key: tuple[object, ...], make: Callable[[], _Made]) -> _Made:
        if key not in self._made:
            self._made[key] = make()
        made: _Made = self._made[key]
        return made


class Tracks:
    """All tracks of a timeline, prepared: the input that blocks of rows share.

    Parameters
    ----------
    timeline : Timeline
        Events as sorted arrays.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._tracks: dict[str, PreparedTrack] = {}
        self._derived: dict[str, DerivedEvents] = {}
        self._made: dict[object, Any] = {}

    @classmethod
    def of(cls, timeline: Timeline) -> Tracks:
        """Return the tracks of a timeline; those of one customer are kept with it."""
        if len(timeline.customer_ids) != 1:
            return cls(timeline)
        return timeline.once("tracks", lambda kept: cls(kept.view()))

    def once(self, key: object, make: Callable[[], _Made]) -> _Made:
        """Return what is made from these tracks when first asked for, and kept with them."""
        if key not in self._made:
            self._made[key] = make()
        made: _Made = self._made[key]
        return made

    def track(self, event: str) -> PreparedTrack:
        """Return one kind of event, ``DERIVED`` ones included."""
        if event not in self._tracks:
            if event in DERIVED:
                self._tracks[event] = _prepared_derived(self.derived(event))
            else:
                self._tracks[event] = self._prepared(event)
        return self._tracks[event]

    def derived(self, event: str) -> DerivedEvents:
        """Return one kind of derived events, as it was derived."""
        if event not in self._derived:
            self._derived |= DERIVED[event](self.timeline)
        return self._derived[event]

    def late(self, customers: Codes, cutoffs: Ints) -> NDArray[np.bool_]:
        """Mark rows that had late events: occurred before the cutoff, received at it or after."""
        if len(cutoffs) == 1 == len(self.timeline.customer_ids):
            occurred, received = self._clocks
            return np.array([((occurred < cutoffs) & (received >= cutoffs)).any()])
        late = np.zeros(len(customers), dtype=bool)
        for track, newest in self._slow:
            first, end = track.offsets[customers], track.offsets[customers + 1]
            last = first_at(track.occurred, first, end, cutoffs) - 1
            late |= (last >= first) & (newest[last] >= cutoffs)
        return late

    @cached_property
    def _clocks(self) -> tuple[Ints, Ints]:
        """When each event occurred, and when we were told of it; empty where that is the same."""
        if self.timeline.prompt:
            return _NOTHING, _NOTHING
        tracks = [self.timeline.track(event) for event in self.timeline.events]
        rows = np.concatenate([_NOTHING, *(track.rows for track in tracks)])
        occurred = np.concatenate([_NOTHING, *(track.occurred for track in tracks)])
        return occurred, self.timeline.read("received_at", rows)

    @cached_property
    def _slow(self) -> list[tuple[Track, Ints]]:
        """Tracks that hold an event we were told of after it occurred, and the newest so far."""
        if self.timeline.prompt:
            return []
        tracks = [self.timeline.track(event) for event in self.timeline.events]
        return [
            (track, kernel.latest_received(track.received, track.offsets))
            for track in tracks
            if kernel.any_late(track.occurred, track.received)
        ]

    def _prepared(self, event: str) -> PreparedTrack:
        track = self.timeline.track(event)
        return PreparedTrack(track.offsets, track.occurred, read=track.read, code=track.code)


def _prepared_derived(found: DerivedEvents) -> PreparedTrack:
    return PreparedTrack(
        found.offsets,
        found.occurred,
        read=found.columns.__getitem__,
        code=lambda _name, _word: -2,
    )


def scale(name: str) -> int:
    """Return how many units one unit of a column of numbers is kept in.

    Examples
    --------
    >>> scale("value"), scale("quantity")
    (10000, 1)
    """
    return MONEY_SCALE if name in MONEY_COLUMNS else 1
