"""A champion and a scorer that answer from memory, in the shape of the real ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from churnguard.jobs.champion import RefusedModel
from churnguard.jobs.ports import Shop
from churnguard.jobs.sent import RawSent
from churnguard.scoring.score import ModelName, Score
from churnguard.testing.builders import MODEL, NOON, build_score


@dataclass(frozen=True)
class FakeModel:
    """A loaded champion: its name and its card."""

    name: ModelName = MODEL
    card: Mapping[str, Any] = field(
        default_factory=lambda: {"metrics": {"auc": 0.806, "log_loss": 0.528, "ece": 0.031}}
    )


@dataclass
class FakeChampion:
    """Hold a model that never changes, or none.

    Examples
    --------
    >>> FakeChampion().current().name.version
    '12'
    """

    model: FakeModel | None = field(default_factory=FakeModel)
    refused: RefusedModel | None = None
    refreshed: int = 0

    @property
    def error(self) -> str | None:
        """Why the newest champion was refused."""
        return self.refused.why if self.refused else None

    def current(self) -> FakeModel | None:
        """Return the model."""
        return self.model

    def refresh(self) -> bool:
        """Count the call; nothing changes."""
        self.refreshed += 1
        return False


class FakeScorer:
    """Answer prepared scores; unknown ids come back with status ``unknown``.

    Parameters
    ----------
    scores : iterable of Score
        What is known.

    Examples
    --------
    >>> from churnguard.testing import fake_shop
    >>> scorer = FakeScorer([build_score("C1")])
    >>> found = scorer(fake_shop(), FakeChampion(), ["C1", "C2"], as_of=None, explain=False)
    >>> [(score.status, score.reasons) for score in found]
    [('scored', None), ('unknown', None)]
    """

    def __init__(self, scores: Iterable[Score] = ()) -> None:
        self.scores = {score.customer_id: score for score in scores}

    def __call__(
        self,
        shop: Shop,
        champion: Any,  # noqa: ARG002 - the call shape of the real scorer
        customer_ids: Sequence[str],
        *,
        as_of: datetime | None,
        explain: bool,
    ) -> list[Score]:
        """Return one score for each id, in the order asked."""
        now = as_of or shop.clock()
        return [self._one(customer_id, now, explain) for customer_id in customer_ids]

    def sent(
        self,
        champion: Any,  # noqa: ARG002
        items: Sequence[RawSent],
        *,
        as_of: datetime | None,
        explain: bool,
    ) -> list[Score]:
        """Return the score of each item's customer, as if made of what was sent along."""
        now = as_of or NOON
        scores = [(item, self._one(item.customer_id, now, explain)) for item in items]
        return [
            replace(score, source="events" if item.features is None else "features")
            for item, score in scores
        ]

    def _one(self, customer_id: str, as_of: datetime, explain: bool) -> Score:  # noqa: FBT001
        known = self.scores.get(customer_id)
        if known is None:
            return build_score(
                customer_id, status="unknown", status_reason="not_found", as_of=as_of
            )
        return replace(known, as_of=as_of, reasons=known.reasons if explain else None)
