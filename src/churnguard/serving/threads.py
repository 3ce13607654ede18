"""How many threads answer requests: few, for Python lets one of them compute at a time.

More would only take turns at the same work, each turn at the cost of a switch, and keep the thread
that reads and refuses requests from its own turn. A few compute while others wait for the store.
What waits for the disk waits in no thread: see ``group_commit.py``.
"""

from __future__ import annotations

import sys

from anyio import to_thread

THREADS = 4
"""Requests of a process that are worked on at a time."""
TURN_SECONDS = 0.001
"""How long a thread computes while another wants to."""


def answer_with_few_threads() -> None:
    """Bound the threads of the event loop that runs this, and the turns that they take."""
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    sys.setswitchinterval(TURN_SECONDS)
