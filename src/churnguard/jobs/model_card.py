"""Who speaks: the champion in charge, since when, approved by whom, and how good it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from churnguard.clock import iso
from churnguard.errors import ModelNotFound
from churnguard.jobs.ports import LedgerEntry, Shop
from churnguard.scoring.score import ModelName


class NamedModel(Protocol):
    """A loaded model, as far as its card is concerned."""

    @property
    def name(self) -> ModelName:
        """Which model it is."""

    @property
    def card(self) -> Mapping[str, Any]:
        """What its training wrote down about it."""


@dataclass(frozen=True)
class ModelCard:
    """What is known about the model that answers.

    Attributes
    ----------
    model : ModelName
        The model that is loaded and answers.
    since, approved_by, reason : datetime, str, str or None
        From the ledger; None when the loaded model has no entry there.
    trained_until, labels_through : datetime or None
        The instant before which everything was known to the training, and its newest label.
    metrics : mapping of str to float
        Means over the backtest's cutoffs.
    card : mapping
        All that the training wrote down.
    """

    model: ModelName
    since: datetime | None
    approved_by: str | None
    reason: str | None
    trained_until: datetime | None
    labels_through: datetime | None
    metrics: Mapping[str, Any]
    card: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON-ready values."""
        instants = {
            name: iso(value) if value else None
            for name in ("since", "trained_until", "labels_through")
            for value in [getattr(self, name)]
        }
        return {
            "model": vars(self.model) | {},
            "since": instants["since"],
            "approved_by": self.approved_by,
            "reason": self.reason,
            "trained_until": instants["trained_until"],
            "labels_through": instants["labels_through"],
            "metrics": dict(self.metrics),
            "card": dict(self.card),
        }


def model_card(shop: Shop, model: NamedModel | None) -> ModelCard:
    """Return the card of the model that answers now.

    Parameters
    ----------
    shop : Shop
        Whose ledger says since when and by whom.
    model : NamedModel or None
        The loaded champion.

    Raises
    ------
    ModelNotFound
        If no model is loaded.

    Examples
    --------
    >>> from churnguard.testing import FakeModel, fake_shop
    >>> model_card(fake_shop(), FakeModel()).model.version
    '12'
    """
    if model is None:
        raise ModelNotFound(
            "No model has been promoted yet.", hint="Run 'churnguard train' to make one."
        )
    entry = _entry_of(shop, model.name)
    return ModelCard(
        model=model.name,
        since=entry.at if entry else None,
        approved_by=entry.approved_by if entry else None,
        reason=entry.reason if entry else None,
        trained_until=entry.trained_until if entry else None,
        labels_through=entry.labels_through if entry else None,
        metrics=model.card.get("metrics", {}),
        card=model.card,
    )


def _entry_of(shop: Shop, name: ModelName) -> LedgerEntry | None:
    """Return the newest entry that made this very bundle champion."""
    for entry in shop.ledger.history():
        if (entry.version, entry.bundle) == (name.version, name.bundle):
            return entry
    return None
