"""Service requests: which closing answers which opening, and how long the oldest one waits.

A closing answers the oldest open request of its topic (``kind``), or else the oldest without a
topic; a closing without a topic answers the oldest of all. One that finds nothing open says
nothing. At one instant requests are opened before others are closed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from churnguard.compiled import compiled
from churnguard.events.timeline import MISSING, Timeline
from churnguard.features.derived import DerivedEvents, derived_events

Ints = NDArray[np.int64]

_GONE = int(MISSING)


def ticket_events(timeline: Timeline) -> dict[str, DerivedEvents]:
    """Derive ``ticket_moved``: every opening and closing, and where the customer stands after it.

    Parameters
    ----------
    timeline : Timeline
        With ``support_ticket_opened`` and ``support_ticket_closed`` where the shop has them.

    Returns
    -------
    dict of str to DerivedEvents
        ``ticket_moved``, with ``waited``: microseconds for which the request that was closed had
        been open, missing for openings; and ``oldest``: the instant at which the oldest request
        still open was opened, missing where none is open.
    """
    moves = _moves(timeline)
    waited, oldest = _answered(moves, int(moves[3].max(initial=0)) + 1)
    derived = derived_events(timeline, moves[0], moves[1], waited=waited, oldest=oldest)
    return {"ticket_moved": derived}


def _moves(timeline: Timeline) -> Ints:
    """Return customer, instant, whether it closes, and topic (0 for none), sorted."""
    tracks = timeline.track("support_ticket_opened"), timeline.track("support_ticket_closed")
    there = len(tracks[0])
    moves = np.empty((4, there + len(tracks[1])), dtype=np.int64)
    for closes, part in enumerate((moves[:, :there], moves[:, there:])):
        track = tracks[closes]
        if len(track) == 0:
            continue
        part[0], part[1], part[2] = track.customer, track.occurred, closes
        part[3] = track.read("kind")
    moves[3] += 1
    order = np.lexsort((moves[2], moves[1], moves[0]))
    return np.ascontiguousarray(moves[:, order])


@compiled
def _answered(moves: Ints, topics: int) -> tuple[Ints, Ints]:
    """Return how long each closed request was open, and when the oldest open one was opened.

    Open requests of a topic are a queue: ``head`` is its first, ``tail`` its last, ``after`` leads
    from one to the next. ``first`` walks over all of a customer's; each request is passed once.
    """
    customer, at, closes, topic = moves[0], moves[1], moves[2], moves[3]
    waited, oldest = np.full(len(at), _GONE), np.full(len(at), _GONE)
    is_open = np.zeros(len(at), dtype=np.bool_)
    head, tail, after = np.full(topics, -1), np.full(topics, -1), np.full(len(at), -1)
    start = first = 0
    for move in range(len(at)):
        if customer[move] != customer[start]:
            for earlier in range(start, move):
                head[topic[earlier]] = -1
            start = first = move
        if closes[move]:
            found = first
            if topic[move] > 0:
                found = _front(head, after, is_open, topic[move])
                found = found if found >= 0 else _front(head, after, is_open, 0)
            if found >= 0 and is_open[found]:
                waited[move] = at[move] - at[found]
                is_open[found] = False
        else:
            is_open[move] = True
            _queue(head, tail, after, topic[move], move)
        while first < move and not is_open[first]:
            first += 1
        if is_open[first]:
            oldest[move] = at[first]
    return waited, oldest


@compiled
def _front(head: Ints, after: Ints, is_open: NDArray[np.bool_], topic: int) -> int:
    """Return the oldest open request of a topic, -1 if none; what is closed leaves the queue."""
    while head[topic] >= 0 and not is_open[head[topic]]:
        head[topic] = after[head[topic]]
    return int(head[topic])


@compiled
def _queue(head: Ints, tail: Ints, after: Ints, topic: int, move: int) -> None:
    if head[topic] < 0:
        head[topic] = move
    else:
        after[tail[topic]] = move
    tail[topic] = move
