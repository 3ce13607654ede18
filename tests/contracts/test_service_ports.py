"""What the ports of the running service promise: the shipped fakes and the real ones alike."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from itertools import pairwise
from typing import Any

import pytest

from churnguard.errors import LeaseLost
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.jobs.ports import (
    Attempt,
    Message,
    Move,
    Position,
    ScoreChange,
    Standing,
)
from churnguard.testing import (
    NOON,
    FakeEventStore,
    FakeOutbox,
    FakeWatchStore,
    FakeWorkBook,
    build_events,
)

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
REAL = {
    "outbox": ("churnguard.store.outbox", "SqlOutbox"),
    "work": ("churnguard.store.work", "SqlWorkBook"),
    "watch": ("churnguard.store.watch", "SqlWatchStore"),
}


class Ports:
    """The three ports, and the event store whose log they follow."""

    def __init__(self, kind: str, make_engine: Any) -> None:
        if kind == "fake":
            self.events: Any = FakeEventStore()
            self.outbox: Any = FakeOutbox()
            self.work: Any = FakeWorkBook()
            self.watch: Any = FakeWatchStore(self.events, self.outbox)
            return
        engine, folder = make_engine()
        self.events = import_module("churnguard.store.events").SqlEventStore(engine, folder)
        for name, (module, adapter) in REAL.items():
            setattr(self, name, getattr(import_module(module), adapter)(engine))


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ports(request, tmp_path):
    """Every port over the fakes, a new SQLite file, and a new schema of PostgreSQL."""

    def make_engine():
        from churnguard.store.database import open_database, upgrade_database

        url = "sqlite:///shop.db"
        if request.param == "postgres":
            url = request.getfixturevalue("postgres_url")
            upgrade_database(url)
        engine = open_database(url, root=tmp_path)
        request.addfinalizer(engine.dispose)
        return engine, tmp_path / "events"

    return Ports(request.param, make_engine)


def told(number: int = 1, kind: str = "risk.raised", **changes: Any) -> Message:
    values = {"customer_id": "C1", "body": "{}", "created_at": NOON} | changes
    return Message(f"msg_{number}", kind, **values)


def ids(deliveries: Any) -> list[str]:
    return [one.message.message_id for one in deliveries]


class TestOutbox:
    @pytest.fixture
    def outbox(self, ports):
        return ports.outbox

    @pytest.fixture
    def there(self, outbox):
        return outbox.add_endpoint("https://crm.example/hook", ["risk.raised"], now=NOON)

    def test_endpoints_are_kept_changed_and_removed(self, outbox, there):
        second = outbox.add_endpoint("https://b.example", ["subject.erased"], now=NOON + SECOND)
        assert outbox.endpoints() == [there, second]
        assert outbox.endpoint(there.endpoint_id) == there
        assert outbox.endpoint("we_0") is None
        rotated = outbox.rotate(there.endpoint_id, now=NOON)
        assert (rotated.generation, rotated.rotated_at) == (2, NOON)
        assert outbox.rotate("we_0", now=NOON) is None
        outbox.disable(there.endpoint_id, reason="gone", now=NOON)
        found = outbox.endpoint(there.endpoint_id)
        assert (found.disabled_at, found.disabled_reason) == (NOON, "gone")
        assert outbox.enable(there.endpoint_id).disabled_at is None
        assert outbox.enable("we_0") is None
        assert outbox.remove_endpoint(second.endpoint_id)
        assert not outbox.remove_endpoint(second.endpoint_id)

    def test_a_message_goes_to_whoever_wants_its_type(self, outbox, there):
        also = outbox.add_endpoint("https://b.example", ["risk.raised"], now=NOON)
        gone = outbox.add_endpoint("https://c.example", ["risk.raised"], now=NOON)
        outbox.disable(gone.endpoint_id, reason="gone", now=NOON)
        assert outbox.put([told(1), told(2, "subject.erased"), told(1)]) == 2
        assert outbox.put([told(1)]) == 0
        found = outbox.claim(now=NOON, until=NOON + MINUTE)
        assert sorted(one.endpoint.endpoint_id for one in found) == sorted(
            [there.endpoint_id, also.endpoint_id]
        )
        assert {one.message for one in found} == {told(1)}

    def test_what_is_claimed_falls_due_again_unless_it_was_marked(self, outbox, there):
        """Whoever claims and dies loses nothing; the message keeps its id."""
        outbox.put([told(1), told(2)])
        until = NOON + MINUTE
        first = outbox.claim(now=NOON, until=until)
        assert outbox.claim(now=NOON, until=until) == []
        assert outbox.record(first[0], Attempt("delivered", NOON, NOON, 204))
        again = outbox.claim(now=until, until=until + MINUTE)
        assert ids(again) == ids(first[1:])
        assert again[0].attempts == 0

    def test_an_attempt_is_marked_once(self, outbox, there):
        """Of two senders that hold the same delivery only one writes down what became of it."""
        outbox.put([told()])
        (mine,) = outbox.claim(now=NOON, until=NOON)
        (yours,) = outbox.claim(now=NOON, until=NOON)
        later = NOON + 5 * SECOND
        assert outbox.record(mine, Attempt("waiting", NOON, later, 500, "status_500"))
        assert not outbox.record(yours, Attempt("failed", NOON, NOON, 410))
        assert outbox.claim(now=later - SECOND, until=later) == []
        (next_time,) = outbox.claim(now=later, until=later)
        assert (next_time.attempts, next_time.last_status) == (1, 500)
        assert outbox.record(next_time, Attempt("delivered", later, later, 200))
        (done,) = outbox.deliveries(there.endpoint_id)
        assert (done.state, done.delivered_at, done.attempts) == ("delivered", later, 2)
        assert dict(outbox.counts()) == {"delivered": 1}
        assert dict(outbox.ended()) == {"waiting": 1, "delivered": 1}

    def test_what_ended_is_counted_for_ever(self, outbox, there):
        """A replay, a disabled or removed endpoint and forgotten messages take nothing back."""
        outbox.put([told(1), told(2), told(3)])
        mine = outbox.claim(now=NOON, until=NOON + MINUTE)
        assert outbox.record(mine[0], Attempt("delivered", NOON, NOON, 204))
        assert outbox.record(mine[1], Attempt("failed", NOON, NOON, 410))
        outbox.disable(there.endpoint_id, reason="gone", now=NOON)
        assert dict(outbox.ended()) == {"delivered": 1, "failed": 2}
        assert outbox.replay(there.endpoint_id, now=NOON) == 2
        outbox.prune(NOON + MINUTE)
        outbox.remove_endpoint(there.endpoint_id)
        assert dict(outbox.counts()) == {}
        assert dict(outbox.ended()) == {"delivered": 1, "failed": 2}

    def test_no_endpoint_takes_all_places(self, outbox, there):
        outbox.put([told(number) for number in range(5)])
        other = outbox.add_endpoint("https://b.example", ["action.suggested"], now=NOON)
        outbox.put([told(9, "action.suggested", created_at=NOON + SECOND)])
        found = outbox.claim(now=NOON + SECOND, until=NOON + MINUTE, each=2)
        assert sorted(ids(found)) == ["msg_0", "msg_1", "msg_9"]
        assert found[-1].endpoint == other
        assert len(outbox.claim(now=NOON + SECOND, until=NOON + MINUTE, limit=1)) == 1

    def test_a_disabled_endpoint_fails_what_waits_and_can_be_replayed(self, outbox, there):
        outbox.put([told(1), told(2)])
        outbox.disable(there.endpoint_id, reason="gone", now=NOON)
        assert outbox.claim(now=NOON, until=NOON) == []
        failed = outbox.deliveries(there.endpoint_id, state="failed")
        assert ids(failed) == ["msg_2", "msg_1"]
        outbox.enable(there.endpoint_id)
        assert outbox.replay(there.endpoint_id, now=NOON, message_ids=["msg_2", "msg_7"]) == 1
        assert outbox.replay(there.endpoint_id, now=NOON) == 1
        assert outbox.replay(there.endpoint_id, now=NOON) == 0
        assert sorted(ids(outbox.claim(now=NOON, until=NOON))) == ["msg_1", "msg_2"]

    def test_deliveries_are_paged_newest_first(self, outbox, there):
        outbox.put([told(number) for number in range(5)])
        first = outbox.deliveries(there.endpoint_id, limit=3)
        rest = outbox.deliveries(there.endpoint_id, limit=3, before=first[-1].number)
        assert ids([*first, *rest]) == [f"msg_{number}" for number in (4, 3, 2, 1, 0)]

    def test_old_messages_are_forgotten_unless_they_wait(self, outbox, there):
        outbox.put([told(1), told(2), told(3, created_at=NOON + DAY)])
        assert outbox.oldest_waiting() == NOON
        (first, *_) = outbox.claim(now=NOON, until=NOON, limit=1)
        outbox.record(first, Attempt("delivered", NOON, NOON, 200))
        assert outbox.prune(NOON + MINUTE) == 1
        left = outbox.deliveries(there.endpoint_id)
        assert sorted(ids(left)) == sorted({"msg_1", "msg_2", "msg_3"} - {first.message.message_id})


class TestWorkBook:
    @pytest.fixture
    def work(self, ports):
        return ports.work

    def hold(self, work, holder="a", at=NOON):
        return work.acquire("daily", holder=holder, now=at, until=at + MINUTE)

    def test_a_lease_is_held_by_one_until_it_ends(self, work):
        lease = self.hold(work)
        assert (lease.holder, lease.token) == ("a", 1)
        assert self.hold(work, "b") is None
        assert work.acquire("other", holder="b", now=NOON, until=NOON + MINUTE).token == 1
        renewed = work.renew(lease, until=NOON + 3 * MINUTE)
        assert self.hold(work, "b", NOON + 2 * MINUTE) is None
        assert work.lease("daily") == renewed
        work.release(renewed)
        assert self.hold(work, "b", NOON + 2 * MINUTE).token == 2
        assert work.lease("nothing") is None

    def test_a_clock_set_back_leaves_no_lease_for_ever(self, work):
        """F27: what a dead process took in a wrong future is over; it is fenced off as ever."""
        ahead = self.hold(work, at=NOON + 2 * DAY)
        lease = self.hold(work, "b", NOON)
        assert (lease.holder, lease.token) == ("b", 2)
        assert work.renew(ahead, until=NOON + DAY) is None
        assert self.hold(work, "c", NOON) is None

    def test_a_holder_that_slept_cannot_write(self, work):
        """A lease that ended and went to another is fenced off by its token."""
        mine = self.hold(work)
        work.begin("daily-1", "daily", {"as_of": "x"}, now=NOON)
        yours = self.hold(work, "b", NOON + MINUTE)
        assert yours.token == mine.token + 1
        assert work.renew(mine, until=NOON + DAY) is None
        with pytest.raises(LeaseLost):
            work.finish_step("daily-1", "score", {}, now=NOON, lease=mine)
        with pytest.raises(LeaseLost):
            work.finish("daily-1", now=NOON, lease=mine)
        work.release(mine)
        assert self.hold(work, "c", NOON + MINUTE) is None
        assert dict(work.steps("daily-1")) == {}

    def test_a_job_goes_on_where_it_was_and_ends_once(self, work):
        lease = self.hold(work)
        arguments = {"as_of": "2026-11-21", "out": None}
        assert work.job("daily-1") is None
        assert work.begin("daily-1", "daily", arguments, now=NOON).attempts == 1
        work.finish_step("daily-1", "export", {"events": 3}, now=NOON, lease=lease)
        failed = work.finish("daily-1", now=NOON, lease=lease, error="disk full")
        assert (failed.state, failed.error) == ("failed", "disk full")
        again = work.begin("daily-1", "daily", arguments, now=NOON + DAY)
        assert (again.state, again.attempts, again.error) == ("running", 2, None)
        assert dict(work.steps("daily-1")) == {"export": {"events": 3}}
        work.finish_step("daily-1", "score", {"n": 1}, now=NOON + DAY, lease=lease)
        assert list(work.steps("daily-1")) == ["export", "score"]
        done = work.finish("daily-1", now=NOON + DAY, lease=lease, answer={"ok": True})
        assert work.begin("daily-1", "daily", arguments, now=NOON + DAY) == done
        assert work.job("daily-1").answer == {"ok": True}
        assert (work.prune(NOON), work.prune(NOON + 2 * DAY)) == (0, 1)
        assert work.job("daily-1") is None


def stands(margin: float = 0.5, *, at: Any = NOON, **changes: Any) -> Standing:
    values = {"band": "medium", "bundle": "sha256:1", "document": {"told": "medium"}} | changes
    return Standing("C1", at, margin=margin, **values)


def moved(before: Standing, after: Standing) -> ScoreChange:
    step = after.margin - before.margin
    return ScoreChange(
        "C1", before.as_of, after.as_of, before.margin, after.margin, step, 0.0, 0.0, 0.0, {"a": 1}
    )


class TestWatchStore:
    @pytest.fixture
    def watch(self, ports):
        return ports.watch

    def test_the_log_is_followed_by_its_numbers(self, ports):
        assert ports.watch.position() is None
        assert ports.watch.newest() == Position(0, 0)
        rows = [{"customer_id": name} for name in ("C2", "C1", "C2", "C3")]
        ports.events.append(build_events(rows))
        assert ports.watch.touched(0, events=3) == (["C2", "C1"], 3)
        assert ports.watch.touched(3, events=3) == (["C3"], 4)
        assert ports.watch.touched(4, events=3) == ([], 4)
        assert ports.watch.newest() == Position(4, 0)

    def test_a_look_moves_the_watch_once(self, watch):
        first, second = Position(3, 0), Position(9, 1)
        assert watch.save([], seen=(None, first)) == 0
        move = Move("C1", None, stands())
        assert watch.save([move], seen=(None, second)) == -1
        assert dict(watch.standings(["C1"])) == {}
        assert watch.save([move], seen=(first, second)) == 1
        assert watch.position() == second

    def test_a_standing_is_replaced_with_its_change_and_messages(self, ports):
        watch = ports.watch
        there = ports.outbox.add_endpoint("https://a.example", ["risk.raised"], now=NOON)
        before, after = stands(), stands(0.9, at=NOON + DAY, band="high")
        assert watch.save([Move("C1", None, before)]) == 1
        assert dict(watch.standings(["C1", "C2"])) == {"C1": before}
        move = Move("C1", before, after, change=moved(before, after), messages=(told(),))
        assert watch.save([move]) == 1
        assert dict(watch.standings(["C1"])) == {"C1": after}
        ((_, change),) = watch.changes("C1")
        assert change == moved(before, after)
        assert ids(ports.outbox.deliveries(there.endpoint_id)) == ["msg_1"]

    def test_a_move_from_elsewhere_is_left_out_with_its_messages(self, ports):
        """Two watchers that saw the same standing tell of one move."""
        watch = ports.watch
        there = ports.outbox.add_endpoint("https://a.example", ["risk.raised"], now=NOON)
        before, after = stands(), stands(0.9, at=NOON + DAY)
        watch.save([Move("C1", None, before)])
        assert watch.save([Move("C1", None, after)]) == 0
        move = Move("C1", before, after, change=moved(before, after), messages=(told(1),))
        assert watch.save([move]) == 1
        late = Move("C1", before, stands(0.2, at=NOON + 2 * DAY), messages=(told(2),))
        assert watch.save([late]) == 0
        assert dict(watch.standings(["C1"])) == {"C1": after}
        assert ids(ports.outbox.deliveries(there.endpoint_id)) == ["msg_1"]

    def test_what_is_frozen_stays_beside_what_is_followed(self, watch):
        before, after = stands(), stands(-1.5, at=NOON + DAY, band="low")
        frozen = stands(document={"told": "medium", "outcome": "ordered"}, frozen=True)
        watch.save([Move("C1", None, before)])
        watch.save([Move("C1", before, after, frozen=frozen)])
        assert watch.frozen("C1") == [frozen]
        assert dict(watch.standings(["C1"])) == {"C1": after}
        watch.save([Move("C1", after, None)])
        assert dict(watch.standings(["C1"])) == {}
        assert watch.frozen("C1") == [frozen]

    def test_changes_are_paged_and_pruned(self, watch):
        states = [stands(float(number), at=NOON + number * DAY) for number in range(4)]
        watch.save([Move("C1", None, states[0])])
        for before, after in pairwise(states):
            watch.save([Move("C1", before, after, change=moved(before, after))])
        (newest,) = watch.changes("C1", limit=1)
        rest = watch.changes("C1", before=newest[0])
        assert [change.to_margin for _, change in [newest, *rest]] == [3.0, 2.0, 1.0]
        assert watch.changes("C2") == []
        assert watch.prune(NOON + 2 * DAY) == 1
        assert len(watch.changes("C1")) == 2

    def test_the_customer_book_restricts(self, ports):
        import pyarrow as pa

        rows = [
            dict.fromkeys(CUSTOMER_SCHEMA.names) | {"customer_id": name} | changes
            for name, changes in {
                "A": {"opt_out_profiling": True},
                "B": {"exclude": True},
                "C": {"opt_out_profiling": False},
            }.items()
        ]
        ports.events.put_customers(pa.Table.from_pylist(rows, schema=CUSTOMER_SCHEMA))
        assert ports.watch.restricted(["A", "B", "C", "D"]) == {"A", "B"}
