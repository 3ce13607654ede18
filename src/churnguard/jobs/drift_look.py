"""One look of the watch: which cutoffs today is held against, and how everything compares.

The same season last year is the reference where there is a year of history; what the champion
learned from is the second witness, and the only one in a young shop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.training.drift import Drift, Limits, Rows, compare_rows

Floats = NDArray[np.float64]

SEASON, LEARNED = "season", "learned"
"""The references: the same weeks last year, and the newest weeks that the champion learned from."""

SCORE = "churn_risk"
"""The name under which scores are compared."""

GROWING = ("days_since_first_order",)
"""Signals that grow as the shop's book grows older, without anything being the matter."""

LEAST_HISTORY_DAYS = 60

WINDOW_DAYS = 28
"""Over how long events are counted: see :mod:`churnguard.jobs.delivery_look`."""

_YEAR_DAYS = 364  # the same day of the week
_AROUND_DAYS = (-14, 0, 14)
_LEARNED_DAYS = (0, -30)


@dataclass(frozen=True)
class Look:
    """The cutoffs of one look, microseconds UTC.

    Attributes
    ----------
    as_of : int
        Today.
    references : mapping of str to tuple of int
        By reference.
    earlier : tuple of int
        Where events are counted to see how their number wanders, window by window, oldest first.
    """

    as_of: int
    references: Mapping[str, tuple[int, ...]]
    earlier: tuple[int, ...] = ()

    @property
    def cutoffs(self) -> tuple[int, ...]:
        """Today's and those of the references, oldest first."""
        return tuple(
            sorted({self.as_of, *(cut for some in self.references.values() for cut in some)})
        )

    @property
    def words(self) -> str:
        """What today is held against, in words."""
        if SEASON in self.references:
            return "the same weeks last year, and what the model learned from"
        return (
            "what the model learned from only: there is no year of history yet, so a change of "
            "season may show as drift"
        )


def plan_look(as_of_us: int, *, history_from_us: int, learned_through_us: int) -> Look:
    """Lay the cutoffs of a look.

    Parameters
    ----------
    as_of_us : int
        Today.
    history_from_us : int
        The oldest event.
    learned_through_us : int
        The newest cutoff that the champion learned from.

    Examples
    --------
    >>> look = plan_look(700 * DAY_US, history_from_us=0, learned_through_us=600 * DAY_US)
    >>> [cut // DAY_US for cut in look.references["season"]]
    [322, 336, 350]
    >>> list(plan_look(300 * DAY_US, history_from_us=0, learned_through_us=0).references)
    ['learned']
    >>> [cut // DAY_US for cut in look.earlier[:2]], look.earlier[-1] // DAY_US
    ([84, 112], 672)
    """
    oldest = history_from_us + LEAST_HISTORY_DAYS * DAY_US
    season = tuple(as_of_us + (days - _YEAR_DAYS) * DAY_US for days in _AROUND_DAYS)
    learned = tuple(learned_through_us + days * DAY_US for days in _LEARNED_DAYS)
    kept = tuple(cut for cut in learned if cut >= oldest) or learned[:1]
    whole_year = min(season) >= oldest
    earlier = tuple(range(as_of_us - WINDOW_DAYS * DAY_US, oldest - 1, -WINDOW_DAYS * DAY_US))
    return Look(as_of_us, ({SEASON: season} if whole_year else {}) | {LEARNED: kept}, earlier[::-1])


def compare_look(
    look: Look,
    rows: Callable[[int], Floats],
    names: Sequence[str],
    *,
    risks: Callable[[Floats], Floats],
    without: Collection[str] = (),
    limits: Limits | None = None,
) -> tuple[Drift, ...]:
    """Compare every signal, and the score, with every reference.

    Parameters
    ----------
    look : Look
        The cutoffs.
    rows : callable
        The eligible customers' signals at a cutoff, shape (n, p).
    names : sequence of str
        The p signals.
    risks : callable
        The champion: rows to risks.
    without : collection of str
        Signals that only tell the time.
    limits : Limits, optional
        What counts as drift.

    Returns
    -------
    tuple of Drift
        A signal each, and the score as the last.
    """
    shown = Shown(rows, names, risks, without)
    return shown.compare(look, shown.of([rows(look.as_of)]), limits=limits)


class Shown:
    """Rows as the watch compares them: signals that tell more than the time, and the score.

    A reference is put together once, however many looks are held against it.

    Parameters
    ----------
    rows, names, risks, without
        As for :func:`compare_look`.
    """

    def __init__(
        self,
        rows: Callable[[int], Floats],
        names: Sequence[str],
        risks: Callable[[Floats], Floats],
        without: Collection[str] = (),
    ) -> None:
        self._rows, self._risks = rows, risks
        self._kept = [place for place, name in enumerate(names) if name not in without]
        self._names = [*(names[place] for place in self._kept), SCORE]
        self._made: dict[tuple[int, ...], Rows] = {}

    def of(self, parts: Sequence[Floats]) -> Rows:
        """Return the rows of one or more cutoffs."""
        X = np.concatenate(parts)
        both = np.column_stack([X[:, self._kept], self._risks(X)])
        return Rows(both, round(len(X) / len(parts)))

    def at(self, cutoffs: tuple[int, ...]) -> Rows:
        """Return the rows of a reference."""
        if cutoffs not in self._made:
            self._made[cutoffs] = self.of([self._rows(cutoff) for cutoff in cutoffs])
        return self._made[cutoffs]

    def compare(
        self, look: Look, current: Rows, *, limits: Limits | None = None
    ) -> tuple[Drift, ...]:
        """Compare today's rows, from :meth:`of`, with every reference."""
        references = {name: self.at(cutoffs) for name, cutoffs in look.references.items()}
        return compare_rows(references, current, self._names, limits=limits)
