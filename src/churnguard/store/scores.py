"""The real score store: batches of scores, the decisions taken with them, and what became of those.

Lists are paged by the last row seen, never by counting rows off, so a page costs the same however
far down it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import pyarrow as pa
import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.errors import DecisionNotFound
from churnguard.scoring.score import Score, SuggestedAction
from churnguard.store.bulk import insert_many
from churnguard.store.customer_book import left_alone
from churnguard.store.database import reading, writing
from churnguard.store.records import AtRiskQuery, Outcome, ScoreRun
from churnguard.store.score_json import dump_score, load_score
from churnguard.store.score_runs import NEWEST_RUN, begin_run, finish_run, prune_runs
from churnguard.store.tables import decision, outcome, score, score_run
from churnguard.store.tombstones import Tombstones
from churnguard.training.treatment import TREATMENT_SCHEMA

Record = TypeVar("Record", Score, SuggestedAction)

_CHUNK = 20_000
_STORED_AT_ONCE = 5_000
_LOOKUP = 2_000
_SCORE_COLUMNS = (
    "run", "customer_id", "status", "churn_risk", "band", "segment", "expected_value", "action",
    "expected_gain", "action_group", "decision_id", "document",
)  # fmt: skip
_DECISION_COLUMNS = (
    "decision_id", "customer_id", "decided_at", "action", "channel", "basis", "action_group",
    "propensity", "expected_gain", "cost",
)  # fmt: skip
_SORTS = {"expected_gain": score.c.expected_gain, "risk": score.c.churn_risk}


class SqlScoreStore:
    """Scores, decisions and outcomes in SQL.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    tombstones : Tombstones, optional
        Erased people: what is computed of them in the same moment is not kept.
    """

    def __init__(self, engine: sa.Engine, *, tombstones: Tombstones | None = None) -> None:
        self._engine = engine
        self._tombstones = tombstones or Tombstones()

    def save_run(self, run: ScoreRun, scores: Sequence[Score]) -> None:
        """Store a batch and its decisions; the same run again replaces it.

        It is stored part by part, so that other writers wait for a part at most, and read once it
        is whole.
        """
        number = begin_run(self._engine, run)
        for start in range(0, len(scores), _STORED_AT_ONCE):
            some = scores[start : start + _STORED_AT_ONCE]
            named = [_with_decision_id(one, run.run_id) for one in some]
            rows = [_score_row(number, one) for one in named]
            with writing(self._engine) as connection:
                gone = self._gone(connection, named)
                if gone:
                    named = [one for one in named if one.customer_id not in gone]
                    rows = [row for row in rows if row[1] not in gone]
                insert_many(connection, score, _SCORE_COLUMNS, rows)
                _keep_decisions(connection, named)
        finish_run(self._engine, number, run)

    def save_decisions(self, scores: Sequence[Score]) -> None:
        """Store the decisions of scores given outside a batch; a known decision stays as it is."""
        with writing(self._engine) as connection:
            gone = self._gone(connection, scores)
            _keep_decisions(connection, [one for one in scores if one.customer_id not in gone])

    def _gone(self, connection: sa.Connection, scores: Sequence[Score]) -> Collection[str]:
        """Return who of these was erased."""
        return self._tombstones.among(connection, (one.customer_id for one in scores))

    def prune(self, before: datetime) -> int:
        """Delete batches made before an instant but the newest of each month; return how many."""
        return prune_runs(self._engine, before)

    def latest_run(self) -> ScoreRun | None:
        """Return the newest batch."""
        query = sa.select(score_run).where(score_run.c.seq == NEWEST_RUN)
        with reading(self._engine) as connection:
            found = connection.execute(query).first()
        if found is None:
            return None
        return ScoreRun(
            run_id=found.run_id,
            as_of=from_us(found.as_of),
            created_at=from_us(found.created_at),
            model_version=found.model_version,
            customers=found.customers,
        )

    def stored_score(self, customer_id: str, run_id: str | None = None) -> Score | None:
        """Return a customer's score in a batch (the newest one by default)."""
        query = sa.select(score.c.document).where(score.c.customer_id == customer_id)
        if run_id is None:
            query = query.where(score.c.run == NEWEST_RUN)
        else:
            query = query.join(score_run).where(score_run.c.run_id == run_id)
        with reading(self._engine) as connection:
            found = connection.execute(query).scalar()
        return None if found is None else load_score(found)

    def at_risk(self, query: AtRiskQuery) -> tuple[list[Score], int]:
        """Return one page of the newest batch, sorted, and the number of all that match.

        Sorted by expected gain or risk, highest first, then by customer; the page begins after
        ``query.after``, the sorted value and customer of the last row seen.
        """
        wanted = sa.and_(*_filters(query))
        key = _SORTS[query.sort]
        page = sa.select(score.c.document).where(wanted)
        if query.after is not None:
            value, customer_id = query.after
            later = sa.and_(key == value, score.c.customer_id > customer_id)
            page = page.where(sa.or_(key < value, later))
        page = page.order_by(key.desc(), score.c.customer_id).limit(query.page_size)
        count = sa.select(sa.func.count()).select_from(score).where(wanted)
        with reading(self._engine) as connection:
            found = [load_score(text) for text in connection.execute(page).scalars()]
            return found, connection.execute(count).scalar_one()

    def run_summary(self) -> Mapping[str, Any] | None:
        """Return counts by status and band, and expected gain in all, of the newest batch."""
        newest = score.c.run == NEWEST_RUN
        gain = sa.select(sa.func.coalesce(sa.func.sum(score.c.expected_gain), 0.0)).where(newest)
        with reading(self._engine) as connection:
            if connection.execute(sa.select(NEWEST_RUN)).scalar() is None:
                return None
            return {
                "statuses": _counts(connection, score.c.status, newest),
                "bands": _counts(connection, score.c.band, newest),
                "expected_gain": float(connection.execute(gain).scalar_one()),
            }

    def record_outcome(
        self, decision_id: str, outcome: Outcome, *, at: datetime, actor: str, note: str = ""
    ) -> str:
        """Add an outcome to a decision and return its customer.

        Raises
        ------
        DecisionNotFound
            If there is no such decision.
        """
        mine = decision.c.decision_id == decision_id
        with writing(self._engine) as connection:
            found = connection.execute(sa.select(decision.c.customer_id).where(mine)).scalar()
            if found is None:
                raise DecisionNotFound(
                    "There is no such decision.", hint="Take the id from the score's action."
                )
            _add_outcome(connection, decision_id, outcome, at=at, actor=actor, note=note)
            closed = 0 if outcome == "reopened" else 1
            connection.execute(sa.update(decision).where(mine).values(closed=closed))
        return str(found)

    def outcomes_of(self, customer_id: str) -> list[dict[str, Any]]:
        """Return what was reported about a customer's decisions, newest first."""
        columns = (
            decision.c.decision_id,
            decision.c.action,
            outcome.c.outcome,
            outcome.c.at,
            outcome.c.actor,
            outcome.c.note,
        )
        query = (
            sa.select(*columns)
            .select_from(outcome.join(decision))
            .where(decision.c.customer_id == customer_id)
            .order_by(outcome.c.at.desc(), outcome.c.seq.desc())
        )
        with reading(self._engine) as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001
        return [row | {"at": from_us(row["at"])} for row in rows]

    def last_actions(self, customer_ids: Sequence[str]) -> Mapping[str, Mapping[str, datetime]]:
        """Return, by customer and action code, when it was last contacted; for cooldowns.

        A decision that was reopened does not count: the contact was taken back.
        """
        newest = sa.func.max(outcome.c.at)
        query = (
            sa.select(decision.c.customer_id, decision.c.action, newest)
            .select_from(outcome.join(decision))
            .where(outcome.c.outcome == "contacted", decision.c.closed == 1)
            .group_by(decision.c.customer_id, decision.c.action)
        )
        wanted = sorted(set(customer_ids))
        found: dict[str, dict[str, datetime]] = {}
        with reading(self._engine) as connection:
            for start in range(0, len(wanted), _LOOKUP):
                some = decision.c.customer_id.in_(wanted[start : start + _LOOKUP])
                for customer_id, action, at in connection.execute(query.where(some)):
                    found.setdefault(customer_id, {})[action] = from_us(at)
        return found

    def decisions(self, before: datetime) -> pa.Table:
        """Return what was decided before an instant, of actions by which somebody was contacted."""
        happened = outcome.c.outcome.in_(("contacted", "converted")), outcome.c.at < to_us(before)
        contacts = (
            sa.select(outcome.c.decision_id, sa.func.min(outcome.c.at).label("treated_at"))
            .where(*happened)
            .group_by(outcome.c.decision_id)
            .subquery()
        )
        # A contact that was taken back reopened its decision: it did not happen.
        treated_at = sa.case((decision.c.closed == 1, contacts.c.treated_at))
        in_use = (
            sa.select(decision.c.action)
            .join(contacts, contacts.c.decision_id == decision.c.decision_id)
            .where(decision.c.closed == 1)
        )
        query = (
            sa.select(
                decision.c.customer_id,
                decision.c.decided_at,
                decision.c.action,
                decision.c.action_group == "control",
                decision.c.propensity,
                treated_at,
            )
            .outerjoin(contacts, contacts.c.decision_id == decision.c.decision_id)
            .where(decision.c.decided_at < to_us(before), decision.c.action.in_(in_use))
            .order_by(decision.c.customer_id, decision.c.decided_at, decision.c.decision_id)
        )
        with reading(self._engine) as connection:
            found = connection.execution_options(yield_per=_CHUNK).execute(query)
            parts = [_treatments(rows) for rows in found.partitions()]
        return pa.concat_tables([TREATMENT_SCHEMA.empty_table(), *parts])


