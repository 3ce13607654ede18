"""The signals of those who may yet be given reasons, while everybody is being scored.

Who is worth explaining is known only in the end. But whoever stands behind so many others, in
expected gain and in risk, will not be: their signals are let go on the way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.features.build import FeatureRows
from churnguard.scoring.score import Score

_SLACK = 3  # times as many are held as will be needed, so that they are seldom looked through


@dataclass(frozen=True)
class _Kept:
    """Rows with what decides whether they stay."""

    rows: FeatureRows
    gains: NDArray[np.float64]
    risks: NDArray[np.float64]

    def take(self, places: NDArray[Any]) -> _Kept:
        return _Kept(self.rows.take(places), self.gains[places], self.risks[places])


class Shortlist:
    """Keeps signals of scored customers.

    Parameters
    ----------
    most : int, optional
        How many will be asked for at most, the first in expected gain or in risk; anybody may be
        when not given.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._kept: list[_Kept] = []
        self._held = 0

    def add(self, rows: FeatureRows, scores: Sequence[Score]) -> None:
        """Take in customers.

        Parameters
        ----------
        rows : FeatureRows
            Their signals.
        scores : sequence of Score
            Theirs, in the order of the rows; whoever has no number or no action is left out.
        """
        told = [
            (place, score.action.expected_gain, score.churn_risk)
            for place, score in enumerate(scores)
            if score.action is not None and score.churn_risk is not None
        ]
        if not told or self._most == 0:
            return
        places, gains, risks = (np.array(column) for column in zip(*told, strict=True))
        self._kept.append(_Kept(rows.take(places), gains, risks))
        self._held += len(told)
        if self._most is not None and self._held > _SLACK * self._most:
            self._let_go(self._most)

    def parts(self, customers: Collection[str]) -> Iterator[FeatureRows]:
        """Yield the signals of some customers, part by part."""
        for kept in self._kept:
            places = [i for i, name in enumerate(kept.rows.customer_ids) if name in customers]
            if places:
                yield kept.rows.take(np.array(places))

    def _let_go(self, most: int) -> None:
        """Keep the first in each order, in which the name decides between equals."""
        names = [str(name) for kept in self._kept for name in kept.rows.customer_ids]
        by_name = np.empty(len(names), np.int64)
        by_name[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        stays = np.zeros(len(names), bool)
        for worth in ("gains", "risks"):
            worths = np.concatenate([getattr(kept, worth) for kept in self._kept])
            stays[np.lexsort((by_name, -worths))[:most]] = True
        ends = np.cumsum([len(kept.rows) for kept in self._kept])
        parts = np.split(stays, ends[:-1])
        self._kept = [
            kept.take(np.flatnonzero(part))
            for kept, part in zip(self._kept, parts, strict=True)
            if part.any()
        ]
        self._held = int(stays.sum())
