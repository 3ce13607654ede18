"""What is kept in memory is what the store says, whoever changed the store in between."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from churnguard.clock import to_us
from churnguard.errors import StoreUnavailable
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.jobs.ports import Shop
from churnguard.jobs.timeline_cache import DEGRADED_SECONDS, FreshKnown, Known, TimelineCache
from churnguard.store.changes import LOG_EPOCH, SqlChanges, raise_counter
from churnguard.store.database import open_database, writing
from churnguard.store.digests import customer_key
from churnguard.store.erasing import erase_person
from churnguard.store.events import SqlEventStore
from churnguard.store.identity import link
from churnguard.store.intake_records import Link
from churnguard.store.scores import SqlScoreStore
from churnguard.store.tables import event, meta
from churnguard.testing import NOON, build_action, build_events, build_score, fake_shop

CUSTOMERS = ("C1", "C2", "C3", "C4")
CATALOGUE = Catalogue.of(["orders"])


def shop_of(root: Path) -> tuple[Shop, sa.Engine]:
    """Open the stores below a folder as one more process would: with an engine of its own."""
    engine = open_database("sqlite:///shop.db", root=root)
    shop = replace(
        fake_shop(),
        root=root,
        events=SqlEventStore(engine, root / "events"),
        changes=SqlChanges(engine),
        scores=SqlScoreStore(engine),
    )
    return shop, engine


def told(known: Known, at: object) -> tuple[object, ...]:
    """Return all that scores are made of, to the last bit."""
    rows = {}
    for timeline in known.timelines:
        customers = np.arange(len(timeline.customer_ids), dtype=np.int32)
        cutoffs = np.full(len(customers), to_us(at), dtype=np.int64)
        built = build_features(timeline, CATALOGUE, customers, cutoffs)
        for name, row in zip(timeline.customer_ids, built.values, strict=True):
            rows[str(name)] = row.tobytes()
    return rows, dict(known.book), dict(known.last_actions), known.data_through


class CacheMachine(RuleBasedStateMachine):
    """Two processes write, one of them scores: it never sees anything but the store."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        root = Path(self.folder.name)
        (self.own, _), (self.other, self.engine) = shop_of(root), shop_of(root)
        self.cache = TimelineCache(self.own, most_bytes=90_000)  # holds a few of them only
        self.now, self.count = NOON, 0

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(
        who=st.sampled_from(CUSTOMERS),
        elsewhere=st.booleans(),
        occurred=st.integers(-400, 400),
        received=st.integers(0, 40),
        value=st.integers(0, 500),
    )
    def append(self, who, elsewhere, occurred, received, value):
        """An event comes in, late or early, by this process or another."""
        self.count += 1
        at = self.now + timedelta(hours=occurred)
        row = {
            "event_id": f"e{self.count}",
            "customer_id": who,
            "occurred_at": at,
            "received_at": max(at, self.now) + timedelta(hours=received - 20),
            "value": value / 7,
        }
        (self.other if elsewhere else self.own).events.append(build_events([row]))

    @rule(who=st.sampled_from(CUSTOMERS), consent=st.booleans(), objects=st.booleans())
    def change_the_book(self, who, consent, objects):
        """Consent and objections come in elsewhere."""
        row = {"customer_id": who, "consent_email": consent, "opt_out_profiling": objects}
        table = CUSTOMER_SCHEMA.empty_table().from_pylist([row], schema=CUSTOMER_SCHEMA)
        self.other.events.put_customers(table)

    @rule(who=st.sampled_from(CUSTOMERS))
    def contact(self, who):
        """An action is taken, and reported elsewhere."""
        self.count += 1
        name = f"d{self.count}"
        score = build_score(who, action=build_action(decision_id=name), as_of=self.now)
        self.other.scores.save_decisions([score])
        self.other.scores.record_outcome(name, "contacted", at=self.now, actor="crm")

    @rule(who=st.sampled_from(CUSTOMERS), to=st.sampled_from(CUSTOMERS))
    def merge(self, who, to):
        """Two ids turn out to be one customer: the log is rewritten."""
        values = {"customer_id": to, "customer_key": customer_key(to)}
        with writing(self.engine) as connection:
            connection.execute(sa.update(event).where(event.c.customer_id == who).values(**values))
            raise_counter(connection, LOG_EPOCH)

    @rule(alias=st.sampled_from([*CUSTOMERS, "guest"]), to=st.sampled_from(CUSTOMERS))
    def merge_for_good(self, alias, to):
        """An id without events, perhaps, turns out to be a customer's."""
        with writing(self.engine) as connection:
            link(connection, Link(alias, to, "test"), at=0)

    @rule(who=st.sampled_from(CUSTOMERS))
    def erase(self, who):
        """A person's events go, the newest of all perhaps among them."""
        with writing(self.engine) as connection:
            connection.execute(sa.delete(event).where(event.c.customer_id == who))
            raise_counter(connection, LOG_EPOCH)

    @rule(hours=st.integers(1, 100))
    def wait(self, hours):
        """Time passes: what lay in the future comes into view."""
        self.now += timedelta(hours=hours)

    @invariant()
    def the_cache_says_what_the_store_says(self):
        for who in CUSTOMERS:
            kept = told(self.cache([who], self.now), self.now)
            assert kept == told(FreshKnown(self.own)([who], self.now), self.now)
        names = [*CUSTOMERS, "guest"]
        assert self.cache.owners(names, self.now) == self.own.events.owners(names)


CacheMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=14, deadline=None)
TestCacheMachine = CacheMachine.TestCase


def test_a_merge_is_forgotten_by_those_it_is_about_and_nobody_else(tmp_path):
    """A shop in which guests sign in all day keeps what it has read of everybody else."""
    (own, _), (_, engine) = shop_of(tmp_path), shop_of(tmp_path)
    names = [*CUSTOMERS, "guest", "browser"]
    own.events.append(build_events([{"event_id": f"e{n}", "customer_id": n} for n in names]))
    cache = TimelineCache(own)

    def look() -> dict[str, int]:
        cache.owners(names, NOON)
        return {name: orders_of(cache([name], NOON)) for name in names}

    def merge(alias: str, to: str) -> set[str]:
        """Return whose timelines a merge leaves where they are."""
        with writing(engine) as connection:
            link(connection, Link(alias, to, "test"), at=0)
        cache([], NOON)
        kept = set(cache._timelines._kept)
        assert look() == {n: len(own.events.events_of([n])) for n in names}
        assert cache.owners(names, NOON) == own.events.owners(names)
        return kept

    look()
    assert merge("browser", "guest") == {*CUSTOMERS}
    assert merge("guest", "C1") == {"C2", "C3", "C4"}, "browser is C1's too"
    assert cache.owners(names, NOON) == {"browser": "C1", "guest": "C1"}


def test_whom_merges_were_about_is_told_only_while_it_is_certain(tmp_path):
    """Not across another rewriting of the log, nor across more merges than are noted."""
    shop, engine = shop_of(tmp_path)

    def merge(number: int) -> None:
        shop.events.append(build_events([{"event_id": f"e{number}", "customer_id": f"a{number}"}]))
        with writing(engine) as connection:
            link(connection, Link(f"a{number}", f"C{number}", "test"), at=0)

    def position():
        return shop.changes.position(NOON)[0]

    first = position()
    for number in range(3):
        merge(number)
    third = position()
    about = {name for number in range(3) for name in (f"a{number}", f"C{number}")}
    assert shop.changes.touched(first, third) == about
    with writing(engine) as connection:
        raise_counter(connection, LOG_EPOCH)
    assert shop.changes.touched(first, third) is None, "rewritten since"
    assert shop.changes.touched(first, position()) is None, "rewritten for another reason"
    fourth = position()
    merge(3)
    assert shop.changes.touched(fourth, position()) == {"a3", "C3"}
    with writing(engine) as connection:
        for number in range(4, 104):
            link(connection, Link(f"a{number}", f"C{number}", "test"), at=0)
    assert shop.changes.touched(fourth, position()) is None, "too many to be noted"
    with writing(engine) as connection:
        erase_person(connection, ["C103", "a103"])
        names = connection.execute(sa.select(meta.c.name)).scalars().all()
    assert not any(name.startswith("merge_") for name in names), "no id of the erased is kept"


def orders_of(known: Known) -> int:
    return sum(len(timeline.track("order_completed")) for timeline in known.timelines)


