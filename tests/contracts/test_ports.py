"""What every adapter of a port promises: the shipped fakes and the real ones alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from churnguard.clock import to_us
from churnguard.errors import DecisionNotFound
from churnguard.events.customers import BOOK_SCHEMA, CUSTOMER_SCHEMA
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.specimen import CUTOFFS, specimen_events
from churnguard.jobs.ports import AtRiskQuery, QuarantinedRow
from churnguard.testing import (
    NOON,
    FakeEventStore,
    FakeKeyStore,
    FakeLedger,
    FakeScoreStore,
    build_action,
    build_events,
    build_run,
    build_score,
)

MODULES = {
    "SqlEventStore": "churnguard.store.events",
    "SqlScoreStore": "churnguard.store.scores",
    "SqlLedger": "churnguard.store.ledger",
    "SqlKeyStore": "churnguard.store.keys",
}


def _real(name: str, engine: Any, folder: Path) -> Any:
    adapter = getattr(import_module(MODULES[name]), name)
    return adapter(engine, folder / "events") if name == "SqlEventStore" else adapter(engine)


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def make(request, tmp_path) -> Iterator[Callable[[type, str], Any]]:
    """Make an empty adapter: the fake, or the real one over SQLite or PostgreSQL."""
    if request.param == "fake":
        yield lambda fake, _: fake()
        return
    from churnguard.store.database import open_database, upgrade_database

    url = "sqlite:///shop.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        upgrade_database(url)
    engine = open_database(url, root=tmp_path)
    yield lambda _, real: _real(real, engine, tmp_path)
    engine.dispose()


class TestEventStore:
    @pytest.fixture
    def store(self, make):
        return make(FakeEventStore, "SqlEventStore")

    def test_an_empty_store_answers_everything(self, store):
        assert store.history().schema.equals(EVENT_SCHEMA)
        assert store.history().num_rows == store.events_of(["C1"]).num_rows == 0
        assert store.customers().schema.equals(BOOK_SCHEMA)
        assert (store.data_through(), dict(store.event_counts())) == (None, {})
        assert not store.has_customer("C1")

    def test_one_customers_timeline_is_that_of_the_table(self, store):
        """With ties, late events and missing numbers, and bit for bit what the kernel makes."""
        store.append(specimen_events())
        assert store.timeline_of("nobody") is None
        whole, catalogue = Timeline.from_arrow(store.history()), Catalogue.of()
        cutoffs, one = np.array(CUTOFFS), np.zeros(len(CUTOFFS), np.int32)
        for code, name in enumerate(whole.customer_ids):
            own = build_features(store.timeline_of(name), catalogue, one, cutoffs)
            among = build_features(whole, catalogue, one + np.int32(code), cutoffs)
            assert own.values.tobytes() == among.values.tobytes()

    def test_one_row_of_the_book_is_that_of_the_table(self, store):
        book = [{"customer_id": "C1", "created_at": NOON, "consent_sms": True, "exclude": False}]
        store.put_customers(pa.Table.from_pylist(book, schema=CUSTOMER_SCHEMA))
        assert [store.book_row("C1")] == store.customers(["C1"]).to_pylist()
        assert store.book_row("C2") is None

    def test_the_same_event_again_is_a_duplicate_whenever_it_was_received(self, store):
        assert store.append(build_events()).accepted == 1
        later = build_events([{"received_at": NOON, "clock": "assumed"}])
        again = store.append(later)
        assert (again.accepted, again.duplicates, again.conflicts) == (0, 1, 0)
        assert again.outcomes.tolist() == [1]

    def test_another_payload_is_a_conflict_and_both_are_kept(self, store):
        store.append(build_events())
        other = build_events([{"value": 51.0}])
        assert store.append(other).conflicts == store.append(other).conflicts == 1
        (conflict,) = store.conflicts()
        assert conflict["event_id"] == "e0"
        assert (conflict["stored"]["value"], conflict["offered"]["value"]) == (50.0, 51.0)
        assert store.history()["value"].to_pylist() == [50.0]

    def test_lines_of_an_order_in_conflict_are_in_conflict(self, store):
        store.append(build_events([{"event_id": "o1"}]))
        rows = [{"event_id": "o1", "value": 9.0}, {"event_id": "o1#1", "event": "product_ordered"}]
        assert store.append(build_events(rows)).conflicts == 2

    def test_events_come_back_as_they_went_in_sorted(self, store):
        rows = [
            {"customer_id": "C2", "properties": '{"a":1}', "quantity": 3, "kind": "nps"},
            {"customer_id": "C1", "occurred_at": NOON, "received_at": NOON, "discount": 0.5},
            {"customer_id": "C1", "event": "signed_in", "value": None},
        ]
        events = build_events(rows)
        store.append(events)
        assert store.history().sort_by("event_id").to_pylist() == events.to_pylist()
        assert store.events_of(["C1"]).to_pylist() == events.take([2, 1]).to_pylist()
        assert store.events_of(["C1"]).schema.equals(EVENT_SCHEMA)
        assert store.data_through() == NOON
        assert store.data_through(NOON) == NOON - timedelta(days=1)
        assert dict(store.event_counts()) == {"order_completed": 2, "signed_in": 1}
        assert store.has_customer("C2")
        assert not store.has_customer("C")

    def test_partitions_add_up_and_keep_a_customer_together(self, store):
        store.append(build_events([{"customer_id": f"C{n % 7}"} for n in range(40)]))
        parts = [set(part["customer_id"].to_pylist()) for part in store.partitions()]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 7

    def test_quarantine_keeps_a_row_once_until_it_is_mended(self, store):
        row = QuarantinedRow("r1", "orders.csv", 3, "missing_customer", "No id.", "{}", "{}")
        other = replace(row, row_id="r2", reason="bad_date")
        assert (store.quarantine([row, other]), store.quarantine([row])) == (2, 0)
        assert store.quarantined() == [row, other]
        assert store.quarantined(reason="bad_date") == [other]
        assert dict(store.quarantine_counts()) == {"missing_customer": 1, "bad_date": 1}
        store.append(build_events(), mends=["r1"])
        assert (store.release(["r1"]), store.release(["r2"])) == (0, 1)

    def test_events_and_rejected_rows_arrive_together(self, store):
        row = QuarantinedRow("r1", "orders.csv", 3, "missing_customer", "No id.", "{}", "{}")
        store.append(build_events(), rejected=[row])
        assert store.quarantined() == [row]

    def test_the_customer_book_counts_what_changed(self, store):
        import pyarrow as pa

        def book(**changes):
            row = dict.fromkeys(CUSTOMER_SCHEMA.names) | {"customer_id": "C9"} | changes
            return pa.Table.from_pylist([row], schema=CUSTOMER_SCHEMA)

        assert store.put_customers(book(consent_email=True)).accepted == 1
        assert store.put_customers(book(consent_email=True)).duplicates == 1
        assert store.put_customers(book(consent_email=False)).accepted == 1
        assert store.customers(["C9"]).drop(["restricted"]).equals(book(consent_email=False))
        assert store.customers(["C1"]).num_rows == 0
        assert store.has_customer("C9")


class TestScoreStore:
    @pytest.fixture
    def store(self, make):
        return make(FakeScoreStore, "SqlScoreStore")

    @pytest.fixture
    def scores(self):
        def score(name, risk, gain, band="high", **changes):
            action = build_action(expected_gain=gain, decision_id=f"d-{name}", **changes)
            return build_score(name, churn_risk=risk, band=band, action=action)

        return [
            score("A", 0.9, 1.0),
            score("B", 0.7, 5.0),
            score("b", 0.7, 5.0, group="control"),
            score("C", 0.1, 9.0, band="low", code="vip_call"),
            build_score("D", status="abstained", status_reason="no_order_yet"),
        ]

    def test_an_empty_store_answers_everything(self, store):
        assert store.latest_run() is None
        assert store.run_summary() is None
        assert store.stored_score("A") is None
        assert store.at_risk(AtRiskQuery()) == ([], 0)
        assert store.outcomes_of("A") == []
        assert dict(store.last_actions(["A"])) == {}

    def test_scores_come_back_as_they_went_in(self, store, scores):
        store.save_run(build_run(customers=5), scores)
        assert store.latest_run() == build_run(customers=5)
        for score in scores:
            assert store.stored_score(score.customer_id) == score
        assert store.stored_score("nobody") is None

    def test_the_newest_batch_is_the_one_that_is_shown(self, store, scores):
        store.save_run(build_run("run-1"), scores)
        newer = build_score("A", churn_risk=0.8, action=build_action(decision_id="d-A2"))
        later = NOON + timedelta(days=1)
        store.save_run(build_run("run-2", as_of=later, created_at=later), [newer])
        assert store.stored_score("A") == newer
        assert store.stored_score("B") is None
        assert store.stored_score("B", "run-1") == scores[1]
        assert store.at_risk(AtRiskQuery())[1] == 1

    def test_old_batches_are_pruned_to_one_a_month(self, store, scores):
        """The newest of a month stays, and whatever is not old; decisions stay in any case."""
        days = [80, 70, 40, 39, 2, 1]
        for day in days:
            at = NOON - timedelta(days=day)
            store.save_run(build_run(f"run-{day}", as_of=at, created_at=at), scores)
        assert store.prune(NOON - timedelta(days=35)) == 2
        assert store.prune(NOON - timedelta(days=35)) == 0
        kept = [day for day in days if store.stored_score("A", f"run-{day}") is not None]
        months = {}
        for day in days:
            months[(NOON - timedelta(days=day)).strftime("%Y-%m")] = day
        assert kept == sorted({*months.values(), 2, 1}, reverse=True)
        assert store.record_outcome("d-C", "contacted", at=NOON, actor="dana") == "C"

    def test_the_summary_counts_the_newest_batch(self, store, scores):
        store.save_run(build_run(), scores)
        summary = store.run_summary()
        assert summary["statuses"] == {"scored": 4, "abstained": 1}
        assert summary["bands"] == {"high": 3, "low": 1}
        assert summary["expected_gain"] == pytest.approx(20.0)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            (AtRiskQuery(), "CBbA"),
            (AtRiskQuery(sort="risk"), "ABbC"),
            (AtRiskQuery(band="low"), "C"),
            (AtRiskQuery(min_risk=0.7), "BbA"),
            (AtRiskQuery(group="control"), "b"),
            (AtRiskQuery(action="vip_call"), "C"),
            (AtRiskQuery(segment="loyal"), "CBbA"),
            (AtRiskQuery(segment="new"), ""),
            (AtRiskQuery(min_value=118.0), "CBbA"),
            (AtRiskQuery(min_value=118.5), ""),
            (AtRiskQuery(outcome="done"), ""),
            (AtRiskQuery(outcome="all"), "CBbA"),
        ],
    )
    def test_the_list_is_filtered_and_sorted(self, store, scores, query, expected):
        store.save_run(build_run(), scores)
        found, total = store.at_risk(query)
        assert "".join(score.customer_id for score in found) == expected
        assert total == len(expected)

    @pytest.mark.parametrize("sort", ["expected_gain", "risk"])
    def test_pages_meet_without_gap_or_overlap(self, store, scores, sort):
        store.save_run(build_run(), scores)
        whole, total = store.at_risk(AtRiskQuery(sort=sort))
        seen, after = [], None
        while page := store.at_risk(AtRiskQuery(sort=sort, page_size=1, after=after))[0]:
            (score,) = page
            key = score.churn_risk if sort == "risk" else score.action.expected_gain
            seen, after = [*seen, score], (key, score.customer_id)
        assert seen == whole
        assert store.at_risk(AtRiskQuery(sort=sort, page_size=1, after=after))[1] == total

    def test_an_outcome_closes_a_decision_and_reopening_opens_it(self, store, scores):
        store.save_run(build_run(), scores)
        assert store.record_outcome("d-C", "contacted", at=NOON, actor="dana", note="ok") == "C"
        assert [score.customer_id for score in store.at_risk(AtRiskQuery())[0]] == ["B", "b", "A"]
        assert store.at_risk(AtRiskQuery(outcome="done"))[1] == 1
        assert dict(store.last_actions(["C", "A"])) == {"C": {"vip_call": NOON}}
        later = NOON + timedelta(minutes=1)
        store.record_outcome("d-C", "reopened", at=later, actor="dana")
        assert store.at_risk(AtRiskQuery())[1] == 4
        assert dict(store.last_actions(["C"])) == {}
        told = [(row["outcome"], row["note"]) for row in store.outcomes_of("C")]
        assert told == [("reopened", ""), ("contacted", "ok")]
        newest = store.outcomes_of("C")[0]
        assert (newest["decision_id"], newest["action"]) == ("d-C", "vip_call")
        assert (newest["at"], newest["actor"]) == (later, "dana")

    def test_decisions_tell_who_was_contacted_and_who_was_held_out(self, store, scores):
        """Only actions by which somebody was contacted, and a contact taken back is none."""
        store.save_run(build_run(customers=5), scores)
        later, end = NOON + timedelta(days=1), NOON + timedelta(days=2)
        assert store.decisions(end).num_rows == 0
        store.record_outcome("d-B", "contacted", at=later, actor="dana")
        found = {row["customer_id"]: row for row in store.decisions(end).to_pylist()}
        assert "C" not in found  # of another action
        assert found["B"]["treated_at"] == to_us(later)
        assert found["A"]["treated_at"] is None
        assert (found["A"]["held_out"], found["b"]["held_out"]) == (False, True)
        assert found["b"] | {"action": "cart_reminder", "decided_at": to_us(NOON)} == found["b"]
        assert store.decisions(later).num_rows == 0  # the contact was not known then
        store.record_outcome("d-B", "reopened", at=later, actor="dana")
        assert store.decisions(end).num_rows == 0

    def test_an_outcome_of_no_decision_is_refused(self, store):
        with pytest.raises(DecisionNotFound):
            store.record_outcome("d-X", "contacted", at=NOON, actor="dana")

    def test_decisions_outside_a_batch_take_outcomes_and_are_kept_once(self, store):
        score = build_score("E")
        store.save_decisions([score])
        store.save_decisions([score, build_score("F", status="abstained")])
        assert store.record_outcome("d-E", "dismissed", at=NOON, actor="dana") == "E"
        assert len(store.outcomes_of("E")) == 1


class TestLedger:
    @pytest.fixture
    def ledger(self, make):
        return make(FakeLedger, "SqlLedger")

    def _append(self, ledger, version):
        return ledger.append(
            at=NOON,
            version=version,
            bundle=f"sha256:{version}",
            approved_by="dana",
            reason="passed the gate",
            trained_until=NOON - timedelta(days=1),
            labels_through=NOON - timedelta(days=91),
        )

    def test_nobody_is_champion_at_first(self, ledger):
        assert ledger.champion() is None
        assert ledger.history() == []

    def test_the_newest_entry_is_champion_and_all_are_kept(self, ledger):
        entries = [self._append(ledger, version) for version in ("1", "2", "1")]
        assert [entry.sequence for entry in entries] == [1, 2, 3]
        assert ledger.champion() == entries[-1]
        assert ledger.history() == entries[::-1]


class TestKeyStore:
    @pytest.fixture
    def keys(self, make):
        return make(FakeKeyStore, "SqlKeyStore")

    def test_a_key_opens_until_it_is_revoked(self, keys):
        key, text = keys.create("crm", ["scores:read", "desk"], now=NOON)
        assert text.startswith(f"cg_live_{key.key_id}_")
        assert keys.verify(text, now=NOON) == key
        assert keys.revoke(key.key_id, now=NOON)
        assert not keys.revoke("nobody", now=NOON)
        assert keys.verify(text, now=NOON) is None

    def test_a_key_expires(self, keys):
        _, text = keys.create("crm", ["desk"], now=NOON, expires_at=NOON + timedelta(hours=1))
        assert keys.verify(text, now=NOON) is not None
        assert keys.verify(text, now=NOON + timedelta(hours=1)) is None

    @pytest.mark.parametrize("change", [str.upper, lambda text: text[:-1], lambda text: text + "0"])
    def test_nearly_right_is_wrong(self, keys, change):
        _, text = keys.create("crm", ["desk"], now=NOON)
        assert keys.verify(change(text), now=NOON) is None

    @pytest.mark.parametrize(
        "text", ["", "cg_live_", "cg_live__", "x", "cg_live_a_b", "é\0", "_" * 9]
    )
    def test_no_key_at_all_is_no_key(self, keys, text):
        assert keys.verify(text, now=NOON) is None

    def test_keys_are_listed_newest_first(self, keys):
        made = [keys.create(name, [], now=NOON)[0] for name in ("a", "b")]
        assert keys.keys() == made[::-1]