def _treatments(rows: Sequence[Any]) -> pa.Table:
    """Return rows of decisions as a table; SQLite knows no booleans."""
    columns = dict(zip(TREATMENT_SCHEMA.names, zip(*rows, strict=True), strict=True))
    columns["held_out"] = tuple(map(bool, columns["held_out"]))
    return pa.table(columns, TREATMENT_SCHEMA)


def _with_decision_id(one: Score, run_id: str) -> Score:
    """Name a batch's decision after the batch and the customer where it has no name yet."""
    if one.action is None or one.action.decision_id is not None:
        return one
    decided = _but(one.action, decision_id=f"{run_id}.{one.customer_id}")
    return _but(one, action=decided)


def _but(record: Record, **other: Any) -> Record:
    """Return a frozen record with other values, in a quarter of the time of ``replace``."""
    made: Record = object.__new__(type(record))
    vars(made).update(vars(record), **other)
    return made


def _score_row(run: int, one: Score) -> tuple[Any, ...]:
    action = one.action
    return (
        run,
        one.customer_id,
        one.status,
        one.churn_risk,
        one.band,
        one.segment,
        one.expected_value,
        None if action is None else action.code,
        None if action is None else action.expected_gain,
        None if action is None else action.group,
        None if action is None else action.decision_id,
        dump_score(one),
    )


