"""Score everybody on an engine: the same scores as :mod:`churnguard.jobs.score`, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.jobs.champion import LoadedChampion
from churnguard.jobs.ports import Engine, Progress, Shop
from churnguard.jobs.scoring_context import scoring_context
from churnguard.jobs.tasks import (
    BESIDE_SCHEMA,
    LAST_ACTIONS,
    CustomersSeen,
    Scores,
    plain_context,
)
from churnguard.project.layout import Layout
from churnguard.project.parcel import Parcel
from churnguard.scoring.score import Score
from churnguard.store.score_json import load_score


@dataclass(frozen=True)
class EngineJudge:
    """Scores the customers of an engine's table of events; make one with :func:`judge_on`."""

    engine: Engine
    task: Scores
    beside: pa.Table

    def scores(self) -> list[Score]:
        """Score everybody who has an event or stands in the customer book."""
        return _read(self.engine.run(self.task, beside=self.beside))

    def explained(self, customers: frozenset[str]) -> list[Score]:
        """Score some customers again, with reasons; no number changes."""
        if not customers:
            return []
        wanted = pa.array(sorted(customers), pa.string())
        some = self.beside.filter(pc.is_in(self.beside["customer_id"], value_set=wanted))
        task = replace(self.task, explain=True)
        return _read(self.engine.run(task, beside=some, only=True))


def judge_on(
    engine: Engine, shop: Shop, champion: LoadedChampion, *, as_of: datetime, progress: Progress
) -> EngineJudge:
    """Gather what the engine's workers need to score everybody at an instant."""
    progress("finding customers", 0, None)
    seen = engine.run(CustomersSeen(as_of))
    newest = pc.max(seen["newest"]).as_py() if seen.num_rows else None
    context = replace(scoring_context(shop, champion, as_of=as_of), data_through=newest)
    layout = Layout(shop.root)
    bundle = layout.bundles / champion.entry.bundle.removeprefix("sha256:")
    parcel = Parcel.pack(layout, layout.features, bundle, layout.trust, layout.playbook)
    task = Scores(parcel, champion.entry, plain_context(context), as_of)
    return EngineJudge(engine, task, _beside(shop, seen["customer_id"].to_pylist()))


def _beside(shop: Shop, seen: list[str]) -> pa.Table:
    """Return the customer book and the last actions, for all who are seen or in the book."""
    book = {row["customer_id"]: row for row in shop.events.customers().to_pylist()}
    everybody = sorted(book.keys() | set(seen))
    last_actions = shop.scores.last_actions(everybody)
    rows: list[dict[str, Any]] = [
        {
            "customer_id": name,
            **book.get(name, {}),
            "in_book": name in book,
            LAST_ACTIONS: _as_json(last_actions.get(name)),
        }
        for name in everybody
    ]
    return pa.Table.from_pylist(rows, schema=BESIDE_SCHEMA)


def _as_json(taken: Any) -> str | None:
    return None if not taken else orjson.dumps(dict(taken)).decode()


def _read(found: pa.Table) -> list[Score]:
    return [load_score(text) for text in found["score"].to_pylist()]
