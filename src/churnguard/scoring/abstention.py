"""When there is no number, and why: better no score than one that means nothing.

What the customer book says (objection, exclusion, restriction) comes first, then what the signals
say, then whether the model's own interval says anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.errors import CatalogueError
from churnguard.labels import ORDER_GAP, Label, label_named
from churnguard.policy.rules import SignalTable
from churnguard.scoring.score import Status

STATUS_OF: Mapping[str, Status] = {
    "no_order_yet": "abstained",
    "no_activity_yet": "abstained",
    "no_subscription": "abstained",
    "outside_look_back": "abstained",
    "too_little_history": "abstained",
    "no_model": "abstained",
    "excluded": "abstained",
    "opted_out": "objected",
    "restricted": "restricted",
    "not_found": "unknown",
}
"""The status that goes with each ``status_reason``."""

_BOOK = (("restricted", "restricted"), ("opt_out_profiling", "opted_out"), ("exclude", "excluded"))


def silences(
    customer_ids: Sequence[str],
    table: SignalTable,
    customers: Mapping[str, Mapping[str, Any] | None],
    *,
    look_back_days: int,
    label: str = ORDER_GAP,
) -> list[str | None]:
    """Return why each customer gets no number, as far as book and signals can tell.

    Parameters
    ----------
    customer_ids : sequence of str, length n
        Whom the rows are about.
    table : SignalTable
        Their signals; the one by which the label tells who is eligible must be among them.
    customers : mapping
        The customer book by customer; rows may be missing.
    look_back_days : int
        An order must be this recent; exactly at the border is recent enough.
    label : str
        What churn is; see :func:`churnguard.labels.label_named`.

    Returns
    -------
    list of str or None, length n
        A ``status_reason``, or None where the model may speak.

    Raises
    ------
    CatalogueError
        If there is no such signal.

    Examples
    --------
    >>> table = SignalTable.of(np.array([[3.0], [400.0], [np.nan], [9.0]]), ("days_since_order",))
    >>> silences("abcd", table, {"d": {"opt_out_profiling": True}}, look_back_days=365)
    [None, 'outside_look_back', 'no_order_yet', 'opted_out']
    """
    meaning = label_named(label)
    refuse_untold(meaning, table.columns)
    recency = table.column(meaning.recency or "")
    assert recency is not None
    found = _from_signals(recency, look_back_days, never=meaning.never)
    if customers:
        for place, customer_id in enumerate(customer_ids):
            row = customers.get(customer_id)
            if row:
                found[place] = book_reason(row) or found[place]
    return found


def refuse_untold(label: Label, signals: Collection[str]) -> None:
    """Refuse a label where no signal tells who is eligible.

    Raises
    ------
    CatalogueError
        If its signal is not among these, or no signal of ChurnGuard's tells.
    """
    if label.recency is None:
        raise CatalogueError(
            f"No signal tells when a customer last did what the label '{label.name}' looks at, so "
            "nobody can tell whom to score.",
            hint="Choose another label in churnguard.toml.",
        )
    if label.recency not in signals:
        raise CatalogueError(
            f"The catalogue has no signal '{label.recency}', so nobody can tell whom to score.",
            hint="Add it to the project's catalogue and train again.",
        )


def book_reason(row: Mapping[str, Any]) -> str | None:
    """Return the ``status_reason`` that a row of the customer book gives, if it gives one.

    Examples
    --------
    >>> book_reason({"opt_out_profiling": False, "exclude": True})
    'excluded'
    """
    for column, reason in _BOOK:
        if row.get(column):
            return reason
    return None


def too_little_history(
    margins: NDArray[np.float64], intervals: NDArray[np.float64], *, widest: float
) -> NDArray[np.bool_]:
    """Tell for whom the model's answer says too little: no number, or an interval too wide.

    Parameters
    ----------
    margins : ndarray of float64, shape (n,)
        Log-odds.
    intervals : ndarray of float64, shape (n, 2)
        In probability.
    widest : float
        The widest interval that still says something.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    width = intervals[:, 1] - intervals[:, 0]
    return np.asarray(np.isnan(margins) | ~(width <= widest))


def _from_signals(
    recency: NDArray[np.float64], look_back_days: int, *, never: str
) -> list[str | None]:
    found: list[str | None] = [None] * len(recency)
    for place in np.flatnonzero(np.isnan(recency)).tolist():
        found[place] = never
    for place in np.flatnonzero(recency > look_back_days).tolist():
        found[place] = "outside_look_back"
    return found
