"""A shop cut down to some of its customers, as if they were all it ever had.

The whole shop is built once. The own signals of a customer know nothing of others, so a cut takes
them as they are; what is fitted over all customers, the lifetime models, is fitted anew from the
events of the cut alone. Both shops are told by the signals of orders alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from churnguard.bootstrap import open_shop
from churnguard.clock import to_us
from churnguard.events.simulation import SimulationPlan, simulate
from churnguard.features.catalogue import Catalogue
from churnguard.features.coverage import carried_by
from churnguard.features.population import Population, fit_population
from churnguard.jobs.ingest import ingest
from churnguard.jobs.lesson import newest_mature
from churnguard.jobs.ports import silent
from churnguard.jobs.snapshots import History, take_snapshots
from churnguard.project.template import create_project
from churnguard.tables.history import read_history
from churnguard.training.cutoffs import CutoffPlan, plan_cutoffs
from churnguard.training.dataset import Dataset
from churnguard.training.recipe import Recipe
from quality_shops.shops import DATASETS

FAMILIES = ("orders", "rhythm", "tenure", "lifetime", "calendar", "baskets", "products", "returns")
HORIZON_DAYS, LOOK_BACK_DAYS, TIMEZONE = 90, 365, "UTC"
LIVELY: Mapping[str, Any] = {"pace": 1.6, "leaving": 0.5}
"""A simulated shop of which about half of those eligible churn in 90 days."""


@dataclass(frozen=True)
class Rows:
    """A whole shop: its rows, and what it takes to see them as a part of it would.

    Attributes
    ----------
    dataset : Dataset
        Signals and labels of all cutoffs, by (cutoff, customer).
    plan : CutoffPlan
        Its cutoffs; a part of the shop has the same, for it lives at the same time.
    events : pyarrow.Table
        Everything it was built from.
    history : History
        The same, sorted.
    lifetime : Catalogue
        The signals that stand on what is fitted over all customers.
    """

    dataset: Dataset
    plan: CutoffPlan
    events: pa.Table
    history: History
    lifetime: Catalogue


def online_retail(keep: Path) -> pa.Table:
    """Return the events of Online Retail II, taken in by ChurnGuard's own door."""
    file, name = keep / "online_retail_ii.parquet", "online_retail_ii"
    if not file.is_file():
        shop = DATASETS[name]
        with TemporaryDirectory() as folder:
            create_project(Path(folder) / "shop", name=name)
            opened = open_shop(Path(folder) / "shop", environ={})
            ingest(opened, shop.paths(name), mapping=shop.mapping(name))
            pq.write_table(pa.concat_tables(opened.events.partitions()), file)
    return pq.read_table(file)


def simulated(keep: Path, *, customers: int = 6_000, seed: int = 11) -> pa.Table:
    """Return the events of a simulated shop of two years."""
    file = keep / f"simulated_{customers}_{seed}.parquet"
    if not file.is_file():
        plan = SimulationPlan(customers=customers, seed=seed, truth_every_days=365, **LIVELY)
        pq.write_table(simulate(plan).events, file)
    return pq.read_table(file)


def buyers(events: pa.Table) -> np.ndarray:
    """Return the customers who ever ordered, sorted."""
    orders = events.filter(pc.equal(events["event"].cast(pa.string()), "order_completed"))
    return np.array(sorted(orders["customer_id"].unique().to_pylist()))


def cut(events: pa.Table, customers: np.ndarray) -> pa.Table:
    """Return the events of some customers."""
    return events.filter(pc.is_in(events["customer_id"], value_set=pa.array(customers.tolist())))


def rows_of(events: pa.Table, recipe: Recipe) -> Rows:
    """Build a whole shop's rows.

    Raises
    ------
    NotEnoughHistory
        If there is too little for even one cutoff.
    """
    history = read_history(events, timezone=TIMEZONE)
    catalogue, _ = carried_by(Catalogue.of(FAMILIES), history.timelines)
    lifetime, _ = carried_by(Catalogue.of(("lifetime",)), history.timelines)
    plan = plan_cutoffs(
        recipe.cutoffs,
        newest_us=newest_mature(history.data_end, HORIZON_DAYS, TIMEZONE),
        history_from_us=to_us(history.data_from),
        horizon_days=HORIZON_DAYS,
    )
    population = fit_population(history.timelines, plan.all, timezone=TIMEZONE)
    dataset = _dataset(history, catalogue, population, plan.all)
    return Rows(dataset, plan, events, history, lifetime)


def cut_to(rows: Rows, customers: np.ndarray, cutoffs: Sequence[int]) -> tuple[Dataset, Dataset]:
    """Return the rows of some customers, and all others' at some cutoffs, as these would see them.

    What is fitted over all customers is fitted on the cut's own, so the others teach it nothing.

    Parameters
    ----------
    rows : Rows
        The whole shop.
    customers : ndarray of str
        Whom the cut has.
    cutoffs : sequence of int
        Where the others are wanted.
    """
    history = read_history(cut(rows.events, customers), timezone=TIMEZONE)
    population = fit_population(history.timelines, rows.plan.all, timezone=TIMEZONE)
    mine = np.isin(rows.dataset.customer_ids, customers)
    then = np.isin(rows.dataset.cutoffs, cutoffs)
    own = _refitted(rows.dataset.take(mine), rows, history, population)
    seen = _refitted(rows.dataset.take(then), rows, rows.history, population)
    return own, seen.take(~np.isin(seen.customer_ids, customers))


def _refitted(part: Dataset, rows: Rows, history: History, population: Population) -> Dataset:
    """Return rows with the lifetime signals of another population."""
    found = _dataset(history, rows.lifetime, population, np.unique(part.cutoffs).tolist())
    assert found.customer_ids.tolist() == part.customer_ids.tolist()
    X = np.array(part.X)
    X[:, [part.names.index(name) for name in found.names]] = found.X
    return replace(part, X=X)


def _dataset(
    history: History, catalogue: Catalogue, population: Population, cutoffs: Sequence[int]
) -> Dataset:
    """Return the rows of cutoffs whose outcome is known."""
    snapshots = take_snapshots(
        history,
        catalogue,
        cutoffs,
        population=population,
        horizon_days=HORIZON_DAYS,
        look_back_days=LOOK_BACK_DAYS,
        progress=silent,
    )
    rows = snapshots.rows
    return Dataset(
        X=rows.values,
        names=rows.names,
        y=snapshots.churned.astype(np.int8),
        customer_ids=rows.customer_ids.astype(str),
        cutoffs=rows.cutoffs,
        horizon_days=HORIZON_DAYS,
    )
