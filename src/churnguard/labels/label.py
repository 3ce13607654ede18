"""The meanings of "churned" that a shop may choose from.

A label is an entry in :data:`LABELS`, chosen by its name: the setting ``label`` of a project, the
``label`` of a bundle. ``activity:EVENT`` makes one of any kind of event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from churnguard.errors import InvalidRequest
from churnguard.labels import order_gap, subscription

if TYPE_CHECKING:
    from churnguard.events.timeline import Timeline

ORDER_GAP = "order_gap"
_ACTIVITY = "activity:"


@dataclass(frozen=True)
class Label:
    """One meaning of "churned".

    Attributes
    ----------
    name : str
        Under which settings and bundles name it.
    needs : tuple of str
        Events of which at least one kind must occur.
    eligible, churned : callable
        As in :mod:`churnguard.labels.order_gap`.
    churn, who : str
        For people: what the risk is of, with ``{days}`` of the horizon, and who is asked about,
        with ``{days}`` of the look-back.
    recency : str or None
        The signal that tells, when scoring, who is eligible: days since what the look-back looks
        for, missing where it never happened. None where no signal tells.
    never : str
        The ``status_reason`` of customers without it.
    """

    name: str
    needs: tuple[str, ...]
    eligible: Callable[[Timeline, int, int], NDArray[np.int32]]
    churned: Callable[[Timeline, NDArray[np.int32], NDArray[np.int64], int], NDArray[np.bool_]]
    churn: str
    who: str
    recency: str | None
    never: str

    @property
    def event(self) -> str | None:
        """The kind of event whose absence is churn; None where churn is an event of its own."""
        return self.needs[0] if len(self.needs) == 1 else None

    def seen_in(self, event_counts: Mapping[str, int]) -> bool:
        """Tell whether any event occurs that the label looks at."""
        return any(event_counts.get(event) for event in self.needs)

    def told(self, horizon_days: int, look_back_days: int) -> str:
        """Return what the risk is about, as the end of a sentence.

        Examples
        --------
        >>> LABELS["activity"].told(30, 90)
        "no 'signed_in' in the next 30 days, for customers with a 'signed_in' in the last 90 days"
        """
        churn, who = self.churn.format(days=horizon_days), self.who.format(days=look_back_days)
        return f"{churn}, for {who}"


def activity(event: str, *, name: str) -> Label:
    """Return the label of customers who no longer do something that may be anything.

    Parameters
    ----------
    event : str
        What an active customer does: ``signed_in`` in a shop that is looked at rather than bought
        from.
    name : str
        The label's own.
    """
    return Label(
        name=name,
        needs=(event,),
        eligible=partial(order_gap.eligible, event=event),
        churned=partial(order_gap.churned, event=event),
        churn=f"no '{event}' in the next {{days}} days",
        who=f"customers with a '{event}' in the last {{days}} days",
        recency=_RECENCIES.get(event),
        never="no_activity_yet",
    )


_RECENCIES = {
    "order_completed": "days_since_order",
    "signed_in": "days_since_login",
    "product_viewed": "days_since_view",
    "products_searched": "days_since_search",
}

_ALL = (
    Label(
        name=ORDER_GAP,
        needs=(order_gap.ORDER,),
        eligible=order_gap.eligible,
        churned=order_gap.churned,
        churn="no order in the next {days} days",
        who="customers with an order in the last {days} days",
        recency="days_since_order",
        never="no_order_yet",
    ),
    Label(
        name="subscription",
        needs=subscription.EVENTS,
        eligible=subscription.eligible,
        churned=subscription.churned,
        churn="a subscription that ends within {days} days and is not renewed",
        who="customers whose subscription runs, begun or renewed in the last {days} days",
        recency="days_since_renewal",
        never="no_subscription",
    ),
    activity("signed_in", name="activity"),
)

LABELS: Mapping[str, Label] = {label.name: label for label in _ALL}
"""Every label that has a name of its own; see :func:`label_named` for the others."""


def label_named(name: str) -> Label:
    """Return a label by its name.

    Parameters
    ----------
    name : str
        A key of :data:`LABELS`, or ``activity:EVENT``: no such event in the horizon.

    Raises
    ------
    InvalidRequest
        If there is no such label.

    Examples
    --------
    >>> label_named("activity:message_sent").needs
    ('message_sent',)
    """
    if name in LABELS:
        return LABELS[name]
    event = name.removeprefix(_ACTIVITY)
    if event == name or not re.fullmatch(r"[a-z][a-z0-9_]*", event):
        raise InvalidRequest(
            f"There is no label '{name}'.",
            hint=f"There are {', '.join(LABELS)}, and activity:EVENT with the name of an event.",
        )
    return activity(event, name=name)
