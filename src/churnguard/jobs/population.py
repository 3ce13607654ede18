"""The shop's population: fitted once a grid point, stored, and the same in training and build.

The file is derived: a fit in it is used while the history it was made from is the same to the bit
(a late event never changes that, a backfill may), and without the file all is fitted again. What
training used travels in the bundle, so that every score by that model uses it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from churnguard.events.timeline import Timeline
from churnguard.features.population import Population, fit_population
from churnguard.jobs.ports import Shop
from churnguard.jobs.write_table import write_table
from churnguard.project.layout import Layout


def shop_population(
    shop: Shop, timelines: Iterable[Timeline], cutoffs: Iterable[int]
) -> Population:
    """Return the fits that rows at some cutoffs use, and store those that are new.

    Parameters
    ----------
    shop : Shop
        An opened project.
    timelines : iterable of Timeline
        All of its customers, in partitions.
    cutoffs : iterable of int
        Microseconds UTC.
    """

    def fit(stored: Population | None) -> Population:
        return fit_population(timelines, cutoffs, timezone=shop.settings.timezone, stored=stored)

    return stored_population(shop, fit)


def stored_population(shop: Shop, fit: Callable[[Population | None], Population]) -> Population:
    """Fit with what is stored at hand, and store what is new; see :func:`shop_population`."""
    file = Layout(shop.root).population
    stored = _read(file)
    fitted = fit(stored)
    whole = fitted if stored is None else fitted.joined(stored)
    if stored is None or whole.stored_fits().keys() != stored.stored_fits().keys():
        write_table(whole.to_table(), file)
    return fitted


def _read(file: Path) -> Population | None:
    """Return what is stored; None where there is nothing that can be read."""
    try:
        return Population.from_table(pq.read_table(file))
    except (FileNotFoundError, pa.ArrowInvalid, KeyError):
        return None
