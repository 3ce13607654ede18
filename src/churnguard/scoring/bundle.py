"""A bundle: everything a server needs to score, as text, JSON and Parquet. Data, never code.

``manifest.json`` names every file with its SHA-256, and ``manifest.sig`` signs the manifest.
Loading goes: signature, hashes, parse, then the golden events are run from events to scores and
compared bit by bit, so that a bundle which this installation would read differently is refused
before it serves.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from churnguard import __version__
from churnguard.clock import iso
from churnguard.errors import BundleMismatch
from churnguard.events.timeline import Timeline
from churnguard.features.build import FeatureRows, build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import Population
from churnguard.labels import ORDER_GAP
from churnguard.scoring.signature import is_signed_by, sign
from churnguard.training.model import TrainedModel, load_model

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
_FACTS = "facts.json"
_REASONS = "reasons.json"
_CATALOGUE = "catalogue.json"
_POPULATION = "population.parquet"
_GOLDEN_EVENTS = "golden_events.parquet"
_GOLDEN_ROWS = "golden_rows.parquet"
_MARGIN = "margin"
_PEERS = ("peers", "segment_peers")
_LARGEST_FILE = 512 * 1024 * 1024


@dataclass(frozen=True)
class Facts:
    """What a score needs to know of the training besides the model.

    Attributes
    ----------
    horizon_days, look_back_days : int
        What the label means.
    trained_until, labels_through : datetime
        The training saw nothing known later than ``trained_until``; its newest label window ended
        at ``labels_through``.
    mean_spend : float
        Mean past-year net spend of eligible customers, in money: what expected value shrinks to.
    peers : mapping of str to float
        Each signal's median over the eligible customers of the newest snapshot, where 20 or more
        have it: what is usual where a customer has no habit yet, and where reasons start from.
    metrics : mapping of str to float
        Means over the backtest's cutoffs; empty where the history was too short for one.
    segment_peers : mapping of str to mapping of str to float
        The same by segment, where 20 or more of the segment have the signal.
    label : str
        What churn is; bundles that do not say mean the order gap.
    """

    horizon_days: int
    look_back_days: int
    trained_until: datetime
    labels_through: datetime
    mean_spend: float
    peers: Mapping[str, float]
    metrics: Mapping[str, float]
    segment_peers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    label: str = ORDER_GAP

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            **self.__dict__,
            "trained_until": iso(self.trained_until),
            "labels_through": iso(self.labels_through),
            "peers": dict(self.peers),
            "metrics": dict(self.metrics),
            "segment_peers": {name: dict(usual) for name, usual in self.segment_peers.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Facts:
        """Read what :meth:`to_dict` returned."""
        instants = {
            name: datetime.fromisoformat(values[name])
            for name in ("trained_until", "labels_through")
        }
        return cls(**{**values, **instants})


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes
    ----------
    digest : str
        ``sha256:`` and the SHA-256 of the manifest: the bundle's name everywhere.
    """

    digest: str
    manifest: Mapping[str, Any]
    model: TrainedModel
    catalogue: Catalogue
    population: Population | None
    facts: Facts
    card: str


