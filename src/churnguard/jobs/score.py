"""Score everybody: the night's batch, to the store and to a file."""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from textwrap import fill
from typing import Any

import pyarrow as pa

from churnguard.clock import iso, not_in_future
from churnguard.jobs.champion import LoadedChampion, champion_for
from churnguard.jobs.last_look import last_look
from churnguard.jobs.many_records import holding_many_records
from churnguard.jobs.ports import Engine, Progress, ScoreRun, Shop, silent
from churnguard.jobs.score_here import LocalJudge, judge_here
from churnguard.jobs.score_on import EngineJudge, judge_on
from churnguard.jobs.shadow import keep_shadow, load_shadow
from churnguard.jobs.write_table import check_ending, write_table
from churnguard.scoring.score import Score

_MOST_REASONS = 100_000
_SHARE_WITH_REASONS = 0.1
_FEWEST_REASONS = 500
_CHUNK = 50_000


@dataclass(frozen=True)
class ScoreReport:
    """What a batch did.

    Attributes
    ----------
    run : ScoreRun
        The stored batch.
    by_status, by_band, by_action : mapping of str to int
        How many customers.
    expected_gain : float
        Of all suggested actions outside the held-out group, money.
    currency : str
        The shop's.
    out : Path or None
        The file written.
    """

    run: ScoreRun
    by_status: dict[str, int]
    by_band: dict[str, int]
    by_action: dict[str, int]
    expected_gain: float
    currency: str
    out: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "run_id": self.run.run_id,
            "as_of": iso(self.run.as_of),
            "model_version": self.run.model_version,
            "customers": self.run.customers,
            "status": self.by_status,
            "band": self.by_band,
            "action": self.by_action,
            "expected_gain": self.expected_gain,
            "out": str(self.out) if self.out else None,
        }

    def to_text(self) -> str:
        """Return a few lines for a person."""
        lines = [
            f"{self.run.customers:,} customers as of {iso(self.run.as_of.replace(microsecond=0))}, "
            f"by model version {self.run.model_version}",
            _counts("status", self.by_status),
            _counts("risk", self.by_band),
            _counts("action", self.by_action),
            f"expected gain of all suggestions: {self.expected_gain:,.2f} {self.currency}",
        ]
        return "\n".join(lines + ([f"written to {self.out}"] if self.out else []))


@holding_many_records()
def score_everybody(
    shop: Shop,
    *,
    as_of: datetime | None = None,
    out: Path | None = None,
    shadow: str | None = None,
    engine: Engine | None = None,
    progress: Progress = silent,
) -> ScoreReport:
    """Score every customer that the shop knows.

    Parameters
    ----------
    shop : Shop
        An opened project.
    as_of : datetime, optional
        The cutoff; now when not given.
    out : Path, optional
        CSV or Parquet file to write as well.
    shadow : str, optional
        A challenger's version: it scores the same night, beside the champion; its scores are kept
        apart and lead to no action.
    engine : Engine, optional
        Where signals and scores are computed; in this process when not given.
    progress : callable
        Told what is being done.

    Raises
    ------
    ModelNotFound
        If there is no champion yet, or no such challenger.
    InvalidRequest
        If the file's ending is neither ``.csv`` nor ``.parquet``, the instant lies in the future,
        or the challenger is the champion or looks ahead as far as another horizon.
    """
    if out is not None:
        check_ending(out)
    cutoff = not_in_future(as_of, shop.clock) if as_of else shop.clock()
    champion = champion_for(shop, as_of)
    beside = load_shadow(shop, shadow, champion=champion) if shadow else None
    scores = _with_reasons(shop, champion, engine, as_of=cutoff, progress=progress)
    scores = last_look(shop, champion, scores, as_of=cutoff)
    run = ScoreRun(
        run_id=secrets.token_hex(8),
        as_of=cutoff,
        created_at=shop.clock(),
        model_version=champion.entry.version,
        customers=len(scores),
    )
    if out is not None:
        write_table(score_table(scores), out)
    progress("storing scores", 0, None)
    shop.scores.save_run(run, scores)
    if beside is not None:
        judge = _judge(shop, beside, engine, as_of=cutoff, progress=progress, most=0)
        theirs = last_look(shop, beside, judge.scores(), as_of=cutoff)
        keep_shadow(shop, run, scores, theirs, version=beside.entry.version)
    return _report(run, scores, shop.settings.currency, out)


