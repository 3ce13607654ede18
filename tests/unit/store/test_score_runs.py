"""A batch of scores is stored part by part, and read once it is whole."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from churnguard.store import scores as scores_module
from churnguard.store.database import open_database, reading
from churnguard.store.records import AtRiskQuery
from churnguard.store.scores import SqlScoreStore
from churnguard.store.tables import score, score_run
from churnguard.testing import NOON, build_action, build_run, build_score


class Interrupted(Exception):
    pass


class Watched(list):
    """Scores that do something whenever a further part of them is taken."""

    def __init__(self, scores, then):
        super().__init__(scores)
        self._then = then

    def __getitem__(self, place):
        if place.start:
            self._then()
        return super().__getitem__(place)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(scores_module, "_STORED_AT_ONCE", 2)
    engine = open_database("sqlite:///shop.db", root=tmp_path)
    yield SqlScoreStore(engine)
    engine.dispose()


def batch(gain):
    names = ("A", "B", "C", "D", "E")
    return [build_score(one, action=build_action(expected_gain=gain)) for one in names]


def counted(store):
    with reading(store._engine) as connection:
        tables = (score_run, score)
        return [connection.scalar(sa.select(sa.func.count()).select_from(t)) for t in tables]


def gains(store):
    return {one.action.expected_gain for one in store.at_risk(AtRiskQuery())[0]}


def test_a_batch_is_not_read_before_it_is_whole_and_holds_nobody_up(store):
    store.save_run(build_run("one", customers=5), batch(1.0))
    seen = []

    def look():
        seen.append((store.latest_run().run_id, gains(store)))
        # Another writer, who would wait in vain if the batch were one transaction.
        assert store.record_outcome("one.A", "contacted", at=NOON, actor="dana") == "A"

    store.save_run(build_run("two", customers=5), Watched(batch(2.0), look))
    assert seen == [("one", {1.0})] * 2
    assert (store.latest_run().run_id, gains(store)) == ("two", {2.0})


def interrupted(store, name, gain):
    def fail():
        raise Interrupted

    with pytest.raises(Interrupted):
        store.save_run(build_run(name, customers=5), Watched(batch(gain), fail))


def test_one_that_was_interrupted_is_no_batch_and_is_stored_again(store):
    store.save_run(build_run("one", customers=5), batch(1.0))
    interrupted(store, "two", 2.0)
    assert store.latest_run().run_id == "one"
    assert store.stored_score("A", "two") is None
    assert counted(store) == [2, 7]
    store.save_run(build_run("two", customers=5), batch(3.0))
    assert (store.latest_run().run_id, gains(store)) == ("two", {3.0})
    assert counted(store) == [2, 10]


def test_the_same_batch_again_takes_the_place_of_the_first_at_once(store):
    store.save_run(build_run("one", customers=5), batch(1.0))
    seen = []
    store.save_run(
        build_run("one", customers=5), Watched(batch(2.0), lambda: seen.append(gains(store)))
    )
    assert seen == [{1.0}] * 2
    assert gains(store) == {2.0}
    assert counted(store) == [1, 5]


def test_what_was_left_long_ago_is_tidied_away(store):
    interrupted(store, "one", 1.0)
    assert store.latest_run() is None
    assert store.run_summary() is None
    assert store.prune(NOON - timedelta(days=1)) == 0
    assert counted(store) == [1, 2]
    assert store.prune(NOON + timedelta(days=1)) == 0
    assert counted(store) == [0, 0]
