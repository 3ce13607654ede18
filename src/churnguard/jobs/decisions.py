"""Keeps what is suggested in requests: every decision that a caller gets can be answered.

The same suggestion to the same customer on the same day is one decision, so most scores have
nothing to write. What is new is on the disk before the caller gets it; requests that wait at the
same time share one commit. Where the store cannot be written, or is busy for long, the score is
given all the same, its action without a decision, so that nobody reports to one that may not exist.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from churnguard.errors import StoreUnavailable
from churnguard.jobs.ports import ScoreStore
from churnguard.scoring.score import Score

PATIENCE_SECONDS = 0.5
"""How long a score waits for its decision to be kept, where others are writing."""

_MOST_REMEMBERED = 200_000
_IDLE_SECONDS = 5.0


@dataclass
class _Batch:
    """Decisions that are written together."""

    scores: list[Score] = field(default_factory=list)
    written: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None


class DecisionKeeper:
    """Writes new decisions, many requests' at once, in a thread that lives while there are any.

    Parameters
    ----------
    store : ScoreStore
        Where they are kept.
    patience : float
        Seconds that a score waits for its decision at most.
    most_remembered : int
        How many are known to be written, so that they are not written again.

    Examples
    --------
    >>> from churnguard.testing import FakeScoreStore, build_score
    >>> store = FakeScoreStore()
    >>> (score,) = DecisionKeeper(store).keep([build_score("C1")])
    >>> store.record_outcome(score.action.decision_id, "contacted", at=score.as_of, actor="crm")
    'C1'
    """

    def __init__(
        self,
        store: ScoreStore,
        *,
        patience: float = PATIENCE_SECONDS,
        most_remembered: int = _MOST_REMEMBERED,
    ) -> None:
        self._store = store
        self._patience = patience
        self._most = most_remembered
        self._remembered: OrderedDict[str, None] = OrderedDict()
        self._batch = _Batch()
        self._arrived = threading.Condition()
        self._writer: threading.Thread | None = None

    def keep(self, scores: Sequence[Score]) -> list[Score]:
        """Keep the decisions of scores, and return the scores.

        Those whose decision could not be kept, or not in time, name none.
        """
        new = {score.customer_id for score in scores if self._is_new(score)}
        if not new:
            return list(scores)
        try:
            self._write([score for score in scores if score.customer_id in new])
        except StoreUnavailable:
            return [_without_decision(one) if one.customer_id in new else one for one in scores]
        return list(scores)

    def _is_new(self, score: Score) -> bool:
        decision = score.action and score.action.decision_id
        return bool(decision) and decision not in self._remembered

    def _write(self, scores: Sequence[Score]) -> None:
        """Join the batch that is written next, and wait for it."""
        with self._arrived:
            batch = self._batch
            batch.scores += scores
            if self._writer is None:
                self._writer = threading.Thread(target=self._run, name="decisions", daemon=True)
                self._writer.start()
            self._arrived.notify()
        if not batch.written.wait(self._patience):
            raise StoreUnavailable("The store is busy: the decision could not be kept in time.")
        if batch.error is not None:
            raise batch.error

    def _run(self) -> None:
        while True:
            with self._arrived:
                if not self._batch.scores and not self._arrived.wait(_IDLE_SECONDS):
                    self._writer = None
                    return
                batch, self._batch = self._batch, _Batch()
            self._commit(batch)

    def _commit(self, batch: _Batch) -> None:
        try:
            self._store.save_decisions(batch.scores)
        except Exception as error:  # noqa: BLE001 - everybody who waits for the batch is told
            batch.error = error
        else:
            for score in batch.scores:
                if score.action is not None and score.action.decision_id is not None:
                    self._remembered[score.action.decision_id] = None
            while len(self._remembered) > self._most:
                self._remembered.popitem(last=False)
        batch.written.set()


def _without_decision(score: Score) -> Score:
    assert score.action is not None
    return replace(score, action=replace(score.action, decision_id=None))
