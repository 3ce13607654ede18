"""The model that MLflow registers: code over the bundle, so that MLflow gives our number.

Logged by path ("models from code"), so nothing is pickled. It answers feature rows, in the order of
the signature, with the calibrated ``churn_risk``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

from churnguard.training.model import load_model


class ChurnRisk(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Feature rows in, calibrated churn risk out."""

    def load_context(self, context: Any) -> None:
        """Load the bundle's model."""
        self._model = load_model(Path(context.artifacts["bundle"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Return the risk of each row, float64, shape (n,)."""
        del context, params
        return self._model.risks(model_input.to_numpy(dtype=np.float64))


mlflow.models.set_model(ChurnRisk())
