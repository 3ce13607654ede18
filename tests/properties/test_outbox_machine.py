"""The outbox against a plain model: whatever happens to senders, no message is lost."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from churnguard.jobs.ports import Attempt, Message
from churnguard.store.database import open_database
from churnguard.store.outbox import SqlOutbox
from churnguard.testing import NOON

CLAIM = timedelta(seconds=60)
TYPES = ("risk.raised", "subject.erased")


class OutboxMachine(RuleBasedStateMachine):
    """Endpoints come and go, senders claim, send, mark or die, and time passes.

    The model holds, for each message and endpoint, its state, and what the receiver saw.
    """

    held = Bundle("held")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.engine = open_database("sqlite:///o.db", root=Path(self.folder.name))
        self.outbox = SqlOutbox(self.engine)
        self.now = NOON
        self.number = 0
        self.live: dict[str, bool] = {}
        self.wants: dict[str, tuple[str, ...]] = {}
        self.states: dict[tuple[str, str], str] = {}
        self.seen: dict[tuple[str, str], int] = {}

    def teardown(self):
        self.engine.dispose()
        self.folder.cleanup()

    @initialize(wants=st.lists(st.sets(st.sampled_from(TYPES), min_size=1), min_size=1, max_size=3))
    def endpoints(self, wants):
        for types in wants:
            made = self.outbox.add_endpoint("https://a.example", sorted(types), now=self.now)
            self.live[made.endpoint_id], self.wants[made.endpoint_id] = True, made.events

    @rule(kinds=st.lists(st.sampled_from(TYPES), min_size=1, max_size=3))
    def tell(self, kinds):
        messages = []
        for kind in kinds:
            self.number += 1
            messages.append(Message(f"msg_{self.number}", kind, "C1", "{}", self.now))
        for message in messages:
            for there, wants in self.wants.items():
                if self.live[there] and message.type in wants:
                    self.states[message.message_id, there] = "waiting"
        wanted = sum(key[0] in {m.message_id for m in messages} for key in self.states)
        assert self.outbox.put(messages) == wanted
        assert self.outbox.put(messages) == 0

    @rule(target=held, limit=st.integers(1, 3))
    def claim(self, limit):
        found = self.outbox.claim(now=self.now, until=self.now + CLAIM, limit=limit)
        for one in found:
            key = one.message.message_id, one.endpoint.endpoint_id
            assert self.states[key] == "waiting"
            assert self.live[key[1]]
        return multiple(*found)

    @rule(one=held, how=st.sampled_from(["delivered", "waiting", "failed", "cancelled"]))
    def send_and_mark(self, one, how):
        """Send what was claimed, perhaps long ago, and mark it, perhaps too late."""
        key = one.message.message_id, one.endpoint.endpoint_id
        self.seen[key] = self.seen.get(key, 0) + 1
        attempt = Attempt(how, self.now, self.now + timedelta(seconds=5), 200)
        if self.outbox.record(one, attempt):
            assert self.states[key] == "waiting"
            self.states[key] = how

    @rule(one=held)
    def send_and_die(self, one):
        """The receiver has it, and nobody here knows."""
        key = one.message.message_id, one.endpoint.endpoint_id
        self.seen[key] = self.seen.get(key, 0) + 1

    @rule(seconds=st.sampled_from([1, 5, 61]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(data=st.data())
    def disable(self, data):
        there = data.draw(st.sampled_from(sorted(self.live)))
        self.outbox.disable(there, reason="gone", now=self.now)
        self.live[there] = False
        for key, state in self.states.items():
            if key[1] == there and state == "waiting":
                self.states[key] = "failed"

    @precondition(lambda self: not all(self.live.values()))
    @rule(data=st.data())
    def enable(self, data):
        there = data.draw(st.sampled_from(sorted(self.live)))
        self.outbox.enable(there)
        self.live[there] = True

    @rule(data=st.data())
    def replay(self, data):
        there = data.draw(st.sampled_from(sorted(self.live)))
        failed = [
            key for key, state in self.states.items() if key[1] == there and state == "failed"
        ]
        assert self.outbox.replay(there, now=self.now) == len(failed)
        self.states |= dict.fromkeys(failed, "waiting")

    @invariant()
    def nothing_is_lost_and_nothing_invented(self):
        """The store knows each message in the state it should be in, under its own id."""
        found = {
            (one.message.message_id, there): one.state
            for there in self.live
            for one in self.outbox.deliveries(there, limit=1000)
        }
        assert found == self.states

    @invariant()
    def delivered_means_seen(self):
        for key, state in self.states.items():
            assert state != "delivered" or self.seen.get(key, 0) > 0

    @invariant()
    def what_waits_is_sent_in_the_end(self):
        """With all claims over, everything that waits for a live endpoint can be claimed."""
        later = self.now + 2 * CLAIM
        waiting = {key for key, state in self.states.items() if state == "waiting"}
        wanted = {key for key in waiting if self.live[key[1]]}
        found = self.outbox.claim(now=later, until=self.now, limit=1000, each=1000)
        assert {(one.message.message_id, one.endpoint.endpoint_id) for one in found} == wanted


OutboxMachine.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestOutboxMachine = OutboxMachine.TestCase