def _keep_decisions(connection: sa.Connection, scores: Sequence[Score]) -> None:
    rows = [
        (
            one.action.decision_id,
            one.customer_id,
            to_us(one.as_of),
            one.action.code,
            one.action.channel,
            one.action.basis,
            one.action.group,
            one.action.propensity,
            one.action.expected_gain,
            one.action.cost,
        )
        for one in scores
        if one.action is not None and one.action.decision_id is not None
    ]
    if rows:
        ending = "ON CONFLICT DO NOTHING"
        insert_many(connection, decision, _DECISION_COLUMNS, rows, ending=ending)


def _add_outcome(
    connection: sa.Connection,
    decision_id: str,
    what: Outcome,
    *,
    at: datetime,
    actor: str,
    note: str,
) -> None:
    values = {"outcome": what, "at": to_us(at), "actor": actor, "note": note}
    connection.execute(sa.insert(outcome).values(decision_id=decision_id, **values))


def _filters(query: AtRiskQuery) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the at-risk list: of the newest batch, with a risk and an action.

    Whoever objected since the batch was made is on no list any more.
    """
    found = [
        score.c.run == NEWEST_RUN,
        score.c.churn_risk.is_not(None),
        score.c.action.is_not(None),
        score.c.customer_id.not_in(left_alone()),
    ]
    same = {"band": score.c.band, "segment": score.c.segment, "action": score.c.action}
    for name, column in (same | {"group": score.c.action_group}).items():
        if getattr(query, name) is not None:
            found.append(column == getattr(query, name))
    if query.min_risk is not None:
        found.append(score.c.churn_risk >= query.min_risk)
    if query.min_value is not None:
        found.append(score.c.expected_value >= query.min_value)
    if query.outcome != "all":
        closed = sa.select(decision.c.decision_id).where(decision.c.closed == 1)
        done = score.c.decision_id.in_(closed)  # few are closed: they are looked up once
        found.append(done if query.outcome == "done" else ~done)
    return found


def _counts(
    connection: sa.Connection, column: sa.Column[Any], where: sa.ColumnElement[bool]
) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).where(where, column.is_not(None)).group_by(column)
    return {str(name): int(count) for name, count in connection.execute(query.order_by(column))}
