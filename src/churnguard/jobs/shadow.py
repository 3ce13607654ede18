"""Shadow scoring: a challenger scores the same night as the champion, and nobody acts on it.

Its risks are kept beside the champion's in a file of their own, never in the store of scores, so
no list, no API and no action can pick them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from churnguard.clock import from_us, to_us
from churnguard.errors import InvalidRequest
from churnguard.jobs.champion import LoadedChampion
from churnguard.jobs.ports import LedgerEntry, ScoreRun, Shop
from churnguard.jobs.promote import keep_bundle
from churnguard.jobs.write_table import write_table
from churnguard.project.layout import Layout
from churnguard.scoring.score import Score

SHADOW_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("as_of", pa.timestamp("us", tz="UTC")),
        ("horizon_days", pa.int32()),
        ("champion", pa.string()),
        ("champion_risk", pa.float64()),
        ("champion_band", pa.string()),
        ("shadow", pa.string()),
        ("shadow_risk", pa.float64()),
        ("shadow_band", pa.string()),
    ]
)
"""One row a customer whom either of the two scored."""


def load_shadow(shop: Shop, version: str, *, champion: LoadedChampion) -> LoadedChampion:
    """Fetch and prove a challenger, so that it can score as a champion does.

    Parameters
    ----------
    shop : Shop
        An opened project.
    version : str
        A registered version.
    champion : LoadedChampion
        Who scores the same night.

    Raises
    ------
    InvalidRequest
        If the challenger is the champion, or its horizon is another one.
    ModelNotFound
        If there is no such version.
    BundleMismatch
        If its bundle cannot be verified or proven.
    """
    if version == champion.entry.version:
        raise InvalidRequest(
            f"Version {version} is the champion: it cannot stand in its own shadow.",
            hint="'churnguard models list' shows the others.",
        )
    bundle = keep_bundle(shop, version)
    days, theirs = bundle.facts.horizon_days, champion.bundle.facts.horizon_days
    if days != theirs:
        raise InvalidRequest(
            f"Version {version} looks {days} days ahead and the champion {theirs}: their risks do "
            "not mean the same.",
            hint="Train a challenger for the champion's horizon.",
        )
    entry = LedgerEntry(
        sequence=0,
        at=shop.clock(),
        version=version,
        bundle=bundle.digest,
        approved_by="",
        reason="shadow",
        trained_until=bundle.facts.trained_until,
        labels_through=bundle.facts.labels_through,
    )
    return LoadedChampion(entry, bundle)


def keep_shadow(
    shop: Shop, run: ScoreRun, scores: Sequence[Score], others: Sequence[Score], *, version: str
) -> Path:
    """Write the champion's and the challenger's risks of one night down, side by side.

    Parameters
    ----------
    shop : Shop
        An opened project.
    run : ScoreRun
        The champion's batch.
    scores : sequence of Score
        Its scores.
    others : sequence of Score
        The challenger's, for the same instant.
    version : str
        The challenger.

    Returns
    -------
    Path
        The file; the same night and version again replaces it.
    """
    theirs = {score.customer_id: score for score in others}
    rows = []
    for score in scores:
        other = theirs.get(score.customer_id)
        if other is None or (score.churn_risk is None and other.churn_risk is None):
            continue
        rows.append(
            {
                "customer_id": score.customer_id,
                "as_of": run.as_of,
                "horizon_days": score.horizon_days,
                "champion": run.model_version,
                "champion_risk": score.churn_risk,
                "champion_band": score.band,
                "shadow": version,
                "shadow_risk": other.churn_risk,
                "shadow_band": other.band,
            }
        )
    file = _folder(shop) / f"{to_us(run.as_of)}.v{version}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_table(pa.Table.from_pylist(rows, schema=SHADOW_SCHEMA), file)
    return file


def shadow_nights(shop: Shop, version: str) -> list[tuple[datetime, pa.Table]]:
    """Return the nights that a version scored in the shadow, oldest first."""
    files = _files(shop, version)
    return [(from_us(at), pq.read_table(file, schema=SHADOW_SCHEMA)) for at, file in files]


def _files(shop: Shop, version: str) -> Iterable[tuple[int, Path]]:
    found = _folder(shop).glob(f"*.v{version}.parquet")
    return sorted((int(file.name.split(".")[0]), file) for file in found)


def _folder(shop: Shop) -> Path:
    return Layout(shop.root).data / "shadow"
