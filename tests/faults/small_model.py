"""A shop with customers and small models of made-up rows: signed bundles in seconds, not minutes.

The bundles are real: written, signed and proven as a training's are. Only what they have learned is
made up. ``promote`` puts one where servers look and names it in the ledger, without MLflow.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

import churnguard
from churnguard.clock import to_us
from churnguard.events.simulation import SimulationPlan, simulate
from churnguard.features.catalogue import Catalogue
from churnguard.jobs.ports import LedgerEntry, Shop
from churnguard.project.layout import Layout
from churnguard.scoring.bundle import MANIFEST, SIGNATURE, Facts, bundle_digest, write_bundle
from churnguard.scoring.golden import golden_events
from churnguard.scoring.signature import sign
from churnguard.training.boosted import BoostedScorer, average
from churnguard.training.calibration import Calibration
from churnguard.training.interval import IntervalTable
from churnguard.training.model import TrainedModel

NOW = datetime(2026, 11, 1, tzinfo=UTC)
FAMILIES = ("orders", "rhythm")


def make_shop(root: Path, *, customers: int = 30, environ: Mapping[str, str] | None = None) -> Shop:
    """Make a project with some simulated customers and no model yet."""
    churnguard.create_project(root)
    shop = churnguard.open_shop(root, environ=environ or {})
    plan = SimulationPlan(customers=customers, days=300, end=NOW, pace=1.5)
    shop.events.append(simulate(plan).events)
    return shop


def make_model(seed: int, *, names: tuple[str, ...] | None = None) -> TrainedModel:
    """Fit a few trees on made-up rows; another seed is another model."""
    names = names or Catalogue.of(FAMILIES).names
    random = np.random.default_rng(seed)
    rows = random.gamma(2.0, 30.0, (400, len(names)))
    churned = rows[:, names.index("days_since_order")] + random.normal(0, 20, 400) > 60
    parameters = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1}
    data = lightgbm.Dataset(rows, churned, feature_name=list(names))
    booster = lightgbm.train(parameters | {"seed": seed}, data, 8)
    text = average([booster.model_to_string()])
    return TrainedModel(
        names=names,
        scorer=BoostedScorer(lightgbm.Booster(model_str=text), text, None, 0.0),
        calibration=Calibration(
            slope=1.0, season_columns=None, levels=(0.01 * seed,), level_sd=0.1
        ),
        table=IntervalTable((-2.0, 2.0), (-2.3, 1.7), (-1.7, 2.3), (100, 100), 0.9),
    )


def make_bundle(
    shop: Shop,
    seed: int,
    *,
    model: TrainedModel | None = None,
    catalogue: Catalogue | None = None,
) -> Path:
    """Write a signed bundle below ``bundles/`` under its digest; return its folder."""
    layout = Layout(shop.root)
    folder = layout.bundles / f".making-{seed}"
    digest = write_bundle(
        folder,
        model=model or make_model(seed),
        catalogue=catalogue or Catalogue.of(FAMILIES),
        population=None,
        facts=Facts(90, 365, NOW, NOW - timedelta(days=1), 100.0, {}, {}),
        recipe={},
        card=f"# Model {seed}\n",
        golden_events=golden_events(NOW),
        golden_cutoffs=[to_us(NOW)],
        run_id=f"run-{seed}",
        signing_key=layout.signing_key.read_text(),
    )
    kept = layout.bundles / digest.removeprefix("sha256:")
    if kept.exists():
        shutil.rmtree(kept)
    folder.rename(kept)
    return kept


def promote(shop: Shop, folder: Path, *, version: str | None = None) -> LedgerEntry:
    """Name a bundle the champion."""
    entries = shop.ledger.history()
    return shop.ledger.append(
        at=NOW,
        version=version or str(len(entries) + 1),
        bundle=f"sha256:{folder.name}",
        approved_by="test",
        reason="",
        trained_until=NOW,
        labels_through=NOW - timedelta(days=1),
    )


def signed_again(shop: Shop, folder: Path, change: Callable[[Path], None]) -> Path:
    """Return a changed copy of a bundle whose hashes and signature are right again.

    That is what somebody with the signing key could make: only what is *in* it is wrong.
    """
    layout = Layout(shop.root)
    copy = layout.bundles / ".changing"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    change(copy)
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["files"] = {
        name: _digest(copy / name)
        for name in sorted(
            file.relative_to(copy).as_posix() for file in copy.rglob("*") if file.is_file()
        )
        if name not in (MANIFEST, SIGNATURE)
    }
    text = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    (copy / MANIFEST).write_bytes(text)
    (copy / SIGNATURE).write_bytes(sign(text, layout.signing_key.read_text()))
    kept = layout.bundles / bundle_digest(copy).removeprefix("sha256:")
    shutil.rmtree(kept, ignore_errors=True)
    copy.rename(kept)
    return kept


def rewrite_json(file: Path, change: Callable[[Any], Any]) -> None:
    """Change a JSON file in place."""
    values = json.loads(file.read_text())
    file.write_text(json.dumps(change(values) or values))


def customers_of(shop: Shop) -> list[str]:
    """Return the ids of all customers who have events."""
    ids: list[str] = shop.events.history()["customer_id"].unique().to_pylist()
    return sorted(ids)


def _digest(file: Path) -> str:
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()
