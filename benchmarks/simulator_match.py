"""How well the simulated shop matches Online Retail II: quantiles side by side, and KS distances.

    python benchmarks/simulator_match.py [--data FOLDER] [--seeds 3] [--json]

The real orders are invoices with a customer and a positive total, cancellations left out. The
simulated shop covers the same days with as many customers; its figures are means over seeds. Gaps
of less than a day (invoices of one day) are compared by their share only.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from churnguard.events.simulation import SimulationPlan, simulate

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
CUTOFFS = ("2010-12-11", "2011-03-11", "2011-06-13", "2011-07-13", "2011-08-12", "2011-09-11")
LOOK_BACK_DAYS, HORIZON_DAYS = 365, 90
FIRST_DAY, END = datetime(2009, 12, 1, tzinfo=UTC), datetime(2011, 12, 10, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Orders:
    """Orders as plain arrays, sorted by customer and time (days since the first day)."""

    customer: NDArray[np.int64]
    day: NDArray[np.float64]
    value: NDArray[np.float64]


def real_orders(data: Path) -> Orders:
    """Read the two sheets, the overlap once."""
    folder = data / "online_retail_ii"
    query = f"""
        with line as (
            select * from '{folder}/year_2009_2010.parquet' where InvoiceDate < '2010-12-01'
            union all select * from '{folder}/year_2010_2011.parquet')
        select "Customer ID"::bigint as customer, sum(Quantity * Price) as value,
               date_diff('second', timestamp '2009-12-01', min(InvoiceDate)) / 86400.0 as day
        from line
        where "Customer ID" is not null and not starts_with(Invoice, 'C')
              and Quantity > 0 and Price > 0
        group by "Customer ID", Invoice order by customer, day"""
    found = duckdb.sql(query).fetchnumpy()
    return Orders(found["customer"], found["day"], found["value"])


def simulated_orders(customers: int, seed: int) -> Orders:
    """Simulate as many customers over the same days."""
    days = (END - FIRST_DAY).days
    plan = SimulationPlan(
        customers=customers, days=days, seed=seed, end=END, truth_every_days=days, offers=False
    )
    events = simulate(plan).events
    events = events.filter(pc.equal(events["event"].cast(pa.string()), "order_completed"))
    when = events["occurred_at"].cast(pa.int64()).to_numpy() / 86_400e6
    customer = pc.utf8_slice_codeunits(events["customer_id"], 1).cast(pa.int64()).to_numpy()
    first = FIRST_DAY.timestamp() / 86_400
    return Orders(customer, when - first, events["value"].to_numpy())


def gaps(orders: Orders) -> NDArray[np.float64]:
    """Return days between one customer's orders."""
    return np.asarray(np.diff(orders.day)[np.diff(orders.customer) == 0])


def orders_each(orders: Orders) -> NDArray[np.int64]:
    """Return how many orders each customer placed."""
    return np.unique(orders.customer, return_counts=True)[1]


def distributions(orders: Orders) -> dict[str, NDArray[Any]]:
    """Return the three samples whose distributions are compared."""
    between = gaps(orders)
    return {
        "orders per customer": orders_each(orders),
        "gap in days": between[between >= 1],
        "order value": orders.value,
    }


def churn(orders: Orders, cutoff: float) -> tuple[float, float]:
    """Return the share without an order in the horizon, and with a single one in the look-back."""
    past = (orders.day < cutoff) & (orders.day >= cutoff - LOOK_BACK_DAYS)
    eligible, counts = np.unique(orders.customer[past], return_counts=True)
    ahead = (orders.day >= cutoff) & (orders.day < cutoff + HORIZON_DAYS)
    back = np.isin(eligible, orders.customer[ahead])
    return 1 - float(back.mean()), float((counts == 1).mean())


def measures(orders: Orders) -> dict[str, float]:
    """Return every number that is compared, by name."""
    counts, between = orders_each(orders), gaps(orders)
    found = {"one-time buyers": float((counts == 1).mean()), "orders per customer": counts.mean()}
    found |= {"gaps within a day": float((between < 1).mean())}
    for name, values in distributions(orders).items():
        found |= {f"{name}, {q:.0%}": float(np.quantile(values, q)) for q in QUANTILES}
    for cutoff in CUTOFFS:
        day = (datetime.fromisoformat(cutoff).replace(tzinfo=UTC) - FIRST_DAY).days
        found[f"churn at {cutoff}"], found[f"single order at {cutoff}"] = churn(orders, day)
    return {name: float(value) for name, value in found.items()}


def distances(real: Orders, simulated: Orders) -> dict[str, float]:
    """Return Kolmogorov-Smirnov distances of the three distributions."""
    ours = distributions(simulated)
    return {
        name: float(ks_2samp(values, ours[name]).statistic)
        for name, values in distributions(real).items()
    }


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    real = real_orders(options.data)
    customers = len(np.unique(real.customer))
    started = time.perf_counter()
    runs = [simulated_orders(round(customers / 0.965), seed) for seed in range(options.seeds)]
    seconds = (time.perf_counter() - started) / options.seeds
    wanted, got = measures(real), [measures(run) for run in runs]
    table = {
        name: {"real": value, "simulated": float(np.mean([found[name] for found in got]))}
        for name, value in wanted.items()
    }
    found = [distances(real, run) for run in runs]
    ks = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    if options.json:
        print(json.dumps({"measures": table, "ks": ks, "seconds_per_run": seconds}, indent=2))
        return 0
    print(f"{'':32s}{'real':>12s}{'simulated':>12s}")
    for name, row in table.items():
        print(f"{name:32s}{row['real']:12.3f}{row['simulated']:12.3f}")
    print("\nKolmogorov-Smirnov distance")
    for name, value in ks.items():
        print(f"{name:32s}{value:12.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
