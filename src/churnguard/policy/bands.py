"""Bands: the risk as one of three words, for lists and filters."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

BAND_NAMES: tuple[Literal["low"], Literal["medium"], Literal["high"]] = ("low", "medium", "high")
"""From the lowest risk to the highest."""


def bands(
    risks: NDArray[np.float64], starts: tuple[float, float]
) -> list[Literal["low", "medium", "high"]]:
    """Return the band of each risk.

    Parameters
    ----------
    risks : ndarray of float64, shape (n,)
        Probabilities without NaN.
    starts : tuple of two floats
        Risks at which ``medium`` and ``high`` begin; a risk on the border is in the higher band.

    Returns
    -------
    list of str, length n

    Examples
    --------
    >>> bands(np.array([0.1, 0.33, 0.7]), (0.33, 0.66))
    ['low', 'medium', 'high']
    """
    places = np.searchsorted(np.asarray(starts), risks, side="right")
    return [BAND_NAMES[place] for place in places.tolist()]
