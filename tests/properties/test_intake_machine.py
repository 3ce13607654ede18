"""Any sequence of requests, replays, merges and exports, against a plain dictionary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from churnguard.events.formats import Item, read_native
from churnguard.jobs.dead_letters import mend_row
from churnguard.jobs.take_events import offer_events
from churnguard.store.database import open_database
from churnguard.store.events import SqlEventStore
from churnguard.testing import fake_shop

PEOPLE = st.sampled_from(["A", "B", "C", "D"])
messages = st.builds(
    lambda number, who, value, sound: {
        "event_id": f"e{number}",
        "customer_id": who if sound else None,
        "event": "order_completed",
        "occurred_at": "2026-11-20T10:00:00Z",
        "value": value,
    },
    st.integers(0, 7),
    PEOPLE,
    st.sampled_from([1, 2]),
    st.integers(0, 9).map(bool),
)


class Intake(RuleBasedStateMachine):
    """A shop with a real store, and what it should hold."""

    @initialize()
    def open(self) -> None:
        self.folder = TemporaryDirectory()
        root = Path(self.folder.name)
        self.engine = open_database("sqlite:///shop.db", root=root)
        self.shop = replace(fake_shop(), events=SqlEventStore(self.engine, root / "events"))
        self.log: dict[str, tuple[str, float]] = {}
        self.aliases: dict[str, str] = {}
        self.sick: dict[tuple[str, int], str] = {}

    def who(self, name: str) -> str:
        return self.aliases.get(name, name)

    def said(self, message: dict[str, Any]) -> tuple[str, float]:
        return self.who(message["customer_id"]), float(message["value"])

    def expect(self, message: dict[str, Any]) -> str:
        if message["customer_id"] is None:
            return "quarantined"
        known = self.log.get(message["event_id"])
        if known is None:
            self.log[message["event_id"]] = self.said(message)
            return "accepted"
        return "duplicate" if known == self.said(message) else "conflict"

    @rule(batch=st.lists(messages, max_size=5))
    def send(self, batch: list[dict[str, Any]]) -> None:
        """Each message has the status that the dictionary says."""
        offer = offer_events(self.shop, [read_native(message) for message in batch])
        (taken,) = self.shop.events.take([offer.batch])
        results = offer.receipt(taken).results
        assert [result["status"] for result in results] == [self.expect(each) for each in batch]
        for message, result in zip(batch, results, strict=True):
            if "row_id" in result:
                self.sick[message["event_id"], message["value"]] = result["row_id"]

    @rule(batch=st.lists(messages, min_size=1, max_size=4))
    def send_whole(self, batch: list[dict[str, Any]]) -> None:
        """All of it or nothing."""
        offer = offer_events(self.shop, [read_native(each) for each in batch], whole=True)
        before = dict(self.log)
        fine = not {"quarantined", "conflict"} & {self.expect(message) for message in batch}
        if offer.is_sound:
            assert self.shop.events.take([offer.batch])[0].stored == fine
        if not fine:
            self.log = before

    @rule(alias=PEOPLE, customer=PEOPLE)
    def merge(self, alias: str, customer: str) -> None:
        """An alias keeps the customer that it got first."""
        offer = offer_events(self.shop, [Item(link=(alias, customer))])
        (taken,) = self.shop.events.take([offer.batch])
        (result,) = offer.receipt(taken).results
        target = self.who(customer)
        if alias in self.aliases:
            assert result["status"] == ("duplicate" if self.who(alias) == target else "conflict")
        elif target == alias:
            assert result["status"] == ("conflict" if customer == alias else "duplicate")
        else:
            assert result["status"] == "linked"
            followers = [one for one, to in self.aliases.items() if to == alias]
            self.aliases |= dict.fromkeys([alias, *followers], target)
            self.log = {name: (self.who(who), value) for name, (who, value) in self.log.items()}

    @rule(who=PEOPLE)
    def mend(self, who: str) -> None:
        """A dead letter that is mended becomes what the message would have become."""
        if not self.sick:
            return
        (event_id, value), row_id = self.sick.popitem()
        told = mend_row(self.shop, row_id, {"customer_id": who})
        message = {"event_id": event_id, "customer_id": who, "value": value}
        status = self.expect(message)
        assert told["status"] == status
        if status == "conflict":
            self.sick[event_id, value] = row_id

    @rule()
    def export(self) -> None:
        """The Parquet history may be brought up to date at any time."""
        self.shop.events.export()

    @invariant()
    def the_log_is_what_it_should_be(self) -> None:
        """In the whole history, by customer, and by count."""
        if not hasattr(self, "log"):
            return
        rows = self.shop.events.history().to_pylist()
        assert {row["event_id"]: (row["customer_id"], row["value"]) for row in rows} == self.log
        assert len(rows) == len(self.log) == sum(self.shop.events.event_counts().values())
        assert sum(self.shop.events.quarantine_counts().values()) == len(self.sick)

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()
            self.folder.cleanup()


TestIntake = Intake.TestCase
TestIntake.settings = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
