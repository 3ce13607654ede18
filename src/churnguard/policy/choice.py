"""The choice: for each customer the one action that brings in most, or leaving the customer alone.

All customers at once or a single one: the same arithmetic, element by element, so the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from churnguard.policy.playbook import Action, Playbook
from churnguard.policy.rules import Signals, SignalTable


@dataclass(frozen=True)
class Contact:
    """What is on record about contacting n customers.

    Attributes
    ----------
    consent : mapping of str to ndarray of bool, shape (n,)
        By channel, who has said yes; unknown counts as no, a channel left out as no for all.
    last_actions : mapping of int to mapping of str to datetime
        By row, when each action was last taken; rows without any may be left out.
    as_of : datetime
        The instant at which a cooldown must be over.
    """

    consent: Mapping[str, NDArray[np.bool_]]
    last_actions: Mapping[int, Mapping[str, datetime]]
    as_of: datetime


@dataclass(frozen=True)
class Choices:
    """The chosen action of each of n customers.

    Attributes
    ----------
    actions : tuple of Action
        What ``chosen`` points into.
    chosen : ndarray of int64, shape (n,)
        Position of the chosen action.
    gains, costs : ndarray of float64, shape (n,)
        Expected gain and cost of the chosen action, money; the gain is never below 0.
    """

    actions: tuple[Action, ...]
    chosen: NDArray[np.int64]
    gains: NDArray[np.float64]
    costs: NDArray[np.float64]


def choose_actions(
    playbook: Playbook,
    table: SignalTable,
    *,
    risks: NDArray[np.float64],
    values: NDArray[np.float64],
    contact: Contact,
) -> Choices:
    """Choose for each customer the eligible action with the largest expected gain.

    ::

        cost = action.cost + action.gives_away * (1 - risk) * value
        gain = prevented(risk) * value - cost

    What an action prevents is stated for customers at even odds and carried over to others with
    the same effect on the odds (see :func:`prevented_churn`): those who are as good as gone and
    those who stay anyway have little to gain.

    Leaving alone gains 0, is always eligible and wins every tie; between other actions of equal
    gain the higher priority wins, then the code that comes first in the alphabet.

    Parameters
    ----------
    playbook : Playbook
        The actions.
    table : SignalTable
        Signals of n customers.
    risks : ndarray of float64, shape (n,)
        Probability that the customer leaves when nothing is done.
    values : ndarray of float64, shape (n,)
        Margin expected over the horizon if the customer stays, money.
    contact : Contact
        Consent and earlier actions of the same customers.

    Returns
    -------
    Choices
    """
    actions = playbook.ranked
    n = len(table)
    if n == 1:
        return _choose_for_one(actions, table, risks=risks, values=values, contact=contact)
    chosen = np.zeros(n, dtype=np.int64)
    gains, costs = np.zeros(n), np.zeros(n)
    safe = (1.0 - risks) * values
    for place, action in enumerate(actions[1:], start=1):
        may = eligible(action, table, contact)
        if not may.any():
            continue
        cost = action.cost + action.gives_away * safe
        gain = prevented_churn(risks, action.prevents) * values - cost
        better = may & (gain > gains)
        chosen[better] = place
        gains[better], costs[better] = gain[better], cost[better]
    return Choices(actions, chosen, gains, costs)


def _choose_for_one(
    actions: tuple[Action, ...],
    table: SignalTable,
    *,
    risks: NDArray[np.float64],
    values: NDArray[np.float64],
    contact: Contact,
) -> Choices:
    """Choose for one customer: the same sums for all actions at once, rules from the best down."""
    cost, given, prevents = (
        np.array([(action.cost, action.gives_away, action.prevents) for action in actions[1:]])
        .reshape(-1, 3)
        .T
    )
    costs = cost + given * ((1.0 - risks) * values)
    gains = prevented_churn(risks, prevents) * values - costs
    signals = table.signals_of(0)
    for place in np.argsort(-gains, kind="stable").tolist():
        if not gains[place] > 0.0:
            break
        if _is_eligible(actions[place + 1], signals, contact):
            return Choices(
                actions, np.array([place + 1]), gains[place : place + 1], costs[place : place + 1]
            )
    return Choices(actions, np.zeros(1, dtype=np.int64), np.zeros(1), np.zeros(1))


def prevented_churn(
    risks: NDArray[np.float64], prevents: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return by how much an action lowers each customer's risk.

    The share ``prevents`` holds at a risk of 1/2; elsewhere the action has the same effect on the
    odds, multiplying them by ``k = (1 - prevents) / (1 + prevents)``::

        prevented = risk - risk * k / (1 - risk + risk * k)

    Parameters
    ----------
    risks : ndarray of float64, shape (n,)
        Probability of leaving when nothing is done.
    prevents : float or ndarray of float64
        Share of churn prevented at even odds, from 0 to below 1; of one action, or of several
        where there is one customer.

    Returns
    -------
    ndarray of float64, shape (n,)
        Points of risk, from 0 to ``risks``.

    Examples
    --------
    >>> prevented_churn(np.array([0.0, 0.5, 0.99, 1.0]), 0.1).round(4).tolist()
    [0.0, 0.05, 0.0022, 0.0]
    """
    factor = (1.0 - prevents) / (1.0 + prevents)
    stay = 1.0 - risks
    return risks * stay * (1.0 - factor) / (stay + risks * factor)


