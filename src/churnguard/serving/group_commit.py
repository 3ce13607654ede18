"""Stores what many requests bring in one transaction.

While one is on its way to the disk, requests that come in the meantime make up the next one. So a
lone request waits for nobody, and a hundred of them cost a few syncs instead of a hundred. Each
still gets its own outcomes, and nobody is told anything before the disk has it.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future

from churnguard.errors import StoreError
from churnguard.jobs.ports import EventBatch, EventStore, Taken

MOST_ROWS = 5_000
"""Rows in one transaction at most, so that other writers are not kept out for long."""
MOST_WAITING = 50_000
"""Rows that may wait; more are refused at once."""
_IDLE_SECONDS = 5.0


class WriterBusy(StoreError):
    """More events wait to be stored than may."""

    def __init__(self) -> None:
        super().__init__(
            "Too many events wait to be stored.",
            hint="Nothing of this request was stored; send it again in a moment.",
        )
        self.headers = {"Retry-After": "1"}


class GroupWriter:
    """Stores batches in the order in which they come, many in one transaction.

    Parameters
    ----------
    store : EventStore
        Where they go.
    most_rows, most_waiting : int
        Rows in one transaction, and rows that may wait.

    Examples
    --------
    >>> from churnguard.testing import FakeEventStore
    >>> GroupWriter(FakeEventStore()).submit(EventBatch()).result()
    Taken(outcomes=[], links=[], stored=True)
    """

    def __init__(
        self, store: EventStore, *, most_rows: int = MOST_ROWS, most_waiting: int = MOST_WAITING
    ) -> None:
        self._store = store
        self._most_rows = most_rows
        self._most_waiting = most_waiting
        self._waiting: deque[tuple[EventBatch, Future[Taken]]] = deque()
        self._rows = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Rows that wait just now."""
        return self._rows

    def submit(self, batch: EventBatch) -> Future[Taken]:
        """Have a batch stored; the answer is there once the disk has it, or the store has failed.

        Raises
        ------
        WriterBusy
            If too much waits already.
        """
        answer: Future[Taken] = Future()
        with self._changed:
            if self._waiting and self._rows + _size(batch) > self._most_waiting:
                raise WriterBusy
            self._waiting.append((batch, answer))
            self._rows += _size(batch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
                self._thread.start()
            self._changed.notify()
        return answer

    def _run(self) -> None:
        while group := self._next_group():
            self._write(group)

    def _next_group(self) -> list[tuple[EventBatch, Future[Taken]]]:
        """Take as much of what waits as one transaction may hold; nothing after an idle while."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout=_IDLE_SECONDS)
            group: list[tuple[EventBatch, Future[Taken]]] = []
            rows = 0
            while self._waiting:
                size = _size(self._waiting[0][0])
                if group and rows + size > self._most_rows:
                    break
                batch, answer = self._waiting.popleft()
                self._rows -= size
                if answer.set_running_or_notify_cancel():
                    group.append((batch, answer))
                    rows += size
            if not group and not self._waiting:
                self._thread = None
            return group

    def _write(self, group: list[tuple[EventBatch, Future[Taken]]]) -> None:
        try:
            taken = self._store.take([batch for batch, _ in group])
        except StoreError as error:
            for _, answer in group:
                answer.set_exception(error)
        except Exception as error:  # noqa: BLE001 - one request must not take others down with it
            if len(group) == 1:
                group[0][1].set_exception(error)
                return
            for one in group:
                self._write([one])
        else:
            for (_, answer), outcome in zip(group, taken, strict=True):
                answer.set_result(outcome)


def _size(batch: EventBatch) -> int:
    return len(batch.rows) + len(batch.rejected) + len(batch.links)
