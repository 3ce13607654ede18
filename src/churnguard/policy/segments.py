"""Segments: where a customer stands in the life with the shop, by rules that anybody can check.

The segment looks at signals only, never at the model, so that it stays the same when the model
changes. The rules are tried in order and the first that holds names the segment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from churnguard.policy.rules import Rule, SignalTable, parse_rule

HIGH_VALUE_MULTIPLE = 3.0
"""A customer is of high value from so many times the shop's mean yearly spend."""


@dataclass(frozen=True)
class Segment:
    """One segment.

    Attributes
    ----------
    code : str
        Its name in scores and filters.
    name, meaning : mapping of str to str
        For people, by language.
    when : tuple of str
        Rules that must all hold, in the language of :mod:`churnguard.policy.rules`;
        ``{dormant_days}`` and ``{high_value}`` stand for the shop's own numbers.
    """

    code: str
    name: Mapping[str, str]
    meaning: Mapping[str, str]
    when: tuple[str, ...]


SEGMENTS: tuple[Segment, ...] = (
    Segment(
        "new",
        {"en": "New", "he": "חדשים"},
        {
            "en": "First order at most 30 days ago.",
            "he": "ההזמנה הראשונה בוצעה ב-30 הימים האחרונים.",
        },
        ("days_since_first_order <= 30",),
    ),
    Segment(
        "dormant",
        {"en": "Dormant", "he": "רדומים"},
        {
            "en": "No order for half of the look-back or longer.",
            "he": "לא הזמינו במשך מחצית מתקופת המעקב או יותר.",
        },
        ("days_since_order >= {dormant_days}",),
    ),
    Segment(
        "one_time",
        {"en": "One-time", "he": "חד-פעמיים"},
        {"en": "One order so far.", "he": "הזמנה אחת בלבד עד כה."},
        ("orders_total == 1",),
    ),
    Segment(
        "at_risk",
        {"en": "At risk", "he": "בסיכון"},
        {
            "en": "Silent for at least twice the usual gap between own orders.",
            "he": "לא הזמינו זמן כפול לפחות מהמרווח הרגיל בין ההזמנות שלהם.",
        },
        ("order_gap_ratio >= 2",),
    ),
    Segment(
        "high_value",
        {"en": "High value", "he": "בעלי ערך גבוה"},
        {
            "en": "Net spend of the past year at least three times the shop's mean.",
            "he": "סכום הקניות נטו בשנה האחרונה הוא לפחות פי שלושה מהממוצע בחנות.",
        },
        ("net_spend_365d >= {high_value}", "net_spend_365d > 0"),
    ),
    Segment(
        "rising",
        {"en": "Rising", "he": "בעלייה"},
        {
            "en": "Half a year or more with us; half of the year's spend in the last 90 days.",
            "he": "לקוחות חצי שנה ומעלה, שמחצית מהקניות שלהם בשנה האחרונה היו ב-90 הימים האחרונים.",
        },
        ("days_since_first_order >= 180", "orders_90d >= 2", "spend_90d >= 0.5 * spend_365d"),
    ),
    Segment(
        "loyal",
        {"en": "Loyal", "he": "נאמנים"},
        {
            "en": "Came back at least once and still within the own rhythm.",
            "he": "חזרו לקנות לפחות פעם אחת ועדיין קונים בקצב הרגיל שלהם.",
        },
        ("orders_total >= 2",),
    ),
)
"""In the order in which they are tried."""


def segments(
    table: SignalTable, *, shop_mean_spend: float, look_back_days: int
) -> list[str | None]:
    """Return each customer's segment.

    Parameters
    ----------
    table : SignalTable
        The signals of n customers; a rule whose signals are missing does not hold.
    shop_mean_spend : float
        The shop's mean net spend of a year; see :func:`churnguard.policy.value.mean_spend`.
    look_back_days : int
        How recent an order must be to be scored; half of it makes a customer dormant.

    Returns
    -------
    list of str or None, length n
        None where no rule holds.

    Examples
    --------
    >>> names = ("orders_total", "days_since_order", "days_since_first_order", "order_gap_ratio")
    >>> values = np.array([[1, 5, 5, np.nan], [1, 90, 90, np.nan], [9, 80, 400, 2.5]])
    >>> segments(SignalTable.of(values, names), shop_mean_spend=100.0, look_back_days=365)
    ['new', 'one_time', 'at_risk']
    """
    rules = _rules(max(shop_mean_spend, 0.0), look_back_days)
    if len(table) == 1:
        signals = table.signals_of(0)
        ours = (
            one.code for one, rule in zip(SEGMENTS, rules, strict=True) if rule.holds_for(signals)
        )
        return [next(ours, None)]
    found = np.full(len(table), -1)
    for place in reversed(range(len(rules))):
        found[rules[place].holds(table)] = place
    codes: list[str | None] = [*(segment.code for segment in SEGMENTS), None]
    return [codes[place] for place in found.tolist()]


def segment_table() -> str:
    """Return the segments as a Markdown table, in the order in which they are tried.

    Examples
    --------
    >>> print(segment_table().splitlines()[2])
    | `new` | First order at most 30 days ago. | `days_since_first_order <= 30` |
    """
    rows = [
        f"| `{segment.code}` | {segment.meaning['en']} | {_told(segment.when)} |"
        for segment in SEGMENTS
    ]
    return "\n".join(["| segment | meaning | rule |", "|---|---|---|", *rows])


def _told(when: tuple[str, ...]) -> str:
    texts = [
        text.format(
            dormant_days="look_back_days / 2",
            high_value=f"{HIGH_VALUE_MULTIPLE:g} * the shop's mean net spend",
        )
        for text in when
    ]
    return " and ".join(f"`{text}`" for text in texts)


@lru_cache(maxsize=64)
def _rules(shop_mean_spend: float, look_back_days: int) -> tuple[Rule, ...]:
    """Put the shop's own numbers into the rules, once."""
    numbers = {
        "dormant_days": repr(look_back_days / 2),
        "high_value": repr(HIGH_VALUE_MULTIPLE * shop_mean_spend),
    }
    return tuple(
        parse_rule([text.format(**numbers) for text in segment.when]) for segment in SEGMENTS
    )
