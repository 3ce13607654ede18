"""How often the gate lets honest challengers through, and refuses planted bad ones, and why.

Made-up backtests whose truth is known: a few cutoffs of the same customers, an outcome drawn from
the true risk, and champions and challengers that see that risk through more or less noise.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from churnguard.training.backtest import MODEL, Backtest, Judged
from churnguard.training.gate import compare
from churnguard.training.recipe import GateRecipe

Floats = NDArray[np.float64]
Random = np.random.Generator


@dataclass(frozen=True)
class Truth:
    """One cutoff of a made-up shop: true log-odds, outcome, and what the champion gets wrong."""

    margin: Floats
    y: NDArray[np.int8]
    one_time: NDArray[np.bool_]
    wrong: Floats
    random: Random

    def seen(self, noise: float, *, alike: float = 0.0) -> Floats:
        """Return a calibrated model's log-odds, whose errors are those of the champion in part."""
        own = self.random.normal(0, 1, len(self.margin))
        error = noise * (np.sqrt(alike) * self.wrong + np.sqrt(1 - alike) * own)
        keep = SPREAD**2 / (SPREAD**2 + noise**2)
        # A logistic averaged over what is left unknown is flatter, by about this much.
        flat = np.sqrt(1 + (1 - keep) * SPREAD**2 / 2.9)
        return np.asarray(keep / flat * (self.margin + error))


SPREAD = 1.5
CHAMPION = 0.8
CHALLENGERS: dict[str, Callable[[Truth], Floats]] = {
    "as good, errors 95 % alike": lambda t: t.seen(CHAMPION, alike=0.95),
    "as good, errors of its own": lambda t: t.seen(CHAMPION),
    "a little better": lambda t: t.seen(0.6, alike=0.5),
    "clearly worse": lambda t: t.seen(1.6, alike=0.5),
    "shuffled labels": lambda t: t.random.permutation(t.margin),
    "reversed scores": lambda t: -t.seen(CHAMPION, alike=0.5),
    "a constant": lambda t: 0.0 * t.margin,
    "a leak": lambda t: t.seen(CHAMPION) + 4.0 * (t.y - 0.5),
    "too bold": lambda t: 1.6 * t.seen(CHAMPION, alike=0.5),
    "better, but not for one-time": lambda t: t.seen(0.2) + np.where(t.one_time, 1.1, 0.0),
}
"""Each turns the truth into a challenger's log-odds; the champion sees it with errors of 0.8."""


def main() -> None:
    """Print a row a challenger: how often it passed, and the first reason where it did not."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--customers", type=int, default=1500)
    asked.add_argument("--cutoffs", type=int, default=4)
    asked.add_argument("--shops", type=int, default=20)
    given = asked.parse_args()
    print(f"{given.shops} made-up shops of {given.customers} customers, {given.cutoffs} cutoffs")
    print(f"{'challenger':<30}{'passed':>8}  first reasons of refusal")
    for name, change in CHALLENGERS.items():
        found = Counter(_verdict(change, seed, given) for seed in range(given.shops))
        passed = found.pop("", 0)
        reasons = ", ".join(f"{why} ({count})" for why, count in found.most_common())
        print(f"{name:<30}{passed / given.shops:>8.0%}  {reasons}", flush=True)


def _verdict(change: Callable[[Truth], Floats], seed: int, given: argparse.Namespace) -> str:
    """Return the first check that failed, "" for none."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"C{number}" for number in range(given.customers)])
    challenger, champion = [], []
    for cutoff in range(given.cutoffs):
        margin = rng.normal(0, SPREAD, len(ids))
        y = (rng.random(len(ids)) < expit(margin)).astype(np.int8)
        wrong = rng.normal(0, 1, len(ids))
        truth = Truth(margin, y, np.arange(len(ids)) % 4 == 0, wrong, rng)
        slices = {"one-time": truth.one_time}
        risks = {"recency": expit(truth.seen(2.0)), MODEL: expit(change(truth))}
        challenger.append(Judged(cutoff, ids, y, risks, 1.0, slices))
        risks = {MODEL: expit(truth.seen(CHAMPION, alike=1.0))}
        champion.append(Judged(cutoff, ids, y, risks, 1.0, slices))
    verdict = compare(
        Backtest(tuple(challenger), 200), Backtest(tuple(champion), 200), GateRecipe(), seed=seed
    )
    return next((check.name for check in verdict.checks if not check.passed), "")


if __name__ == "__main__":
    main()
