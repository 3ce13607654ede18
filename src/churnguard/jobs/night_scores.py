"""The night's scores, part by part: what is scored is kept in files until the batch is stored.

A part is one bucket of customers of the history. Each part's scores go into a file of their own,
which appears whole; a night that was killed takes up those that are there, and one that was not
never reads them. The files are gone once the night's work is done.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from churnguard.compiled import streamed
from churnguard.events.timeline import Timeline
from churnguard.jobs.champion import LoadedChampion
from churnguard.jobs.durable import sync
from churnguard.jobs.last_look import last_look
from churnguard.jobs.ports import Shop
from churnguard.jobs.score_here import sliced
from churnguard.jobs.scoring_context import feature_rows, scoring_context
from churnguard.project.layout import Layout
from churnguard.scoring.abstention import book_reason
from churnguard.scoring.compose import compose_scores, score_without_number
from churnguard.scoring.score import Score
from churnguard.store.score_json import dump_score, load_score


@dataclass(frozen=True)
class NightScores:
    """The scores of one night that is under way.

    Attributes
    ----------
    shop : Shop
        An opened project.
    champion : LoadedChampion
        Who speaks, from the first part to the last.
    as_of : datetime
        The cutoff.
    name : str
        The job, for the folder.
    """

    shop: Shop
    champion: LoadedChampion
    as_of: datetime
    name: str
    _kept: dict[int, list[Score]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def folder(self) -> Path:
        """Where the parts are kept."""
        return Layout(self.shop.root).nights / self.name

    def score(self, part: int, events: pa.Table) -> dict[str, Any]:
        """Score the customers of a part, and keep it."""
        scores = [score for found in streamed(self._compose, sliced(events)) for score in found]
        self._write(f"score-{part:02d}", scores)
        self._kept[part] = scores
        return {"customers": len(scores)}

    def score_silent(self, parts: int) -> dict[str, Any]:
        """Abstain, by name, for customers of the book without an event; they are the last part."""
        seen = {score.customer_id for part in range(parts) for score in self._scores(part)}
        context = scoring_context(self.shop, self.champion, as_of=self.as_of)
        scores = [
            score_without_number(
                context, row["customer_id"], book_reason(row) or context.never, as_of=self.as_of
            )
            for row in self.shop.events.customers().to_pylist()
            if row["customer_id"] not in seen
        ]
        self._write(f"score-{parts:02d}", scores)
        self._kept[parts] = scores
        return {"customers": len(scores), "parts": parts}

    def explain(self, part: int, events: pa.Table, customers: Collection[str]) -> dict[str, Any]:
        """Score some customers of a part again, with reasons; no number changes."""
        wanted = pa.array(sorted(customers), pa.string())
        events = events.filter(pc.is_in(events["customer_id"], wanted))
        compose = partial(self._compose, explain=True)
        scores = [score for found in streamed(compose, sliced(events)) for score in found]
        self._write(f"explain-{part:02d}", scores)
        if part in self._kept:
            self._kept[part] = _told(self._kept[part], scores)
        return {"customers": len(scores)}

    def part(self, part: int) -> list[Score]:
        """Return a part's scores, with reasons where they were given.

        Whoever objects to profiling by now has no number any more; the erased are not there.
        """
        return last_look(self.shop, self.champion, self._scores(part), as_of=self.as_of)

    def clear(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _scores(self, part: int) -> list[Score]:
        """Return a part's scores, from the files if it was an earlier run that scored it."""
        if part not in self._kept:
            told = self._read(f"explain-{part:02d}")
            self._kept[part] = _told(self._read(f"score-{part:02d}"), told)
        return self._kept[part]

    def _compose(self, events: pa.Table, *, explain: bool = False) -> list[Score]:
        rows = feature_rows(Timeline.from_arrow(events), self.champion, as_of=self.as_of)
        ids = [str(customer_id) for customer_id in rows.customer_ids]
        book = {row["customer_id"]: row for row in self.shop.events.customers(ids).to_pylist()}
        return compose_scores(
            scoring_context(self.shop, self.champion, as_of=self.as_of),
            rows,
            book,
            self.shop.scores.last_actions(ids),
            as_of=self.as_of,
            explain=explain,
        )

    def _write(self, name: str, scores: Sequence[Score]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{name}.jsonl"
        unfinished = file.with_suffix(".unfinished")
        with unfinished.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{dump_score(score)}\n" for score in scores)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
        sync(self.folder)

    def _read(self, name: str) -> Iterator[Score]:
        file = self.folder / f"{name}.jsonl"
        if file.exists():
            with file.open(encoding="utf-8") as stream:
                yield from (load_score(line) for line in stream)


def _told(scores: Iterable[Score], explained: Iterable[Score]) -> list[Score]:
    """Return scores, those with reasons in place of those without."""
    told = {score.customer_id: score for score in explained}
    return [told.get(score.customer_id, score) for score in scores]
