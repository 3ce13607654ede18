"""Windows of one kind of event before many rows, and every number that can be asked of them.

Each method answers one kind of question with one compiled pass over the rows. All take the same
arguments, whether they need them or not, so that a question is its name and its arguments: the
column, how many days back the window begins (None: at the first event) and ends, and one more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.sorting import first_at, first_before
from churnguard.features import kernel, scans
from churnguard.features.tracks import PreparedTrack, scale

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]


class Windows:
    """Windows of a track that end at or before each row's cutoff.

    Parameters
    ----------
    track : PreparedTrack
        The events.
    customers : ndarray of int32, shape (n,)
        Customer codes.
    cutoffs : ndarray of int64, shape (n,)
        Microseconds UTC.
    """

    def __init__(self, track: PreparedTrack, customers: Codes, cutoffs: Ints) -> None:
        self.track = track
        self._customers = customers
        self._cutoffs = cutoffs
        self._first = track.offsets[customers]
        following = track.offsets[customers + np.int32(1)]
        self._end = first_at(track.occurred, self._first, following, cutoffs)
        self._starts: dict[float, Ints] = {}
        self._bounds: dict[object, tuple[Ints, Ints]] = {}
        self._places: dict[int, Ints] = {}

    def count(self, _: str, days: float | None, until: float, __: int) -> Floats:
        """Return how many events there are."""
        return kernel.window_count(*self.bounds(days, until))

    def sum(self, column: str, days: float | None, until: float, _: int) -> Floats:
        """Return the sum of a column."""
        low, high = self.bounds(days, until)
        return kernel.window_sum(self.track.sums(column), low, high, scale(column))

    def present(self, column: str, days: float | None, until: float, _: int) -> Floats:
        """Return how many numbers of a column are not missing."""
        low, high = self.bounds(days, until)
        return kernel.window_sum(self.track.presence(column), low, high, 1)

    def median(self, column: str, days: float | None, until: float, skip: int) -> Floats:
        """Return the median of a column, less its newest ``skip`` events."""
        low, high = self.bounds(days, until)
        high = np.maximum(high - skip, low) if skip else high
        return scans.window_median(self.track.column(column), low, high, scale(column))

    def trend(self, column: str, days: float | None, until: float, _: int) -> Floats:
        """Return the slope of a column over time."""
        low, high = self.bounds(days, until)
        return scans.window_trend(self.track.occurred, self.track.column(column), low, high)

    def distinct(self, column: str, days: float | None, until: float, _: int) -> Floats:
        """Return how many different words a column holds."""
        low, high = self.bounds(days, until)
        return scans.window_distinct(self.track.previous(column), low, high)

    def most_often(self, column: str, days: float | None, until: float, _: int) -> Floats:
        """Return how many times the commonest word of a column occurs."""
        low, high = self.bounds(days, until)
        return scans.window_most_often(self.track.previous(column), low, high)

    def streak(self, column: str, days: float | None, until: float, wanted: int) -> Floats:
        """Return how many of the newest events in a row hold a number."""
        low, high = self.bounds(days, until)
        return scans.window_streak(self.track.column(column), low, high, wanted)

    def gap_moments(
        self, _: str, days: float | None, until: float, __: int
    ) -> tuple[Floats, Floats, Floats]:
        """Return number, mean and standard deviation of the gaps."""
        return scans.gap_moments(self.track.occurred, *self.bounds(days, until))

    def gap_ranks(
        self, _: str, days: float | None, until: float, __: int
    ) -> tuple[Floats, Floats, Floats]:
        """Return median, spread and longest of the gaps."""
        return scans.gap_ranks(self.track.occurred, *self.bounds(days, until))

    def last(self, column: str, _: float | None, __: float, nth: int) -> Floats:
        """Return the number of the nth newest event."""
        return kernel.numbers_at(self.track.column(column), self._newest(nth), scale(column))

    def last_at(self, _: str, __: float | None, ___: float, nth: int) -> Ints:
        """Return the instant of the nth newest event."""
        return kernel.instants_at(self.track.occurred, self._newest(nth))

    def first_at(self, _: str, __: float | None, ___: float, nth: int) -> Ints:
        """Return the instant of the nth event."""
        return kernel.instants_at(self.track.occurred, self._oldest(nth))

    def since_last(self, _: str, __: float | None, ___: float, nth: int) -> Floats:
        """Return days from the nth newest event to the cutoff."""
        return kernel.days_since(self.track.occurred, self._newest(nth), self._cutoffs)

    def since_first(self, _: str, __: float | None, ___: float, nth: int) -> Floats:
        """Return days from the nth event to the cutoff."""
        return kernel.days_since(self.track.occurred, self._oldest(nth), self._cutoffs)

    def count_after(self, _: str, after: Ints) -> Floats:
        """Return how many events came after an instant a row."""
        return kernel.window_count(self._from(after + 1), self._end)

    def sum_after(self, column: str, after: Ints) -> Floats:
        """Return the sum of a column over the events after an instant a row."""
        low = self._from(after + 1)
        return kernel.window_sum(self.track.sums(column), low, self._end, scale(column))

    def bounds(self, days: float | None, until: float) -> tuple[Ints, Ints]:
        """Return first and last place (not included) of the window in the track, one a row."""
        if (days, until) not in self._bounds:
            low = self._first if days is None else self._before(days)
            high = self._end if until == 0 else self._before(until)
            self._bounds[days, until] = low, high
        return self._bounds[days, until]

    def _from(self, instants: Ints) -> Ints:
        return first_at(self.track.occurred, self._first, self._end, instants)

    def _before(self, days: float) -> Ints:
        if days not in self._starts:
            back, window = round(days * DAY_US), (self._first, self._end)
            occurred, cutoffs = self.track.occurred, self._cutoffs
            self._starts[days] = first_before(occurred, self._customers, window, cutoffs, back)
        return self._starts[days]

    def _newest(self, nth: int) -> Ints:
        if nth not in self._places:
            self._places[nth] = kernel.places(self._end, self._first, nth)
        return self._places[nth]

    def _oldest(self, nth: int) -> Ints:
        place = self._first + (nth - 1)
        return np.where(place < self._end, place, -1)
