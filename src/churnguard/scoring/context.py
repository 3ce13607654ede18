"""What every score of a shop depends on besides the customer.

Built once for a batch or a request and handed to :func:`churnguard.scoring.compose.compose_scores`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from churnguard.features.catalogue import Catalogue
from churnguard.labels import ORDER_GAP, label_named
from churnguard.policy.holdout import Holdout
from churnguard.policy.playbook import Playbook
from churnguard.scoring.peers import usual_customer
from churnguard.scoring.reasons import ReasonWriter
from churnguard.scoring.score import ModelName


class RiskModel(Protocol):
    """What scoring needs of a trained model; all in calibrated log-odds."""

    def margins(self, X: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Return the log-odds of churn, shape (n,)."""

    def risks(self, X: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Return the probability of churn, shape (n,)."""

    def contributions(self, X: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Return each signal's part of the margin, shape (n, p + 1), the base margin last."""

    def intervals(self, margins: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Return the 90 % interval of each margin's risk, shape (n, 2)."""


@dataclass(frozen=True)
class ScoringContext:
    """Everything that a score depends on besides the customer.

    Attributes
    ----------
    model : RiskModel
        The champion.
    model_name : ModelName
        Its name, for the score.
    catalogue : Catalogue
        The model's signals, in the order of its columns.
    playbook : Playbook
        The actions to choose from.
    holdout : Holdout
        Who is held out of every action.
    shop_mean_spend : float
        Mean net spend of a customer's past year, money; fitted with the model.
    label : str
        What churn is; see :func:`churnguard.labels.label_named`.
    horizon_days, look_back_days : int
        See the project's settings.
    bands : tuple of two floats
        Risks at which ``medium`` and ``high`` begin.
    margin : float
        Contribution margin.
    currency : str
        ISO 4217 code, for the sentences.
    data_through : datetime or None
        The newest event known.
    stale_after : timedelta
        Older data than this make a score stale.
    degraded : bool
        The answers come from a stand-in.
    widest_interval : float
        A wider interval than this says too little: the score abstains.
    peers : mapping of str to float
        What is usual among customers, by signal, for reasons.
    segment_peers : mapping of str to mapping of str to float
        The same by segment.
    """

    model: RiskModel
    model_name: ModelName
    catalogue: Catalogue
    playbook: Playbook
    holdout: Holdout
    shop_mean_spend: float
    label: str = ORDER_GAP
    horizon_days: int = 90
    look_back_days: int = 365
    bands: tuple[float, float] = (0.33, 0.66)
    margin: float = 0.3
    currency: str = "USD"
    data_through: datetime | None = None
    stale_after: timedelta = timedelta(hours=48)
    degraded: bool = False
    widest_interval: float = 0.9
    peers: Mapping[str, float] = field(default_factory=dict)
    segment_peers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def at(
        self, *, model_name: ModelName, data_through: datetime | None, degraded: bool = False
    ) -> ScoringContext:
        """Return this context for another instant; what was worked out once is kept."""
        other = replace(self, model_name=model_name, data_through=data_through, degraded=degraded)
        other.__dict__.update(writer=self.writer, usual_contributions=self.usual_contributions)
        return other

    def is_stale(self, as_of: datetime) -> bool:
        """Tell whether the newest event is too old for a score at this instant."""
        return self.data_through is None or as_of - self.data_through > self.stale_after

    @property
    def never(self) -> str:
        """Return the ``status_reason`` of customers without an event."""
        return label_named(self.label).never

    @cached_property
    def writer(self) -> ReasonWriter:
        """Return the writer of reasons for this catalogue."""
        return ReasonWriter(self.catalogue, self.peers, self.currency, self.segment_peers)

    @cached_property
    def usual_contributions(self) -> NDArray[np.float64] | None:
        """Return the contributions of a customer who is usual in everything; None if not known."""
        if not self.peers:
            return None
        usual = usual_customer(self.peers, self.catalogue.names)
        shares: NDArray[np.float64] = self.model.contributions(usual[None, :])[0]
        return shares
