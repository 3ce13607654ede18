"""Score a table of events by a model that was trained on one: the commands' numbers and reasons."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnguard.clock import from_us, to_us
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.units import Language
from churnguard.policy.rules import SignalTable
from churnguard.policy.segments import segments
from churnguard.scoring.abstention import STATUS_OF, silences, too_little_history
from churnguard.scoring.context import ScoringContext
from churnguard.scoring.peers import usual_customer
from churnguard.scoring.reasons import ReasonWriter, from_usual
from churnguard.tables.events import Table, like, read_events
from churnguard.tables.history import Instant, read_history, read_instant
from churnguard.tables.models import Trained

Floats = NDArray[np.float64]

_REASON = pa.struct(
    [
        ("code", pa.string()),
        ("family", pa.string()),
        ("effect", pa.float64()),
        ("effect_points", pa.float64()),
        ("value", pa.float64()),
        ("usual", pa.float64()),
        ("text", pa.string()),
    ]
)
_REASONS = pa.list_(_REASON)


def score(
    events: Table,
    model: Trained,
    *,
    as_of: Instant | None = None,
    explain: bool | Collection[str] = False,
    currency: str = "USD",
    language: Language = "en",
) -> Table:
    """Score every customer of a table of events.

    Parameters
    ----------
    events : pandas.DataFrame or pyarrow.Table
        Canonical events, of the same shop as those that were trained on.
    model : Trained
        From :func:`churnguard.train`.
    as_of : datetime, date or str, optional
        The cutoff; the end of the newest event's day when not given.
    explain : bool or collection of str
        Give reasons to everybody who has a number, or to these customers.
    currency : str
        ISO 4217 code, for the reasons' sentences.
    language : {"en", "he"}
        Of the reasons' sentences.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        ``customer_id``, ``as_of``, ``status`` and ``status_reason`` (as in docs/scores.md),
        ``churn_risk``, ``risk_low``, ``risk_high`` and ``margin`` (missing where there is no
        number), by customer. Explained, also ``segment``, ``base_margin`` and ``reasons``, the
        strongest first: the effects sum from ``base_margin`` to ``margin``. The kind that was
        given.
    """
    timezone = model.timezone
    history = read_history(read_events(events, timezone=timezone), timezone=timezone)
    cutoff = history.data_end if as_of is None else to_us(read_instant(as_of, timezone))
    (timeline,) = history.timelines
    ids, table = _everybody(timeline, model, cutoff)
    margins = model.model.margins(table.values)
    bounds = model.model.intervals(margins)
    whys = _whys(ids, table, model, margins, bounds)
    mute = np.array([why is not None for why in whys], dtype=bool)
    numbers = {
        "churn_risk": model.model.risks(table.values),
        "risk_low": bounds[:, 0],
        "risk_high": bounds[:, 1],
        "margin": margins,
    }
    answer = {
        "customer_id": pa.array(ids, pa.string()),
        "as_of": pa.array([from_us(cutoff)] * len(ids), pa.timestamp("us", tz="UTC")),
        "status": pa.array(["scored" if why is None else STATUS_OF[why] for why in whys]),
        "status_reason": pa.array(whys, pa.string()),
        **{name: pa.array(column, pa.float64(), mask=mute) for name, column in numbers.items()},
    }
    if explain is not False:
        told = ~mute if explain is True else ~mute & np.isin(ids, list(explain))
        answer |= _explained(model, table, told, currency=currency, language=language)
    return like(pa.table(answer), events)


def _everybody(timeline: Timeline, model: Trained, cutoff: int) -> tuple[list[str], SignalTable]:
    customers = np.arange(len(timeline.customer_ids), dtype=np.int32)
    instants = np.full(len(customers), cutoff, dtype=np.int64)
    rows = build_features(
        timeline, model.catalogue, customers, instants, population=model.population
    )
    ids = [str(customer) for customer in rows.customer_ids]
    return ids, SignalTable.of(rows.values, rows.names)


def _whys(
    ids: Sequence[str], table: SignalTable, model: Trained, margins: Floats, bounds: Floats
) -> list[str | None]:
    """Return why each customer gets no number; None where there is one."""
    facts = model.facts
    whys = silences(ids, table, {}, look_back_days=facts.look_back_days, label=facts.label)
    wide = too_little_history(margins, bounds, widest=ScoringContext.widest_interval)
    return [
        why or ("too_little_history" if out else None) for why, out in zip(whys, wide, strict=True)
    ]


def _explained(
    model: Trained,
    table: SignalTable,
    told: NDArray[np.bool_],
    *,
    currency: str,
    language: Language,
) -> dict[str, pa.Array]:
    """Return segment, base margin and reasons of the rows that are to be told."""
    facts, names, some = model.facts, model.catalogue.names, table.rows(told)
    labels = segments(some, shop_mean_spend=facts.mean_spend, look_back_days=facts.look_back_days)
    usual = model.model.contributions(usual_customer(facts.peers, names)[None, :])[0]
    own = model.model.contributions(some.values) if told.any() else np.zeros((0, len(usual)))
    shares = from_usual(own, usual if facts.peers else None)
    writer = ReasonWriter(model.catalogue, facts.peers, currency, facts.segment_peers)
    reasons: list[list[dict[str, Any]] | None] = [None] * len(table)
    groups: list[str | None] = [None] * len(table)
    bases = np.full(len(table), np.nan)
    for place, row, numbers, group in zip(
        np.flatnonzero(told).tolist(), shares, some.values, labels, strict=True
    ):
        found = writer.reasons(row, numbers, segment=group)
        reasons[place] = [
            {name: getattr(reason, name) for name in _REASON.names[:-1]}
            | {"text": reason.text[language]}
            for reason in found
        ]
        groups[place], bases[place] = group, row[-1]
    return {
        "segment": pa.array(groups, pa.string()),
        "base_margin": pa.array(bases, pa.float64(), mask=~told),
        "reasons": pa.array(reasons, _REASONS),
    }
