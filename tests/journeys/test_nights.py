"""Nights that are killed, doubled, stopped and repeated: the work is done once, and whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnguard.bootstrap import open_shop
from churnguard.clock import iso
from churnguard.errors import JobInterrupted, LeaseHeld
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.jobs import run_daily as night
from churnguard.jobs.run_daily import plan_daily, run_daily
from churnguard.project.layout import Layout

LATER = timedelta(minutes=2)  # by then a dead holder's lease is over


class Killed(BaseException):
    """The process is gone: nothing that comes after is done."""


class Dying:
    """A book of work whose process dies at a step, before or after it is written down.

    What a dead process would not do (release its lease, mark the job) is not done.
    """

    def __init__(self, work, step, when):
        self._work, self._step, self._when = work, step, when

    def __getattr__(self, name):
        return getattr(self._work, name)

    def finish_step(self, job_id, step, answer, *, now, lease):
        if step == self._step and self._when == "before":
            raise Killed
        self._work.finish_step(job_id, step, answer, now=now, lease=lease)
        if step == self._step:
            raise Killed

    def release(self, lease):
        pass


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def shop(trained, tmp_path, monkeypatch):
    """A copy of the trained shop; the look for drift has its own tests and costs seconds."""
    root = tmp_path / "shop"
    shutil.copytree(trained.root, root)
    monkeypatch.setattr(night.run_daily.__globals__["_Night"], "_drift", lambda _: {"alarm": False})
    clock = Clock(trained.shop.clock() + timedelta(hours=5))
    return open_shop(root, clock=clock, environ={}, reasons_top=20)


def _killed_at(shop, step, when, out):
    dying = replace(shop, work=Dying(shop.work, step, when))
    with pytest.raises(Killed):
        run_daily(dying, out=out)
    shop.clock.now += LATER


def _facts(shop):
    """What a night leaves behind, in the store."""
    with shop.scores._engine.connect() as connection:
        count = lambda table: connection.exec_driver_sql(  # noqa: E731
            f"SELECT count(*) FROM {table}"
        ).scalar()
        return {table: count(table) for table in ("score_run", "score", "standing", "score_change")}


def _exports(shop):
    """What the audit log says of files of everybody's scores."""
    entries = shop.audit.entries()
    return [dict(one.details) for one in entries if one.action == "scores.exported"]


def _scores(file):
    return pq.read_table(file).drop_columns(["data_through"]).to_pylist()


def test_the_same_night_again_answers_what_was_done(shop, tmp_path):
    out = tmp_path / "scores.parquet"
    plan = plan_daily(shop, out=out)
    assert (plan.job, plan.already, out.exists()) == (None, False, False)
    first = run_daily(shop, out=out)
    assert (first.already, first.job.state, first.job.attempts) == (False, "done", 1)
    facts, written = _facts(shop), out.stat().st_mtime_ns
    again = run_daily(shop, out=out)
    assert again.already
    assert again.job == first.job
    assert (_facts(shop), out.stat().st_mtime_ns) == (facts, written)
    assert plan_daily(shop, out=out).already
    tables = shop.events.history(), shop.events.customers()
    known = {name for table in tables for name in table["customer_id"].to_pylist()}
    assert pq.read_metadata(out).num_rows == first.job.answer["customers"] == len(known)
    assert facts["score_run"] == 1
    assert _exports(shop) == [{"file": out.name, "as_of": iso(first.as_of)}]
    assert [file.name for file in out.parent.glob("*.parquet*")] == [out.name]
    assert list(Layout(shop.root).nights.glob("*")) == []


SOME = [
    ("score:03", "after"),
    ("store", "before"),
    ("write", "after"),
    ("publish", "before"),
    ("audit", "before"),
    ("watch:02", "before"),
]
ALL = [
    (step, when)
    for step in (
        "begin", "export", *(f"score:{n:02}" for n in range(16)), "score:book",
        *(f"explain:{n:02}" for n in range(16)), "store", "write", "publish", "audit",
        *(f"watch:{n:02}" for n in range(16)), "drift", "tidy",
    )
    for when in ("before", "after")
]  # fmt: skip


