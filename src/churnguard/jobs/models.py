"""Look at the registry; :mod:`churnguard.jobs.ledger` tells who was champion when."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from churnguard.clock import iso
from churnguard.errors import ModelNotFound
from churnguard.jobs.champion import NO_CHAMPION_HINT
from churnguard.jobs.ports import Shop


def list_models(shop: Shop) -> list[dict[str, Any]]:
    """Return the registered versions, newest first, with their main figures."""
    champion = shop.ledger.champion()
    return [
        {
            "version": model.version,
            "champion": champion is not None and champion.version == model.version,
            "created_at": iso(model.created_at.replace(microsecond=0)),
            **{name: _figure(model.metrics.get(name)) for name in ("auc", "log_loss", "ece")},
            "run_id": model.run_id,
            "bundle": model.bundle,
        }
        for model in shop.registry().versions()
    ]


def show_model(shop: Shop, version: str | None = None) -> dict[str, Any]:
    """Return one version (the champion by default) with its card and any mismatch.

    Raises
    ------
    ModelNotFound
        If there is no such version, or no champion.
    """
    champion = shop.ledger.champion()
    if version is None and champion is None:
        raise ModelNotFound("There is no champion yet.", hint=NO_CHAMPION_HINT)
    wanted = version or (champion.version if champion else "")
    model = next((m for m in shop.registry().versions() if m.version == wanted), None)
    if model is None:
        raise ModelNotFound(
            f"There is no model version '{wanted}'.",
            hint="'churnguard models list' shows the versions there are.",
        )
    with tempfile.TemporaryDirectory() as folder:
        bundle = shop.registry().fetch_bundle(wanted, Path(folder) / "bundle")
        card = (bundle / "card.md").read_text(encoding="utf-8")
    return {
        "version": wanted,
        "champion": champion is not None and champion.version == wanted,
        "run_id": model.run_id,
        "bundle": model.bundle,
        "metrics": dict(model.metrics),
        "warnings": _mismatch(shop),
        "card": card,
    }


def _mismatch(shop: Shop) -> list[str]:
    """Say where MLflow's alias and the ledger, which is the truth, name different champions."""
    entry, alias = shop.ledger.champion(), shop.registry().champion_version()
    in_ledger = entry.version if entry else None
    if in_ledger == alias:
        return []
    return [
        f"MISMATCH: the ledger has version {in_ledger} as champion, MLflow's alias has {alias}. "
        f"Servers follow the ledger; 'churnguard models promote {in_ledger}' mends the alias."
    ]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
