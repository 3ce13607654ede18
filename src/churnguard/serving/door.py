"""What every endpoint is handed: the shop it serves, its champion, and how a score is made.

An endpoint never reaches for these itself. It gets them with the credential (see ``auth.py``), so
that serving several shops stays a matter of this floor alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from churnguard.jobs.ports import Shop
from churnguard.scoring.score import ModelName, Score


class LoadedModel(Protocol):
    """A champion in memory: its name and what its training wrote down."""

    @property
    def name(self) -> ModelName:
        """Which model it is."""

    @property
    def card(self) -> Mapping[str, Any]:
        """Its model card."""


class Champion(Protocol):
    """Whoever knows the champion of the moment."""

    @property
    def error(self) -> str | None:
        """Why the newest champion could not be loaded; None when all is well."""

    def current(self) -> LoadedModel | None:
        """Return the champion that answers, if there is one."""

    def refresh(self) -> bool:
        """Look for a new champion and swap it in; tell whether it changed."""


class Scorer(Protocol):
    """The call that scores customers now; ``churnguard.jobs.score_customer.score_customers``."""

    def __call__(
        self,
        shop: Shop,
        champion: Any,
        customer_ids: Sequence[str],
        *,
        as_of: datetime | None,
        explain: bool,
    ) -> list[Score]:
        """Return one score for each id, in order; an unknown id has status ``unknown``."""


@dataclass(frozen=True)
class Door:
    """One shop as it is served.

    Attributes
    ----------
    shop : Shop
        The opened project.
    champion : Champion
        The model of the moment.
    scorer : Scorer
        How customers are scored within a request.
    """

    shop: Shop
    champion: Champion
    scorer: Scorer

    def score(
        self, customer_ids: Sequence[str], *, as_of: datetime | None, explain: bool
    ) -> list[Score]:
        """Score customers of this shop; see :class:`Scorer`.

        What is suggested now is kept as a decision, with its group and propensity, so that an
        outcome can be reported and lift be learned; a look at the past decides nothing.
        """
        model = self.champion.current()
        scores = self.scorer(self.shop, model, customer_ids, as_of=as_of, explain=explain)
        decided = [score for score in scores if score.action and score.action.decision_id]
        if as_of is None and decided:
            self.shop.scores.save_decisions(decided)
        return scores
