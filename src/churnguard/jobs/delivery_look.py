"""Deliveries as the watch compares them: the events of each kind in the weeks before a cutoff."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.timeline import Timeline, Track
from churnguard.features.catalogue import Catalogue
from churnguard.jobs.drift_look import WINDOW_DAYS, Look
from churnguard.labels import Label
from churnguard.training.deliveries import Came, Delivery, compare_delivery
from churnguard.training.drift import Limits

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]


def kinds_read(catalogue: Catalogue) -> list[str]:
    """Return the kinds of event without which a signal could say nothing."""
    return sorted({event for signal in catalogue.signals for event in signal.needs})


class Deliveries:
    """What came of each kind of event: from customers eligible at a cutoff, and known at it.

    Who was eligible is found once, however many looks are taken.

    Parameters
    ----------
    timelines : sequence of Timeline
        The events, in partitions of customers.
    label : Label
        Who is eligible.
    look_back_days : int
        How recent the label wants a customer.
    """

    def __init__(self, timelines: Sequence[Timeline], label: Label, *, look_back_days: int) -> None:
        self._timelines = timelines
        self._label, self._look_back_days = label, look_back_days
        self._eligible: dict[int, list[Codes]] = {}

    def compare(
        self, look: Look, kinds: Collection[str], *, limits: Limits | None = None
    ) -> tuple[Delivery, ...]:
        """Compare what came of each kind with every reference."""
        found = []
        for kind in kinds:
            came = self.of(kind)
            one = compare_delivery(
                kind,
                {word: came(cutoffs) for word, cutoffs in look.references.items()},
                came((look.as_of,)),
                earlier=np.array([came((cutoff,)).mean for cutoff in look.earlier]),
                comparisons=len(kinds),
                limits=limits,
            )
            found.append(one)
        return tuple(found)

    def of(self, kind: str) -> Callable[[Sequence[int]], Came]:
        """Return what counts the events of a kind at some cutoffs."""
        tracks = [_ByTime.of(timeline.track(kind)) for timeline in self._timelines]

        def came(cutoffs: Sequence[int]) -> Came:
            counted = [np.zeros((2, track.customers)) for track in tracks]
            for cutoff in cutoffs:
                for track, counts, there in zip(tracks, counted, self._at(cutoff), strict=True):
                    counts[0, there] += track.before(cutoff)[there]
                    counts[1, there] += 1
            events, rows = np.concatenate(counted, axis=1)
            return Came(events, rows, len(cutoffs))

        return came

    def _at(self, cutoff: int) -> list[Codes]:
        if cutoff not in self._eligible:
            self._eligible[cutoff] = [
                self._label.eligible(timeline, cutoff, self._look_back_days)
                for timeline in self._timelines
            ]
        return self._eligible[cutoff]


@dataclass(frozen=True)
class _ByTime:
    """All events of a kind in the order of time, so that a window is a slice."""

    occurred: Ints
    received: Ints
    customer: Codes
    customers: int

    @classmethod
    def of(cls, track: Track) -> _ByTime:
        order = np.argsort(track.occurred)
        events = track.occurred[order], track.received[order], track.customer[order]
        return cls(*events, customers=len(track.offsets) - 1)

    def before(self, cutoff: int) -> Ints:
        """Return how many events each customer had in the window before a cutoff, known at it."""
        begin = cutoff - WINDOW_DAYS * DAY_US
        window = slice(*np.searchsorted(self.occurred, [begin, cutoff]))
        known = self.customer[window][self.received[window] < cutoff]
        counts: Ints = np.bincount(known, minlength=self.customers)
        return counts
