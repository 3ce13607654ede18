"""Does the refit score as the model that was judged? A refit is never judged itself, so this is.

The last backtest's model and the refit score the same customers at the same cutoff; they differ by
a few newer cutoffs of learning and should agree nearly everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from churnguard.errors import TrainingError
from churnguard.training.backtest import MODEL, Backtest
from churnguard.training.dataset import Dataset
from churnguard.training.model import TrainedModel

LEAST_RANK_CORRELATION = 0.7
LARGEST_MEAN_MOVE = 0.15


@dataclass(frozen=True)
class ScoreShift:
    """How the refit's scores differ from those of the last model that was judged.

    Attributes
    ----------
    customers : int
        Customers scored by both.
    mean_before, mean_after : float
        Mean risk by the judged model and by the refit.
    rank_correlation : float
        Spearman's, of the two.
    """

    customers: int
    mean_before: float
    mean_after: float
    rank_correlation: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return dict(self.__dict__)

    def raise_if_odd(self) -> None:
        """Stop a refit that says something else than the model that was judged.

        Raises
        ------
        TrainingError
            If ranks or level moved further than newer labels explain.
        """
        moved = abs(self.mean_after - self.mean_before)
        if self.rank_correlation < LEAST_RANK_CORRELATION or moved > LARGEST_MEAN_MOVE:
            raise TrainingError(
                "The refit scores customers otherwise than the model that was judged: mean risk "
                f"{self.mean_before:.2f} became {self.mean_after:.2f}, rank correlation "
                f"{self.rank_correlation:.2f}.",
                hint="Look for a signal whose meaning changed; [signals] without leaves it out.",
            )


def score_shift(model: TrainedModel, dataset: Dataset, judged: Backtest) -> ScoreShift | None:
    """Compare a refit with the last model that a backtest judged.

    Parameters
    ----------
    model : TrainedModel
        The refit.
    dataset : Dataset
        What the backtest was made of.
    judged : Backtest
        The backtest.

    Returns
    -------
    ScoreShift or None
        None where the backtest judged nothing.
    """
    if not judged.judged:
        return None
    last = judged.judged[-1]
    before = last.risks[MODEL]
    after = model.risks(dataset.take(dataset.cutoffs == last.cutoff_us).X)
    steady = np.ptp(before) == 0 or np.ptp(after) == 0
    return ScoreShift(
        customers=len(before),
        mean_before=float(before.mean()),
        mean_after=float(after.mean()),
        rank_correlation=1.0 if steady else float(spearmanr(before, after).statistic),
    )
