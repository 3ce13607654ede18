"""Many requests in one transaction: each is told what became of it, and none takes others down."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from churnguard.clock import to_us
from churnguard.errors import StoreUnavailable
from churnguard.jobs.ports import EventBatch, Taken
from churnguard.serving.group_commit import GroupWriter, WriterBusy
from churnguard.testing import NOON, FakeEventStore


def batch(*ids: str, **changes) -> EventBatch:
    at = to_us(NOON)
    rows = [(name, "C1", "signed_in", at, at, "true", *[None] * 11) for name in ids]
    return EventBatch(rows, **changes)


class Gate(FakeEventStore):
    """A store that waits before each transaction until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.began, self.go_on = threading.Semaphore(0), threading.Semaphore(0)

    def take(self, batches: Sequence[EventBatch]) -> list[Taken]:
        self.sizes.append(len(batches))
        self.began.release()
        assert self.go_on.acquire(timeout=10)
        return super().take(batches)


def test_what_comes_while_the_disk_is_busy_goes_in_one_transaction():
    """And a lone request waits for nobody."""
    store = Gate()
    writer = GroupWriter(store)
    first = writer.submit(batch("a"))
    assert store.began.acquire(timeout=10)
    others = [writer.submit(batch(f"b{n}", "a")) for n in range(5)]
    assert writer.waiting == 10
    store.go_on.release(2)
    assert list(first.result(10).outcomes) == [0]
    assert [list(each.result(10).outcomes) for each in others] == [[0, 1]] * 5
    assert store.sizes == [1, 5]


def test_no_more_waits_than_may():
    """F19: the rest is refused at once, with the time after which to come again."""
    store = Gate()
    writer = GroupWriter(store, most_waiting=4)
    writer.submit(batch("a"))
    assert store.began.acquire(timeout=10)
    kept = writer.submit(batch("b", "c", "d"))
    with pytest.raises(WriterBusy) as refused:
        writer.submit(batch("e", "f"))
    assert refused.value.headers == {"Retry-After": "1"}
    store.go_on.release(3)
    assert list(kept.result(10).outcomes) == [0, 0, 0]
    assert list(writer.submit(batch("e", "f")).result(10).outcomes) == [0, 0]


def test_one_poisonous_request_takes_no_other_down():
    """F24: it gets its error; those who shared its transaction are stored without it."""

    class Choking(Gate):
        def take(self, batches: Sequence[EventBatch]) -> list[Taken]:
            taken = super().take(batches)
            if any(row[0] == "poison" for one in batches for row in one.rows):
                raise ValueError("poison")
            return taken

    store = Choking()
    writer = GroupWriter(store)
    store.go_on.release(10)
    first = writer.submit(batch("a"))
    answers = [writer.submit(batch(name)) for name in ("b", "poison", "c")]
    assert first.result(10).stored
    assert answers[0].result(10).stored
    assert answers[2].result(10).stored
    with pytest.raises(ValueError, match="poison"):
        answers[1].result(10)


def test_a_store_that_fails_is_told_to_all_and_the_next_may_succeed():
    class Failing(FakeEventStore):
        fails = True

        def take(self, batches: Sequence[EventBatch]) -> list[Taken]:
            if self.fails:
                raise StoreUnavailable("The store is locked.")
            return super().take(batches)

    store = Failing()
    writer = GroupWriter(store)
    answers = [writer.submit(batch(name)) for name in "abc"]
    for answer in answers:
        with pytest.raises(StoreUnavailable):
            answer.result(10)
    store.fails = False
    assert list(writer.submit(batch("a")).result(10).outcomes) == [0]


def test_whoever_gives_up_waiting_is_not_stored():
    store = Gate()
    writer = GroupWriter(store)
    writer.submit(batch("a"))
    assert store.began.acquire(timeout=10)
    gone, kept = writer.submit(batch("b")), writer.submit(batch("c"))
    assert gone.cancel()
    store.go_on.release(2)
    assert kept.result(10).stored
    assert store.history()["event_id"].to_pylist() == ["a", "c"]
