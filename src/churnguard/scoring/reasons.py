"""Why the risk is what it is: contributions by family, told with the customer's own numbers.

Signals of one family move together (a long silence shows in five columns), so they are told once.
The sums are exact: from the base margin, the families' effects lead to the customer's margin. The
base is a customer who is usual in everything, so that a reason says what being unusual does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from churnguard.features.catalogue import Catalogue
from churnguard.features.signal import Signal
from churnguard.features.units import LANGUAGES, Language
from churnguard.scoring.peers import EVERYBODY
from churnguard.scoring.score import Reason


@dataclass(frozen=True)
class ReasonWriter:
    """Turns contributions into reasons.

    Attributes
    ----------
    catalogue : Catalogue
        The signals, in the order of the model's columns.
    peers : mapping of str to float
        What is usual among customers, by signal; told where the signal has no own usual.
    currency : str
        ISO 4217 code of the shop's money.
    segment_peers : mapping of str to mapping of str to float
        What is usual in a segment, by segment and signal; goes before ``peers``.
    """

    catalogue: Catalogue
    peers: Mapping[str, float] = field(default_factory=dict)
    currency: str = "USD"
    segment_peers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @cached_property
    def families(self) -> Mapping[str, tuple[int, ...]]:
        """Return the columns of each family; a signal goes with the one by which it is told."""
        found: dict[str, list[int]] = {}
        for column, signal in enumerate(self.catalogue.signals):
            found.setdefault(self._teller(signal).family, []).append(column)
        return {family: tuple(columns) for family, columns in found.items()}

    @cached_property
    def told_by(self) -> Mapping[str, tuple[int, ...]]:
        """Return the columns that are told by each signal: its own, and those that name it."""
        found: dict[str, list[int]] = {}
        for column, teller in enumerate(self._tellers):
            found.setdefault(teller.name, []).append(column)
        return {name: tuple(columns) for name, columns in found.items()}

    def reasons(
        self,
        contributions: NDArray[np.float64],
        values: NDArray[np.float64],
        *,
        segment: str | None = None,
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
        segment : str, optional
            The customer's segment: with whom to compare.

        Returns
        -------
        tuple of Reason
            By size of effect, then by family; families without effect are left out.
        """
        shares = contributions.tolist()
        numbers = dict(zip(self.catalogue.names, values.tolist(), strict=True))
        points = points_per_log_odds(shares[-1], math.fsum(shares))
        told: list[tuple[float, str, int]] = []
        for family, columns in self.families.items():
            parts = [shares[column] for column in columns]
            effect = math.fsum(parts)
            if effect != 0:  # told by what pulls strongest the way the family goes
                strongest = max(parts) if effect > 0 else min(parts)
                told.append((effect, family, columns[parts.index(strongest)]))
        told.sort(key=lambda one: (-abs(one[0]), one[1]))
        usual = self._usual(segment)
        return tuple(
            self._reason(column, effect, effect * points, numbers, usual)
            for effect, _, column in told
        )

    @cached_property
    def _tellers(self) -> tuple[Signal, ...]:
        """By column, the signal by which it is told."""
        return tuple(self._teller(signal) for signal in self.catalogue.signals)

    def _teller(self, signal: Signal) -> Signal:
        """Return the signal by which a signal is told: itself, unless it names another."""
        known = signal.told_as is not None and signal.told_as in self.catalogue.names
        return self.catalogue[signal.told_as] if known and signal.told_as else signal

    @cached_property
    def _sentences(self) -> tuple[Mapping[Language, Callable[[Mapping[str, float]], str]], ...]:
        """By column, what writes the sentence by which it is told."""
        units = self.catalogue.units
        return tuple(
            {
                language: signal.teller(language, currency=self.currency, units=units)
                for language in LANGUAGES
            }
            for signal in self._tellers
        )

    def _reason(
        self,
        column: int,
        effect: float,
        points: float,
        numbers: Mapping[str, float],
        usual: Mapping[str, tuple[float, str]],
    ) -> Reason:
        signal = self._tellers[column]
        own = self.catalogue.usual(signal.name, numbers)
        peers, peers_of = usual.get(signal.name, (None, None))
        return Reason(
            code=signal.name,
            family=signal.family,
            effect=effect,
            effect_points=points,
            value=_known(numbers[signal.name]),
            usual=peers if own is None else own,
            text={language: tell(numbers) for language, tell in self._sentences[column].items()},
            own=own,
            peers=peers,
            peers_of=peers_of,
        )

    def _usual(self, segment: str | None) -> Mapping[str, tuple[float, str]]:
        """Return what is usual in the segment, or else among everybody, and which of the two."""
        return self._usual_in.get(segment or "", self._usual_in[EVERYBODY])

    @cached_property
    def _usual_in(self) -> Mapping[str, Mapping[str, tuple[float, str]]]:
        everybody = _named(self.peers, EVERYBODY)
        return {
            **{
                segment: everybody | _named(usual, segment)
                for segment, usual in self.segment_peers.items()
            },
            EVERYBODY: everybody,
        }


def _named(usual: Mapping[str, float], group: str) -> dict[str, tuple[float, str]]:
    return {name: (value, group) for name, value in usual.items() if not math.isnan(value)}


def from_usual(
    contributions: NDArray[np.float64], usual: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return contributions that start from the usual customer instead of the model's own base.

    A model's base is a mean over customers, and hardly anybody is the mean: a signal at what is
    usual would seem to push. What the usual customer's signals contribute is taken from each
    signal and given to the base; the sum stays what it was.

    Parameters
    ----------
    contributions : ndarray of float64, shape (n, p + 1)
        By signal, the base last.
    usual : ndarray of float64, shape (p + 1,), optional
        The contributions of a customer who is usual in everything; None changes nothing.

    Examples
    --------
    >>> from_usual(np.array([[0.75, 0.5, -1.0]]), np.array([0.25, 0.5, -1.0])).tolist()
    [[0.5, 0.0, -0.25]]
    """
    if usual is None:
        return contributions
    base = contributions[:, -1:] + math.fsum(usual[:-1].tolist())
    return np.hstack([contributions[:, :-1] - usual[:-1], base])


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
    low, high = sorted((base_margin, margin))
    way = high - low
    if way == 0:
        return sigmoid(low) * sigmoid(-low)
    # sigmoid(high) - sigmoid(low), without the cancellation of two numbers that are nearly equal
    return sigmoid(high) * sigmoid(-low) * -math.expm1(-way) / way


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
