"""A trained model: a scorer, its calibration and its intervals; text and JSON on disk, never code.

``scorer.json`` says what the scorer is, ``models/`` holds LightGBM's text, ``calibration.json`` the
map and the interval table. Read back, it gives the same bits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.errors import BundleMismatch, SchemaError
from churnguard.training.calibration import Calibration
from churnguard.training.choice import Choice
from churnguard.training.interval import IntervalTable
from churnguard.training.scorers import Scorer, load_scorer

Floats = NDArray[np.float64]

SCORER_FILE = "scorer.json"
CALIBRATION_FILE = "calibration.json"


@dataclass(frozen=True)
class TrainedModel:
    """What a bundle serves.

    Attributes
    ----------
    names : tuple of str
        Columns that rows must have, in this order.
    scorer : Scorer
        Raw log-odds and their parts.
    calibration : Calibration
        From raw to calibrated.
    table : IntervalTable
        Bounds by margin.
    choice : Choice or None
        Which learners have a say, and why; None where the recipe named one.
    """

    names: tuple[str, ...]
    scorer: Scorer
    calibration: Calibration
    table: IntervalTable
    choice: Choice | None = None

    @property
    def calibration_id(self) -> str:
        """A short name of the calibration."""
        return self.calibration.id

    def margins(self, X: Floats) -> Floats:
        """Return calibrated log-odds of churn.

        Parameters
        ----------
        X : ndarray of float64, shape (n, p)
            Rows with the columns ``names``; NaN where missing.

        Returns
        -------
        ndarray of float64, shape (n,)
            One row gives the same bits as many.

        Raises
        ------
        SchemaError
            If there are more or fewer columns.
        """
        rows = self._checked(X)
        return self.calibration.margins(self.scorer.margins(rows), rows)

    def risks(self, X: Floats) -> Floats:
        """Return the calibrated probability of no order in the horizon, shape (n,)."""
        return np.asarray(special.expit(self.margins(X)))

    def contributions(self, X: Floats) -> Floats:
        """Return what each signal adds to the margin, in log-odds.

        Parameters
        ----------
        X : ndarray of float64, shape (n, p)
            Rows as in :meth:`margins`.

        Returns
        -------
        ndarray of float64, shape (n, p + 1)
            Sums to the margin; the last column is the base, season included.
        """
        rows = self._checked(X)
        return self.calibration.contributions(self.scorer.contributions(rows), rows)

    def intervals(self, margins: Floats) -> Floats:
        """Return lower and upper bound of the churn rate at some margins, shape (n, 2)."""
        return self.table.bounds(np.asarray(margins, dtype=np.float64))

    def save(self, folder: Path) -> None:
        """Write the model's files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        scorer = {
            "format": 1,
            "names": list(self.names),
            "scorer": self.scorer.save(folder),
            "choice": self.choice.to_dict() if self.choice else None,
        }
        _write(folder / SCORER_FILE, scorer)
        calibration = {
            "format": 1,
            "map": self.calibration.to_dict(),
            "intervals": self.table.to_dict(),
        }
        _write(folder / CALIBRATION_FILE, calibration)

    def _checked(self, X: Floats) -> Floats:
        rows = np.ascontiguousarray(X, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.names):
            raise SchemaError(
                f"Rows must have the model's {len(self.names)} columns; they have the shape "
                f"{rows.shape}.",
                hint="Build them with the catalogue of the model's bundle.",
            )
        return rows


def load_model(folder: Path) -> TrainedModel:
    """Read a model back from the files that :meth:`TrainedModel.save` wrote.

    Raises
    ------
    BundleMismatch
        If the files are damaged, or of a newer format.
    """
    try:
        scorer = json.loads((folder / SCORER_FILE).read_text(encoding="utf-8"))
        calibration = json.loads((folder / CALIBRATION_FILE).read_text(encoding="utf-8"))
        if scorer["format"] != 1 or calibration["format"] != 1:
            raise BundleMismatch(
                "The bundle's model is of a newer format.", hint="Update ChurnGuard."
            )
        names = tuple(str(name) for name in scorer["names"])
        choice = scorer.get("choice")
        return TrainedModel(
            names=names,
            scorer=load_scorer(folder, scorer["scorer"], names),
            calibration=Calibration.from_dict(calibration["map"]),
            table=IntervalTable.from_dict(calibration["intervals"]),
            choice=Choice.from_dict(choice) if choice else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleMismatch(f"The bundle's model cannot be read: {error}.") from error


def _write(file: Path, values: object) -> None:
    file.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")
