"""What every endpoint is handed: the shop it serves, its champion, and how a score is made.

An endpoint never reaches for these itself. It gets them with the credential (see ``auth.py``), so
that serving several shops stays a matter of this floor alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from churnguard.jobs.champion import RefusedModel
from churnguard.jobs.decisions import DecisionKeeper
from churnguard.jobs.ports import Shop
from churnguard.jobs.sent import RawSent
from churnguard.scoring.score import ModelName, Score
from churnguard.serving.group_commit import GroupWriter


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

    @property
    def refused(self) -> RefusedModel | None:
        """The newest champion, where it could not be loaded."""

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

    def sent(
        self, champion: Any, items: Sequence[RawSent], *, as_of: datetime | None, explain: bool
    ) -> list[Score]:
        """Return one score for each item, made of what was sent along and is not kept."""


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
        self, items: Sequence[str | RawSent], *, as_of: datetime | None, explain: bool
    ) -> list[Score]:
        """Score customers of this shop, all with the same model; see :class:`Scorer`.

        What is suggested now is kept as a decision, with its group and propensity, so that an
        outcome can be reported and lift be learned; a look at the past decides nothing.

        Parameters
        ----------
        items : sequence of str or RawSent
            Ids of customers, or what was sent along about one.
        as_of : datetime or None
            The cutoff; now when None.
        explain : bool
            Give reasons.
        """
        model = self.champion.current()
        asked = list(dict.fromkeys(item for item in items if isinstance(item, str)))
        sent = [item for item in items if not isinstance(item, str)]
        known: dict[str, Score] = {}
        if asked:
            scores = self.scorer(self.shop, model, asked, as_of=as_of, explain=explain)
            scores = self.decisions.keep(scores) if as_of is None else scores
            known = dict(zip(asked, scores, strict=True))
        made = self.scorer.sent(model, sent, as_of=as_of, explain=explain) if sent else []
        others = iter(made)
        return [known[item] if isinstance(item, str) else next(others) for item in items]

    @cached_property
    def decisions(self) -> DecisionKeeper:
        """Keeps what is suggested."""
        return DecisionKeeper(self.shop.scores)

    @cached_property
    def writer(self) -> GroupWriter:
        """What stores the events that requests bring, many requests at once."""
        return GroupWriter(self.shop.events)