def eligible(action: Action, table: SignalTable, contact: Contact) -> NDArray[np.bool_]:
    """Tell who may get an action: the rule says yes, consent is on record, the cooldown is over.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    may = np.ones(len(table), dtype=bool)
    if action.consent != "none":
        may = contact.consent.get(action.consent, ~may)
        if not may.any():  # cheaper to tell than a rule
            return np.zeros(len(table), dtype=bool)
    may = may & action.when.holds(table)
    for row, taken in contact.last_actions.items():
        if may[row] and _rest_days(action, taken, contact.as_of) > 0:
            may[row] = False
    return may


def _is_eligible(action: Action, signals: Signals, contact: Contact) -> bool:
    """Tell as :func:`eligible` does, where there is one customer."""
    if action.consent != "none":
        consent = contact.consent.get(action.consent)
        if consent is None or not consent[0]:
            return False
    if not action.when.holds_for(signals):
        return False
    return _rest_days(action, contact.last_actions.get(0, {}), contact.as_of) <= 0


def why_not_eligible(
    playbook: Playbook, table: SignalTable, row: int, *, contact: Contact
) -> dict[str, str]:
    """Say for one customer, in words, why each action that is not eligible is not.

    Parameters
    ----------
    playbook : Playbook
        The actions.
    table : SignalTable
        Signals of n customers.
    row : int
        Which of them.
    contact : Contact
        Consent and earlier actions of the n customers.

    Returns
    -------
    dict of str to str
        By action code, in the order of the file.
    """
    values = table.row(row)
    whys = {action.code: _why_not(action, values, row, contact) for action in playbook.actions}
    return {code: why for code, why in whys.items() if why}


def _why_not(action: Action, values: Mapping[str, float], row: int, contact: Contact) -> str:
    whys = [action.when.why_not(values)]
    if action.consent != "none":
        consent = contact.consent.get(action.consent)
        if consent is None or not consent[row]:
            whys.append(f"no consent for {action.consent} is on record")
    rest = _rest_days(action, contact.last_actions.get(row, {}), contact.as_of)
    if rest > 0:
        whys.append(f"taken too recently: its cooldown lasts {rest:.1f} more days")
    return "; ".join(why for why in whys if why)


def _rest_days(action: Action, taken: Mapping[str, datetime], as_of: datetime) -> float:
    """Return how many days of the cooldown are left; 0 or less when it is over."""
    last = taken.get(action.code)
    if last is None or action.cooldown_days == 0:
        return 0.0
    return action.cooldown_days - (as_of - last).total_seconds() / 86_400
