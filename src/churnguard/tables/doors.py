"""``churnguard.train`` and ``churnguard.score``: of an opened project, or of a table of events."""

from __future__ import annotations

from typing import Any, overload

import pandas as pd
import pyarrow as pa

from churnguard.jobs import score_customer as shop_score
from churnguard.jobs import train as shop_train
from churnguard.jobs.ports import Shop
from churnguard.jobs.train import TrainingReport
from churnguard.scoring.score import Score
from churnguard.tables import models, scores
from churnguard.tables.models import Trained


@overload
def train(what: Shop, /, **options: Any) -> TrainingReport: ...
@overload
def train(what: pd.DataFrame | pa.Table, /, **options: Any) -> Trained: ...
def train(what: Shop | pd.DataFrame | pa.Table, /, **options: Any) -> TrainingReport | Trained:
    """Train on an opened project, or on a table of events.

    Parameters
    ----------
    what : Shop, pandas.DataFrame or pyarrow.Table
        From :func:`churnguard.open_shop`: judged, logged, registered. Canonical events: judged.
    **options
        Those of :func:`churnguard.jobs.train.train`, or of
        :func:`churnguard.tables.models.train`.
    """
    if isinstance(what, Shop):
        return shop_train.train(what, **options)
    return models.train(what, **options)


@overload
def score(what: Shop, by: Any, /, **options: Any) -> list[Score]: ...
@overload
def score(what: pd.DataFrame | pa.Table, by: Trained, /, **options: Any) -> Any: ...
def score(what: Shop | pd.DataFrame | pa.Table, by: Any, /, **options: Any) -> Any:
    """Score customers of an opened project by its champion, or a table's by a trained model.

    Parameters
    ----------
    what : Shop, pandas.DataFrame or pyarrow.Table
        From :func:`churnguard.open_shop`, or canonical events.
    by : sequence of str, or Trained
        The customers' ids, or what :func:`train` returned for a table.
    **options
        Those of :func:`churnguard.jobs.score_customer.score`, or of
        :func:`churnguard.tables.scores.score`.
    """
    if isinstance(what, Shop):
        return shop_score.score(what, by, **options)
    return scores.score(what, by, **options)