def test_whatever_was_acknowledged_is_in_the_next_answer(tmp_path):
    """Writers and readers of the same customers at once: nobody is told of less than was stored."""
    (own, _), (other, _) = shop_of(tmp_path), shop_of(tmp_path)
    cache = TimelineCache(own)
    counts = dict.fromkeys(CUSTOMERS, 0)
    over = threading.Event()

    def read(turn: int) -> int:
        asked = 0
        while not over.is_set():
            who = CUSTOMERS[(turn + asked) % len(CUSTOMERS)]
            acknowledged = counts[who]
            assert orders_of(cache([who], NOON)) >= acknowledged
            asked += 1
        return asked

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read, turn) for turn in range(4)]
        try:
            for number in range(120):
                who = CUSTOMERS[number % len(CUSTOMERS)]
                row = {"event_id": f"e{number}", "customer_id": who}
                other.events.append(build_events([row]))
                counts[who] += 1
                assert orders_of(cache([who], NOON)) == counts[who]
        finally:
            over.set()
        assert all(reader.result() > 0 for reader in readers)


class Away:
    """A store that may be out of reach."""

    def __init__(self, changes):
        self.changes, self.gone, self.going = changes, False, False

    def position(self, before):
        if self.gone:
            raise StoreUnavailable("The store was out of reach a moment ago.")
        return self.changes.position(before)

    def touched(self, last, now):
        if self.going:
            raise StoreUnavailable("The store was out of reach a moment ago.")
        return self.changes.touched(last, now)


def test_a_store_that_goes_while_it_is_asked_is_stood_in_for_as_well(tmp_path):
    """It had told that there is something new, and went before it told about whom."""
    shop, _ = shop_of(tmp_path)
    shop.events.append(build_events([{}]))
    away = Away(shop.changes)
    cache = TimelineCache(replace(shop, changes=away))
    assert not cache(["C1"], NOON).degraded
    shop.events.append(build_events([{"event_id": "x"}]))
    away.going = True
    known = cache(["C1"], NOON)
    assert (orders_of(known), known.degraded) == (1, True)
    away.going = False
    known = cache(["C1"], NOON)
    assert (orders_of(known), known.degraded) == (2, False)


def test_a_store_whose_file_was_taken_away_is_stood_in_for(tmp_path):
    """Connections to a file that is gone go on answering: what they say is what was."""
    shop, _ = shop_of(tmp_path)
    shop.events.append(build_events([{}]))
    cache = TimelineCache(shop)
    assert not cache(["C1"], NOON).degraded
    (file,) = tmp_path.rglob("*.db")
    file.rename(tmp_path / "away")
    assert cache(["C1"], NOON).degraded
    (tmp_path / "away").rename(file)
    assert not cache(["C1"], NOON).degraded


def test_a_store_out_of_reach_is_stood_in_for_a_while_and_said(tmp_path):
    """F7: what was known last, flagged; nothing for whoever was not asked about, or too late."""
    now = [0.0]
    shop, _ = shop_of(tmp_path)
    shop.events.append(build_events([{}, {"event_id": "x", "customer_id": "C2"}]))
    away = Away(shop.changes)

    class NoEvents:
        def timeline_of(self, name):
            raise StoreUnavailable("The store was out of reach a moment ago.")

    cache = TimelineCache(replace(shop, changes=away), monotonic=lambda: now[0])
    assert not cache(["C1"], NOON).degraded
    away.gone = True
    cache._shop = replace(cache._shop, events=NoEvents())
    known = cache(["C1"], NOON)
    assert known.degraded
    assert (orders_of(known), known.data_through) == (1, NOON - timedelta(days=1))
    with pytest.raises(StoreUnavailable):
        cache(["C2"], NOON)
    now[0] = DEGRADED_SECONDS + 1
    with pytest.raises(StoreUnavailable):
        cache(["C1"], NOON)


def test_memory_stays_within_its_bound(tmp_path):
    """Those asked for longest ago go first."""
    shop, _ = shop_of(tmp_path)
    rows = [{"event_id": f"e{n}", "customer_id": f"C{n}"} for n in range(40)]
    shop.events.append(build_events(rows))
    cache = TimelineCache(shop, most_bytes=200_000)
    for number in range(40):
        cache([f"C{number}"], NOON)
    assert 0 < cache._timelines.weight <= 200_000
    assert 1 < len(cache._timelines) < 40
