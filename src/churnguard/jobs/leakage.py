"""The proof of no look-ahead on a shop's own data: plant, shuffle, double, rebuild, compare.

Rows are built once, then again from logs to which something was done that must not matter. Every
cell must have the same 64 bits as before; two missing numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from churnguard import __version__
from churnguard.clock import iso
from churnguard.features import kernel
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import fit_population
from churnguard.jobs.leakage_report import LeakageReport, Outcome
from churnguard.jobs.leakage_sample import events_digest, take_sample
from churnguard.jobs.leakage_trial import Build, Fit, Trial
from churnguard.jobs.ports import EventStore, Progress, Shop, silent

MOST_EVENTS = 750_000
"""A larger shop is checked on a sample of its customers with about so many events."""


def check_leakage(
    shop: Shop,
    *,
    scratch: Callable[[Path], EventStore],
    cutoffs: Sequence[datetime] = (),
    catalogue: Catalogue | None = None,
    build: Build = build_features,
    fit: Fit = fit_population,
    most_events: int = MOST_EVENTS,
    progress: Progress = silent,
) -> LeakageReport:
    """Prove on a shop's own data that no row knows anything from after its cutoff, or refute it.

    Parameters
    ----------
    shop : Shop
        An opened project; nothing is written to it.
    scratch : callable
        Makes an empty event store in a folder, for the events that are brought in twice.
    cutoffs : sequence of datetime
        Instants to look back from; by default four, a horizon apart, back from the end of the data.
    catalogue : Catalogue, optional
        The project's by default.
    build, fit : callable
        What builds rows and fits the population: what is on trial.
    most_events : int
        A larger shop is checked on a sample of customers.
    progress : callable
        Told what is being done.

    Raises
    ------
    NotEnoughHistory
        If there is no event, or nobody is eligible at any cutoff: there is no row to check.
    """
    now = shop.clock()
    sample = take_sample(shop, known_before=now, most_events=most_events, progress=progress)
    trial = Trial.of(shop, sample, cutoffs, catalogue, build=build, fit=fit)
    outcomes: list[Outcome] = []
    for name, run in trial.tests(shop, scratch):
        progress(f"leakage: {name}", len(outcomes), None)
        outcomes.append(run())
    progress("leakage: what the planted events could show", len(outcomes), None)
    return LeakageReport(
        shop=shop.settings.name,
        made_at=iso(now.replace(microsecond=0)),
        code=f"churnguard {__version__}, kernel {kernel.VERSION}",
        dataset=events_digest(sample.events),
        catalogue=f"sha256:{sha256(trial.catalogue.to_json().encode()).hexdigest()}",
        sample=sample,
        cutoffs=trial.told_cutoffs(),
        columns=len(trial.catalogue),
        outcomes=tuple(outcomes),
        unmoved=trial.unmoved(),
        left_out=trial.left_out,
    )