def write_bundle(
    folder: Path,
    *,
    model: TrainedModel,
    catalogue: Catalogue,
    population: Population | None,
    facts: Facts,
    recipe: Mapping[str, Any],
    card: str,
    golden_events: pa.Table,
    golden_cutoffs: Sequence[int],
    run_id: str,
    signing_key: str,
) -> str:
    """Write and sign a bundle.

    Parameters
    ----------
    folder : Path
        Where to; must not hold files yet.
    golden_events : pa.Table
        Events of made-up customers (``EVENT_SCHEMA``); never a real customer's.
    golden_cutoffs : sequence of int
        Cutoffs in microseconds at which every golden customer is scored.
    signing_key : str
        Ed25519 private key, PEM.

    Returns
    -------
    str
        The bundle's digest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder)
    _write_json(folder / _CATALOGUE, json.loads(catalogue.to_json()))
    told = facts.to_dict()
    _write_json(folder / _REASONS, {name: told.pop(name) for name in _PEERS})
    _write_json(folder / _FACTS, told)
    _write_json(folder / "recipe.json", dict(recipe))
    (folder / "card.md").write_text(card, encoding="utf-8")
    if population is not None:
        pq.write_table(population.to_table(), folder / _POPULATION, compression="zstd")
    pq.write_table(golden_events, folder / _GOLDEN_EVENTS, compression="zstd")
    rows = _golden_rows(golden_events, golden_cutoffs, catalogue, population)
    pq.write_table(_with_margins(rows, model), folder / _GOLDEN_ROWS, compression="zstd")
    manifest = {
        "format": 1,
        "run_id": run_id,
        "signals": {s.name: {"version": s.version, "digest": s.digest} for s in catalogue.signals},
        "versions": _versions(),
        "files": {name: _sha256(folder / name) for name in _payload(folder)},
    }
    _write_json(folder / MANIFEST, manifest)
    (folder / SIGNATURE).write_bytes(sign((folder / MANIFEST).read_bytes(), signing_key))
    return bundle_digest(folder)


def bundle_digest(folder: Path) -> str:
    """Return the name of the bundle in a folder: the digest of its manifest."""
    return f"sha256:{_sha256(folder / MANIFEST)}"


def check_bundle(folder: Path, trusted: Sequence[str]) -> dict[str, Any]:
    """Check signature and hashes before anything is parsed; return the manifest.

    Raises
    ------
    BundleMismatch
        If the bundle is unsigned, signed by a stranger, damaged, or holds files that the manifest
        does not name.
    """
    manifest_file, signature_file = folder / MANIFEST, folder / SIGNATURE
    if not (manifest_file.is_file() and signature_file.is_file()):
        raise BundleMismatch(f"{folder.name} is not a bundle: it lacks a manifest or signature.")
    text = manifest_file.read_bytes()
    if not is_signed_by(text, signature_file.read_bytes(), trusted):
        raise BundleMismatch(
            f"The bundle {folder.name} is not signed by a key in serving/trust/.",
            hint="Copy the trainer's public key there if you trust it; else train anew.",
            fault="untrusted",
        )
    manifest: dict[str, Any] = json.loads(text)
    files = manifest["files"]
    if set(files) != set(_payload(folder)):
        odd = sorted(set(files) ^ set(_payload(folder)))
        raise BundleMismatch(f"The bundle {folder.name} lacks or adds files: {', '.join(odd)}.")
    for name, digest in files.items():
        if (folder / name).stat().st_size > _LARGEST_FILE or _sha256(folder / name) != digest:
            raise BundleMismatch(
                f"The file {name} in bundle {folder.name} is not what was signed.",
                hint="Fetch the bundle again with 'churnguard models promote VERSION'.",
            )
    return manifest


def load_bundle(folder: Path, trusted: Sequence[str], *, digest: str | None = None) -> Bundle:
    """Check, parse and prove a bundle.

    Parameters
    ----------
    folder : Path
        The bundle's folder.
    trusted : sequence of str
        Public keys (PEM) of which one must have signed it.
    digest : str, optional
        The name that it must have: another bundle in its place is refused, well signed or not.

    Raises
    ------
    BundleMismatch
        If anything differs from what was signed, if a signal it uses is not the one of this
        installation, if the model is for other signals than the catalogue's, if the golden events
        do not give the recorded bits, or if the model says the same of everybody.
    """
    if digest is not None and (folder / MANIFEST).is_file() and bundle_digest(folder) != digest:
        raise BundleMismatch(
            f"The bundle in {folder.name} is another one than the ledger names.",
            hint="Fetch it again with 'churnguard models promote VERSION'.",
        )
    manifest = check_bundle(folder, trusted)
    try:
        bundle = _parse(folder, manifest)
        _demand_same_signals(folder, bundle)
        _prove(folder, bundle)
    except (OSError, ValueError, KeyError, TypeError, IndexError, pa.ArrowException) as error:
        raise BundleMismatch(
            f"The bundle {folder.name} cannot be read: {type(error).__name__}: {error}."
        ) from error
    return bundle


def _parse(folder: Path, manifest: Mapping[str, Any]) -> Bundle:
    """Read the files of a bundle whose signature and hashes are right."""
    catalogue = Catalogue.from_json((folder / _CATALOGUE).read_text(encoding="utf-8"))
    population_file = folder / _POPULATION
    population = (
        Population.from_table(pq.read_table(population_file)) if population_file.exists() else None
    )
    return Bundle(
        digest=bundle_digest(folder),
        manifest=manifest,
        model=load_model(folder),
        catalogue=catalogue,
        population=population,
        facts=_read_facts(folder),
        card=(folder / "card.md").read_text(encoding="utf-8"),
    )


def _demand_same_signals(folder: Path, bundle: Bundle) -> None:
    """Refuse a model for other signals, or in another order, than catalogue and manifest say."""
    catalogue, model = tuple(bundle.catalogue.names), tuple(bundle.model.names)
    listed = {
        signal.name: {"version": signal.version, "digest": signal.digest}
        for signal in bundle.catalogue.signals
    }
    if catalogue != model or bundle.manifest.get("signals") != listed:
        odd = next((a or b for a, b in zip_longest(catalogue, model) if a != b), "a version")
        raise BundleMismatch(
            f"The model in bundle {folder.name} is for other signals than its catalogue: {odd}.",
            hint="Train again, so that both are written together.",
            fault="other_signals",
        )


def _read_facts(folder: Path) -> Facts:
    """Read the facts; a bundle of an earlier version has the peers among them."""
    reasons = folder / _REASONS
    return Facts.from_dict(
        _read_json(folder / _FACTS) | (_read_json(reasons) if reasons.exists() else {})
    )


def _prove(folder: Path, bundle: Bundle) -> None:
    """Run the golden events through signals and model, and compare every bit."""
    recorded = pq.read_table(folder / _GOLDEN_ROWS)
    events = pq.read_table(folder / _GOLDEN_EVENTS)
    cutoffs = np.unique(recorded["cutoff"].cast(pa.int64()).to_numpy())
    rows = _golden_rows(events, cutoffs.tolist(), bundle.catalogue, bundle.population)
    found = _with_margins(rows, bundle.model)
    _demand_a_say(folder, found[_MARGIN].to_numpy())
    alone = _golden_rows_of_one(events, cutoffs.tolist(), bundle.catalogue, bundle.population)
    same = rows.values[rows.customer_ids == alone.customer_ids[0]].tobytes()
    if not found.equals(recorded) or alone.values.tobytes() != same:
        raise BundleMismatch(
            f"The bundle {folder.name} gives other numbers here than where it was made.",
            hint="Train again on this machine, or use the versions named in its manifest.",
            fault="other_numbers",
        )


def _demand_a_say(folder: Path, margins: NDArray[np.float64]) -> None:
    """Refuse a model that gives no golden customer a number, or all of them the same."""
    numbers = margins[np.isfinite(margins)]
    if not len(numbers) or (len(margins) > 1 and np.ptp(numbers) == 0):
        raise BundleMismatch(
            f"The model in bundle {folder.name} says nothing: it gives no customer a number, or "
            "all of them the same.",
            hint="Look at the training's report, and train again.",
            fault="says_nothing",
        )


def _golden_rows(
    events: pa.Table,
    cutoffs: Sequence[int],
    catalogue: Catalogue,
    population: Population | None,
) -> FeatureRows:
    timeline = Timeline.from_arrow(events)
    customers = np.arange(len(timeline.customer_ids), dtype=np.int32)
    return build_features(
        timeline,
        catalogue,
        np.tile(customers, len(cutoffs)),
        np.repeat(np.asarray(cutoffs, dtype=np.int64), len(customers)),
        population=population,
    )


def _golden_rows_of_one(
    events: pa.Table,
    cutoffs: Sequence[int],
    catalogue: Catalogue,
    population: Population | None,
) -> FeatureRows:
    """Return one golden customer's rows as a request makes them, and compile what that needs."""
    first = pc.min(events["customer_id"])
    mine = events.filter(pc.equal(events["customer_id"], first))
    return _golden_rows(mine, cutoffs, catalogue, population)


def _with_margins(rows: FeatureRows, model: TrainedModel) -> pa.Table:
    return rows.to_arrow().append_column(_MARGIN, pa.array(model.margins(rows.values)))


def _payload(folder: Path) -> list[str]:
    """Return every file of a bundle but manifest and signature, as relative names."""
    found = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return sorted(name for name in found if name not in (MANIFEST, SIGNATURE))


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("lightgbm", "numba", "numpy", "scipy")
    return {
        "churnguard": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_json(file: Path, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    file.write_text(text + "\n", encoding="utf-8")


def _read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
