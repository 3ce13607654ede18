"""The rule by which closings answer openings, case by case."""

from __future__ import annotations

import pyarrow as pa
import pytest

from churnguard.clock import DAY_US
from churnguard.events.timeline import MISSING, Timeline
from churnguard.features.tickets import ticket_events

HOUR = DAY_US // 24
INSTANT = pa.timestamp("us", tz="UTC")


def moves(*said):
    """Return (hour, hours waited, hour of the oldest open) of moves (what, hour, topic)."""
    names = {"open": "support_ticket_opened", "close": "support_ticket_closed"}
    at = pa.array([int(move[1] * HOUR) for move in said], INSTANT)
    table = pa.table(
        {
            "event_id": pa.array([str(place) for place in range(len(said))], pa.string()),
            "customer_id": pa.array([move[3] if move[3:] else "a" for move in said], pa.string()),
            "event": pa.array([names[move[0]] for move in said], pa.string()),
            "occurred_at": at,
            "received_at": at,
            "kind": pa.array([move[2] for move in said], pa.string()),
        }
    )
    found = ticket_events(Timeline.from_arrow(table))["ticket_moved"]
    columns = (found.occurred, found.columns["waited"], found.columns["oldest"])
    return [
        tuple(None if number == MISSING else number / HOUR for number in row)
        for row in zip(*columns, strict=True)
    ]


@pytest.mark.parametrize(
    ("why", "said", "expected"),
    [
        (
            "the first one opened is the first one closed",
            [("open", 1, None), ("open", 2, None), ("close", 5, None), ("close", 9, None)],
            [(1, None, 1), (2, None, 1), (5, 4, 2), (9, 7, None)],
        ),
        (
            "a closing answers its own topic",
            [("open", 1, "late"), ("open", 2, "broken"), ("close", 5, "broken")],
            [(1, None, 1), (2, None, 1), (5, 3, 1)],
        ),
        (
            "a closing of a topic that none is open in answers one without a topic",
            [("open", 1, "late"), ("open", 2, None), ("close", 5, "broken")],
            [(1, None, 1), (2, None, 1), (5, 3, 1)],
        ),
        (
            "a closing without a topic answers the oldest of all",
            [("open", 1, "late"), ("open", 2, "broken"), ("close", 5, None), ("close", 6, "late")],
            [(1, None, 1), (2, None, 1), (5, 4, 2), (6, None, 2)],
        ),
        (
            "a closing that finds nothing open says nothing",
            [("close", 1, None), ("open", 2, "late"), ("close", 3, "broken")],
            [(1, None, None), (2, None, 2), (3, None, 2)],
        ),
        (
            "at one instant a request is opened before it is closed",
            [("close", 1, None), ("open", 1, None)],
            [(1, None, 1), (1, 0, None)],
        ),
        (
            "a topic may be opened again after all of it was closed",
            [("open", 1, "late"), ("close", 2, None), ("open", 3, "late"), ("close", 7, "late")],
            [(1, None, 1), (2, 1, None), (3, None, 3), (7, 4, None)],
        ),
        (
            "no customer answers for another",
            [("open", 1, "late", "a"), ("close", 2, "late", "b"), ("open", 3, None, "b")],
            [(1, None, 1), (2, None, None), (3, None, 3)],
        ),
    ],
)
def test_a_closing_answers_by_the_rule(why, said, expected):
    """Each case of the rule, in the words of the case."""
    assert moves(*said) == expected, why


def test_a_shop_without_requests_has_none():
    """Nothing in, nothing out."""
    assert moves() == []
