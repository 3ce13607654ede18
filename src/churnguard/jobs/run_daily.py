"""The night's work, as one job: exported, scored, stored, written out, watched, tidied.

The same day again answers what was done. Killed anywhere, it goes on after the last finished step:
the batch is stored once, and its file appears once, whole. Two of them never work at the same time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from churnguard.clock import iso, local_day, midnight, not_in_future
from churnguard.errors import ChurnGuardError, ModelNotFound
from churnguard.jobs.audit import record
from churnguard.jobs.champion import LoadedChampion, champion_for, load_champion
from churnguard.jobs.daily_report import KIND, DailyReport, job_name
from churnguard.jobs.drift import drift
from churnguard.jobs.durable import sync
from churnguard.jobs.housekeeping import tidy
from churnguard.jobs.job_book import LEASE_SECONDS, Steps, failing_well, holding
from churnguard.jobs.many_records import holding_many_records
from churnguard.jobs.night_scores import NightScores
from churnguard.jobs.ports import Progress, ScoreRun, Shop, silent
from churnguard.jobs.risk_watch import watch_scores
from churnguard.jobs.score import score_table, worth_explaining
from churnguard.jobs.write_table import check_ending, write_table
from churnguard.scoring.score import Score


def run_daily(
    shop: Shop,
    *,
    as_of: datetime | None = None,
    out: Path | None = None,
    wait: float = 0.0,
    lease_seconds: float = LEASE_SECONDS,
    stopping: Callable[[], bool] = lambda: False,
    progress: Progress = silent,
) -> DailyReport:
    """Do the night's work, or what is left of it.

    Parameters
    ----------
    shop : Shop
        An opened project.
    as_of : datetime, optional
        The cutoff; the shop's last midnight when not given.
    out : Path, optional
        CSV or Parquet file of the scores.
    wait : float
        Seconds to wait for another process that is at it.
    lease_seconds : float
        How long after a process died another one may go on.
    stopping : callable
        Tells that this process has been asked to end: the step under way is finished first.
    progress : callable
        Told what is being done.

    Raises
    ------
    LeaseHeld
        If another process is at it, and still is after the wait.
    JobInterrupted
        If it was asked to stop.
    ModelNotFound
        If there is no champion yet.
    InvalidRequest
        If the file ends in neither ``.csv`` nor ``.parquet``, or the instant lies in the future.
    """
    if out is not None:
        check_ending(out)
    cutoff = not_in_future(as_of, shop.clock) if as_of else _last_midnight(shop)
    name = job_name(cutoff, out)

    def is_done() -> bool:
        job = shop.work.job(name)
        return job is not None and job.state == "done"

    if is_done():
        return _report(shop, name, cutoff, already=True)
    with holding(shop, KIND, seconds=lease_seconds, wait=wait, done=is_done) as lease:
        if lease is None or is_done():
            return _report(shop, name, cutoff, already=True)
        arguments = {"as_of": iso(cutoff), "out": str(out) if out else None}
        shop.work.begin(name, KIND, arguments, now=shop.clock())
        with failing_well(shop, name, lease):
            steps = Steps(shop, name, lease, stopping)
            answer = _Night(shop, steps, cutoff, out, progress).run()
            shop.work.finish(name, now=shop.clock(), lease=lease, answer=answer)
    return _report(shop, name, cutoff, already=False)


def plan_daily(
    shop: Shop, *, as_of: datetime | None = None, out: Path | None = None
) -> DailyReport:
    """Return what :func:`run_daily` has done and would do, without doing anything.

    Raises
    ------
    ModelNotFound
        If there is no champion yet.
    InvalidRequest
        If the file ends in neither ``.csv`` nor ``.parquet``, or the instant lies in the future.
    """
    if out is not None:
        check_ending(out)
    cutoff = not_in_future(as_of, shop.clock) if as_of else _last_midnight(shop)
    champion_for(shop, cutoff)
    found = _report(shop, job_name(cutoff, out), cutoff, already=False)
    done = found.job is not None and found.job.state == "done"
    return DailyReport(found.job, cutoff, found.steps, done)


@dataclass
class _Night:
    """One night's work in the hands of the process that holds the lease."""

    shop: Shop
    steps: Steps
    as_of: datetime
    out: Path | None
    progress: Progress

    @holding_many_records()
    def run(self) -> dict[str, Any]:
        """Do every step that is not done yet, and tell of all of them."""
        once = self.steps.once
        champion = self._champion()
        once("export", lambda: {"events": self.shop.events.export()})
        night = NightScores(self.shop, champion, self.as_of, self.steps.job_id)
        parts = self._score(night)
        stored = once("store", lambda: self._store(night, parts))
        if self.out is not None:
            self._publish(night, parts, self.out)
        watched = self._watch(night, parts)
        looked = once("drift", self._drift)
        tidied = once("tidy", lambda: tidy(self.shop, self.shop.clock()))
        night.clear()
        out = {"out": str(self.out)} if self.out else {}
        return {**stored, **watched, **out, "drift": dict(looked), "tidied": dict(tidied)}

    def _champion(self) -> LoadedChampion:
        """Load the model that spoke when the night began, whatever was promoted since."""
        begun = self.steps.done.get("begin")
        if begun is None:
            champion = champion_for(self.shop, self.as_of)
            told = {"model": champion.entry.version, "sequence": champion.entry.sequence}
            self.steps.once("begin", lambda: told)
            return champion
        for entry in self.shop.ledger.history():
            if entry.sequence == begun["sequence"]:
                return load_champion(self.shop, entry)
        raise ModelNotFound(f"The ledger has no entry {begun['sequence']} any more.")

    def _score(self, night: NightScores) -> int:
        """Score all parts and explain the most worthwhile; return how many parts there are."""
        once, done = self.steps.once, self.steps.done
        if "score:book" not in done:
            parts = 0
            for part, events in enumerate(self.shop.events.partitions()):
                parts = part + 1
                self.progress("scoring customers", parts, None)
                once(f"score:{part:02d}", _later(night.score, part, events))
            once("score:book", _later(night.score_silent, parts))
        parts = int(done["score:book"]["parts"])
        names = [f"explain:{part:02d}" for part in range(parts)]
        if not all(name in done for name in names):
            chosen = worth_explaining(_all(night, parts + 1), self.shop.settings.reasons_top)
            for part, events in enumerate(self.shop.events.partitions()):
                self.progress("explaining the most worthwhile", part + 1, parts)
                once(names[part], _later(night.explain, part, events, chosen))
        return parts + 1

    def _store(self, night: NightScores, parts: int) -> dict[str, Any]:
        self.progress("storing scores", 0, None)
        while True:
            scores = _all(night, parts)
            run = self._save(night, scores)
            # Who was erased meanwhile is taken out; who is from now on, the erasure finds.
            if not self.shop.privacy.erased([score.customer_id for score in scores]):
                break
        bands = Counter(score.band for score in scores if score.band)
        return {
            "run_id": run.run_id,
            "model_version": run.model_version,
            "customers": run.customers,
            "band": dict(bands),
        }

    def _save(self, night: NightScores, scores: Sequence[Score]) -> ScoreRun:
        run = ScoreRun(
            # The same night again replaces itself.
            run_id=hashlib.blake2b(iso(self.as_of).encode(), digest_size=8).hexdigest(),
            as_of=self.as_of,
            created_at=self.shop.clock(),
            model_version=night.champion.entry.version,
            customers=len(scores),
        )
        self.shop.scores.save_run(run, scores)
        return run

    def _publish(self, night: NightScores, parts: int, out: Path) -> None:
        """Write the file once: a kill between the two steps finds it either waiting or gone.

        One that waited through a kill is written anew: who objected since, or was erased, is not
        in it.
        """
        waiting = out.with_name(f".{out.stem}.{self.steps.job_id}{out.suffix}")

        is_fresh = False

        def write() -> dict[str, Any]:
            nonlocal is_fresh
            self.progress("writing the file", 0, None)
            scores = _all(night, parts)
            write_table(score_table(scores), waiting)
            is_fresh = True
            return {"customers": len(scores)}

        def publish() -> dict[str, Any]:
            if waiting.exists():
                if not is_fresh:
                    write()
                waiting.replace(out)
                sync(out.parent)
            return {"out": str(out)}

        def note() -> dict[str, Any]:
            entry = record(
                self.shop, "service", "scores.exported", file=out.name, as_of=iso(self.as_of)
            )
            return {"entry": entry.sequence}

        self.steps.once("write", write)
        self.steps.once("publish", publish)
        with self.shop.audit.together():  # so that the step and its entry are noted once, together
            self.steps.once("audit", note)

    def _watch(self, night: NightScores, parts: int) -> dict[str, Any]:
        """Compare each part with the standings; a part that is done twice moves nobody twice."""
        for part, events in enumerate(self.shop.events.partitions()):
            self.progress("watching customers", part + 1, parts)
            self.steps.once(f"watch:{part:02d}", _later(self._watch_part, night, part, events))
        told = [answer for step, answer in self.steps.done.items() if step.startswith("watch:")]
        return {name: sum(one[name] for one in told) for name in ("moves", "raised")}

    def _watch_part(self, night: NightScores, part: int, events: pa.Table) -> dict[str, Any]:
        told = watch_scores(
            self.shop, night.champion, night.part(part), lambda _: events, now=self.as_of
        )
        return {"moves": told.moves, "raised": told.raised}

    def _drift(self) -> dict[str, Any]:
        """Look for drift; that it cannot be told is no reason for the night to fail."""
        try:
            found = drift(self.shop, as_of=self.as_of, progress=self.progress)
        except ChurnGuardError as error:
            return {"alarm": False, "not_told": error.message}
        return {"alarm": found.alarm}


def _all(night: NightScores, parts: int) -> list[Score]:
    scores = [score for part in range(parts) for score in night.part(part)]
    return sorted(scores, key=lambda score: score.customer_id)


def _later(work: Callable[..., dict[str, Any]], *arguments: Any) -> Callable[[], dict[str, Any]]:
    return lambda: work(*arguments)


def _last_midnight(shop: Shop) -> datetime:
    zone = shop.settings.timezone
    return midnight(local_day(shop.clock(), zone), zone)


def _report(shop: Shop, name: str, as_of: datetime, *, already: bool) -> DailyReport:
    return DailyReport(shop.work.job(name), as_of, shop.work.steps(name), already)