@pytest.mark.parametrize("places", [SOME, pytest.param(ALL, marks=pytest.mark.chaos)])
def test_a_night_that_is_killed_anywhere_goes_on_and_ends_the_same(shop, tmp_path, places):
    """F29: killed before and after steps of every kind; one batch is stored, one whole file."""
    whole = tmp_path / "whole.parquet"
    reference = run_daily(shop, out=whole)
    with shop.scores._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM standing")
    out = tmp_path / "scores.parquet"
    for place in places:
        _killed_at(shop, *place, out)
        published = places.index(place) >= places.index(("publish", "before"))
        assert out.exists() == published
    done = run_daily(shop, out=out)
    assert (done.job.state, done.job.attempts) == ("done", len(places) + 1)
    assert done.job.answer["customers"] == reference.job.answer["customers"]
    assert _scores(out) == _scores(whole)
    facts = _facts(shop)
    assert (facts["score_run"], facts["score_change"]) == (1, 0)
    assert facts["standing"] == reference.job.answer["moves"]
    assert set(done.steps) == set(reference.steps)
    assert [told["file"] for told in _exports(shop)] == [whole.name, out.name]


@pytest.mark.chaos
def test_a_file_that_was_taken_away_is_not_written_twice(shop, tmp_path):
    """Whoever waits for the file may take it at once; a night killed then does not export again."""
    out = tmp_path / "scores.csv"
    _killed_at(shop, "publish", "before", out)
    assert len(out.read_text().splitlines()) == 501
    out.unlink()
    assert run_daily(shop, out=out).job.state == "done"
    assert not out.exists()


def test_who_objects_between_scoring_and_export_is_in_neither(shop, tmp_path):
    """F45: the book is asked again when the batch is stored and when the file is written.

    A file that was written and waits, unseen, for its name is written anew.
    """
    out = tmp_path / "scores.parquet"
    _killed_at(shop, "score:book", "after", out)
    names = sorted(shop.events.history()["customer_id"].unique().to_pylist())
    before, between, at_last = names[3], names[5], names[7]
    _object(shop, before)
    _killed_at(shop, "store", "after", out)
    _object(shop, between)
    _killed_at(shop, "write", "after", out)
    _object(shop, at_last)
    run_daily(shop, out=out)
    found = {row["customer_id"]: row for row in pq.read_table(out).to_pylist()}
    for name in (before, between, at_last):
        told = {key: found[name][key] for key in ("status", "churn_risk", "band", "action")}
        assert told == {"status": "objected", "churn_risk": None, "band": None, "action": None}
    assert shop.scores.stored_score(before).churn_risk is None
    assert shop.watch.standings([before, between, at_last]) == {}


@pytest.mark.chaos
@pytest.mark.parametrize("step", ["score:book", "store", "write"])
def test_who_is_erased_while_the_night_runs_is_in_nothing_of_it(shop, tmp_path, step):
    """F43: scored before the erasure; stored, written or given its name after it."""
    from churnguard.jobs.erase import erase

    out = tmp_path / "scores.parquet"
    _killed_at(shop, step, "after", out)
    name = sorted(shop.events.history()["customer_id"].unique().to_pylist())[3]
    erase(shop, name, actor="cli:test")
    run_daily(shop, out=out)
    assert name not in pq.read_table(out)["customer_id"].to_pylist()
    assert shop.scores.stored_score(name) is None
    assert shop.watch.standings([name]) == {}


def _object(shop, customer_id):
    row = dict.fromkeys(CUSTOMER_SCHEMA.names)
    row |= {"customer_id": customer_id, "opt_out_profiling": True}
    shop.events.put_customers(pa.Table.from_pylist([row], schema=CUSTOMER_SCHEMA))


@pytest.mark.chaos
def test_a_night_asked_to_stop_finishes_its_step_and_goes_on_later(shop):
    asked = iter([False] * 6 + [True])
    with pytest.raises(JobInterrupted) as stopped:
        run_daily(shop, stopping=lambda: next(asked))
    assert "6 steps" in stopped.value.message
    assert plan_daily(shop).job.state == "running"
    assert run_daily(shop).job.attempts == 2  # the lease was given back at once


