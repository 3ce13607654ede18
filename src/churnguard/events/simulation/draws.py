"""Random draws that give the same bits everywhere.

Only uniform doubles of PCG64 decide anything, each purpose has a stream of its own, and what goes
through a logarithm or exponential (whose last bit may differ between machines) is rounded.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose; streams of different purposes are independent.

    Examples
    --------
    >>> stream(7, "people").random() == stream(7, "people").random()
    True
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(purpose.encode()),))
    return np.random.Generator(np.random.PCG64(sequence))


def normals(rng: np.random.Generator, size: int | tuple[int, ...]) -> Floats:
    """Return standard normal draws, rounded to six places."""
    return np.round(rng.standard_normal(size), 6)


def lognormals(
    rng: np.random.Generator, size: int, *, median: float | Floats, spread: float
) -> Floats:
    """Return log-normal draws: ``median`` times exp(``spread`` times a normal), rounded."""
    factor = np.round(np.exp(spread * normals(rng, size)), 6)
    return np.asarray(median * factor, dtype=np.float64)


def counts(uniform: Floats, shares: tuple[float, ...]) -> Ints:
    """Turn uniform draws into whole numbers 0, 1, 2, ... that have these shares.

    Examples
    --------
    >>> counts(np.array([0.1, 0.6, 0.99]), (0.5, 0.25, 0.25)).tolist()
    [0, 1, 2]
    """
    steps = np.cumsum(np.asarray(shares, dtype=np.float64))[:-1]
    return np.searchsorted(steps, uniform, side="right").astype(np.int64)


def wholes(uniform: Floats, limit: int | Ints) -> Ints:
    """Turn uniform draws into whole numbers from 0 to ``limit`` - 1.

    Examples
    --------
    >>> wholes(np.array([0.0, 0.5, 0.999]), 4).tolist()
    [0, 2, 3]
    """
    return np.floor(uniform * limit).astype(np.int64)