def _with_reasons(
    shop: Shop,
    champion: LoadedChampion,
    engine: Engine | None,
    *,
    as_of: datetime,
    progress: Progress,
) -> list[Score]:
    """Return everybody's score, by customer, with reasons for the most worthwhile."""
    top = shop.settings.reasons_top
    most = _MOST_REASONS if top is None else top
    judge = _judge(shop, champion, engine, as_of=as_of, progress=progress, most=most)
    scores = sorted(judge.scores(), key=lambda score: score.customer_id)
    progress("explaining the most worthwhile", 0, None)
    told = {score.customer_id: score for score in judge.explained(worth_explaining(scores, top))}
    return [told.get(score.customer_id, score) for score in scores]


def _judge(
    shop: Shop,
    model: LoadedChampion,
    engine: Engine | None,
    *,
    as_of: datetime,
    progress: Progress,
    most: int,
) -> LocalJudge | EngineJudge:
    if engine is None:
        return judge_here(shop, model, as_of=as_of, progress=progress, most=most)
    return judge_on(engine, shop, model, as_of=as_of, progress=progress)


def score_table(scores: Sequence[Score]) -> pa.Table:
    """Return scores as the flat table of ``score --out``; reasons are codes."""
    parts = [
        pa.Table.from_pylist(list(map(_flat, scores[start : start + _CHUNK])), schema=SCORE_SCHEMA)
        for start in range(0, len(scores), _CHUNK)
    ]
    return pa.concat_tables([SCORE_SCHEMA.empty_table(), *parts]).combine_chunks()


SCORE_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("as_of", pa.timestamp("us", tz="UTC")),
        ("horizon_days", pa.int32()),
        ("status", pa.string()),
        ("status_reason", pa.string()),
        ("churn_risk", pa.float64()),
        ("risk_low", pa.float64()),
        ("risk_high", pa.float64()),
        ("band", pa.string()),
        ("segment", pa.string()),
        ("reason_1", pa.string()),
        ("reason_2", pa.string()),
        ("reason_3", pa.string()),
        ("expected_value", pa.float64()),
        ("action", pa.string()),
        ("expected_gain", pa.float64()),
        ("group", pa.string()),
        ("model_version", pa.string()),
        ("data_through", pa.timestamp("us", tz="UTC")),
    ]
)
"""Columns of ``score --out``, in order."""


def worth_explaining(scores: Sequence[Score], top: int | None) -> frozenset[str]:
    """Return whom the settings give reasons to: first in expected gain and first in risk, in turn.

    Those are the two orders in which the at-risk list is read.
    """
    judged = [score for score in scores if score.churn_risk is not None and score.action]
    share = min(math.ceil(len(scores) * _SHARE_WITH_REASONS), _MOST_REASONS)
    count = max(share, _FEWEST_REASONS) if top is None else top
    by_gain = sorted(judged, key=lambda s: -s.action.expected_gain if s.action else 0.0)
    by_risk = sorted(judged, key=lambda s: -(s.churn_risk or 0.0))
    in_turn = (s.customer_id for pair in zip(by_gain, by_risk, strict=True) for s in pair)
    return frozenset(islice(dict.fromkeys(in_turn), count))


def _flat(score: Score) -> dict[str, Any]:
    action = score.action
    codes = [reason.code for reason in (score.reasons or ())][:3]
    low, high = score.interval or (None, None)
    return {
        **{name: getattr(score, name, None) for name in SCORE_SCHEMA.names},
        "risk_low": low,
        "risk_high": high,
        **{f"reason_{place}": code for place, code in enumerate(codes, start=1)},
        "action": action.code if action else None,
        "expected_gain": action.expected_gain if action else None,
        "group": action.group if action else None,
        "model_version": score.model.version if score.model else None,
    }


def _report(run: ScoreRun, scores: Sequence[Score], currency: str, out: Path | None) -> ScoreReport:
    suggested = [score.action for score in scores if score.action is not None]
    return ScoreReport(
        run=run,
        by_status=dict(Counter(score.status_reason or score.status for score in scores)),
        by_band=dict(Counter(score.band for score in scores if score.band)),
        by_action=dict(Counter(action.code for action in suggested).most_common()),
        expected_gain=sum(a.expected_gain for a in suggested if a.group == "treat"),
        currency=currency,
        out=out,
    )


def _counts(what: str, counts: dict[str, int]) -> str:
    counted = ", ".join(f"{n:,}\u00a0{name}" for name, n in counts.items()) or "none"
    lines = fill(f"{what}: {counted}", width=100, subsequent_indent=" " * (len(what) + 2))
    return lines.replace("\u00a0", " ")