def test_one_at_a_time(shop):
    """F30: whoever comes second is refused, and a sleeper that lost its lease writes nothing."""
    now = shop.clock()
    shop.work.acquire("daily", holder="other:1:a", now=now, until=now + timedelta(minutes=1))
    with pytest.raises(LeaseHeld, match="other:1"):
        run_daily(shop)
    assert plan_daily(shop).job is None


@pytest.mark.chaos
def test_a_step_that_fails_marks_the_job_and_the_next_run_goes_on(shop, tmp_path):
    out = tmp_path / "there" / "scores.csv"
    out.parent.write_text("a file where a folder should be")
    with pytest.raises(OSError, match="File exists"):
        run_daily(shop, out=out)
    job = plan_daily(shop, out=out).job
    assert (job.state, job.error) == ("failed", "FileExistsError")
    out.parent.unlink()
    assert run_daily(shop, out=out).job.attempts == 2


@pytest.mark.chaos
def test_every_night_moves_standings_and_adds_up(shop):
    """Two nights: the second one's moves are time passing alone, for nothing happened."""
    run_daily(shop)
    shop.clock.now += timedelta(days=3)
    second = run_daily(shop)
    assert second.job.answer["moves"] > 20
    names = shop.events.history()["customer_id"].unique().to_pylist()
    changes = [change for name in names for _, change in shop.watch.changes(name)]
    assert len(changes) == second.job.answer["moves"]
    for change in changes:
        assert change.behaviour == change.late_data == change.model_change == 0
        assert change.time_passing == change.to_margin - change.from_margin


def _start(root: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "churnguard.cli", "run", "daily", "--project", str(root)]
    log = (root / f"run-{time.monotonic_ns()}.log").open("wb")
    environ = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--json", *words], stdout=subprocess.PIPE, stderr=log, env=environ
    )


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_of_three_schedulers_one_works_and_another_takes_over_when_it_is_killed(trained, tmp_path):
    """F30: kill -9 of the holder; its lease ends, one of the others goes on, nothing is doubled."""
    root = tmp_path / "shop"
    shutil.copytree(trained.root, root)
    out, words = root / "scores.csv", ("--as-of", "2026-11-01", "--wait", "400", "--lease", "5")
    runs = [_start(root, *words, "--out", str(out)) for _ in range(3)]
    shop = open_shop(root, environ={})
    leader = _holder(shop, runs)
    os.kill(leader.pid, signal.SIGKILL)
    answers = [json.loads(run.communicate(timeout=500)[0]) for run in runs if run is not leader]
    leader.communicate()
    assert [run.returncode for run in runs if run is not leader] == [0, 0]
    assert {answer["state"] for answer in answers} == {"done"}
    assert sorted(answer["already"] for answer in answers) == [False, True]
    assert answers[0]["attempts"] == 2
    assert len(out.read_text().splitlines()) == 501
    assert _facts(shop)["score_run"] == 1


def _holder(shop, runs):
    end = time.monotonic() + 200
    while time.monotonic() < end:
        lease = shop.work.lease("daily")
        job = shop.work.job(next(iter(_job_ids(shop)), ""))
        if lease is not None and job is not None and len(shop.work.steps(job.job_id)) > 3:
            pid = int(lease.holder.split(":")[1])
            return next(run for run in runs if run.pid == pid)
        time.sleep(0.02)
    raise AssertionError("nobody took the lease")


def _job_ids(shop):
    with shop.scores._engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT job_id FROM job").scalars())


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_sigterm_ends_a_night_between_two_steps(trained, tmp_path):
    root = tmp_path / "shop"
    shutil.copytree(trained.root, root)
    run = _start(root, "--as-of", "2026-11-01")
    shop = open_shop(root, environ={})
    assert _holder(shop, [run]) is run
    run.send_signal(signal.SIGTERM)
    answer = json.loads(run.communicate(timeout=200)[0])
    assert run.returncode == 1
    assert answer["error"]["type"] == "JobInterrupted"
    assert shop.work.job(_job_ids(shop)[0]).state == "running"
    again = _start(root, "--as-of", "2026-11-01")
    assert json.loads(again.communicate(timeout=300)[0])["attempts"] == 2
