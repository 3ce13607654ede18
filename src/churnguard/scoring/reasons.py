"""Why the risk is what it is: contributions by family, told with the customer's own numbers.

Signals of one family move together (a long silence shows in five columns), so they are told once.
The sums are exact: from the base margin, the families' effects lead to the customer's margin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from churnguard.scoring.score import Reason

_SAME = 1e-12


class Told(Protocol):
    """What reasons need of a signal; see :class:`churnguard.features.signal.Signal`."""

    @property
    def name(self) -> str:
        """Its column."""

    @property
    def family(self) -> str:
        """The family it is told with."""

    @property
    def usual(self) -> str | None:
        """The signal that holds what is usual for the customer."""

    @property
    def sentence(self) -> Mapping[str, str]:
        """Sentence by language."""


class SignalCatalogue(Protocol):
    """What reasons need of a catalogue."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""

    @property
    def signals(self) -> Sequence[Told]:
        """The signals, in the order of the columns."""


@dataclass(frozen=True)
class ReasonWriter:
    """Turns contributions into reasons.

    Attributes
    ----------
    catalogue : SignalCatalogue
        The signals, in the order of the model's columns.
    peers : mapping of str to float
        What is usual among customers, by signal; told where the signal has no own usual.
    languages : tuple of str
        Languages to write.
    """

    catalogue: SignalCatalogue
    peers: Mapping[str, float] = field(default_factory=dict)
    languages: tuple[str, ...] = ("en", "he")

    @cached_property
    def families(self) -> Mapping[str, tuple[int, ...]]:
        """Return the columns of each family."""
        found: dict[str, list[int]] = {}
        for column, signal in enumerate(self.catalogue.signals):
            found.setdefault(signal.family, []).append(column)
        return {family: tuple(columns) for family, columns in found.items()}

    @cached_property
    def columns(self) -> Mapping[str, int]:
        """Return the column of each signal."""
        return {name: column for column, name in enumerate(self.catalogue.names)}

    def reasons(
        self, contributions: NDArray[np.float64], values: NDArray[np.float64]
    ) -> tuple[Reason, ...]:
        """Return one customer's reasons, the strongest first.

        Per family the effect is the sum of its signals' contributions, and its code is the signal
        that pulls strongest the way the family goes. Effects are log-odds; each gets its share of
        the way in probability, with ``base`` the last contribution and ``margin`` the sum of all::

            effect_points = effect / (margin - base) * (sigmoid(margin) - sigmoid(base))

        Parameters
        ----------
        contributions : ndarray of float64, shape (p + 1,)
            Calibrated log-odds of each signal, the base margin last.
        values : ndarray of float64, shape (p,)
            The customer's signals.

        Returns
        -------
        tuple of Reason
            By size of effect, then by family; families without effect are left out.
        """
        shares, numbers = contributions.tolist(), values.tolist()
        effects = {
            family: math.fsum(shares[column] for column in columns)
            for family, columns in self.families.items()
        }
        points = points_per_log_odds(shares[-1], math.fsum(shares))
        told = sorted(
            ((family, effect) for family, effect in effects.items() if effect != 0),
            key=lambda item: (-abs(item[1]), item[0]),
        )
        return tuple(
            self._reason(family, effect, points, shares=shares, numbers=numbers)
            for family, effect in told
        )

    def _reason(
        self,
        family: str,
        effect: float,
        points: float,
        *,
        shares: Sequence[float],
        numbers: Sequence[float],
    ) -> Reason:
        way = math.copysign(1.0, effect)
        column = max(self.families[family], key=lambda place: (way * shares[place], -place))
        signal = self.catalogue.signals[column]
        return Reason(
            code=signal.name,
            family=family,
            effect=effect,
            effect_points=effect * points,
            value=_known(numbers[column]),
            usual=self._usual(signal, numbers),
            text={
                language: self._sentence(signal, language, numbers) for language in self.languages
            },
        )

    def _sentence(self, signal: Told, language: str, numbers: Sequence[float]) -> str:
        values = {name: numbers[column] for name, column in self.columns.items()}
        return signal.sentence[language].format(value=values[signal.name], **values)

    def _usual(self, signal: Told, numbers: Sequence[float]) -> float | None:
        """Return the customer's own usual, else the peers', else None."""
        column = self.columns.get(signal.usual or "")
        usual = math.nan if column is None else numbers[column]
        return _known(self.peers.get(signal.name, math.nan) if math.isnan(usual) else usual)


def points_per_log_odds(base_margin: float, margin: float) -> float:
    """Return how many points of risk one unit of log-odds stands for, between base and margin.

    The slope of the chord of the logistic function; where both ends meet, its tangent. Shares in
    proportion to effects are the simplest that add up and keep the sign of every effect.

    Examples
    --------
    >>> round(points_per_log_odds(-0.41, 0.93), 4)
    0.2374
    >>> points_per_log_odds(0.0, 0.0)
    0.25
    """
    way = margin - base_margin
    if abs(way) < _SAME:
        risk = sigmoid(margin)
        return risk * (1 - risk)
    return (sigmoid(margin) - sigmoid(base_margin)) / way


def sigmoid(margin: float) -> float:
    """Return the probability of log-odds, without overflow.

    Examples
    --------
    >>> sigmoid(0.0), sigmoid(-1000.0), sigmoid(1000.0)
    (0.5, 0.0, 1.0)
    """
    if margin >= 0:
        return 1 / (1 + math.exp(-margin))
    odds = math.exp(margin)
    return odds / (1 + odds)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
