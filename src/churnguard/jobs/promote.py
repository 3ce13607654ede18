"""Make a registered version champion, or an earlier champion again."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from churnguard.errors import InvalidRequest
from churnguard.jobs.audit import record
from churnguard.jobs.champion import refuse_other_label
from churnguard.jobs.known_bundle import load_known_bundle
from churnguard.jobs.ledger import champion_before
from churnguard.jobs.ports import LedgerEntry, Shop
from churnguard.project.layout import Layout
from churnguard.scoring.bundle import Bundle

ROLLBACK = "rollback of version"
"""How the reason of a rollback begins."""


def promote(shop: Shop, version: str, *, approved_by: str, reason: str = "") -> LedgerEntry:
    """Copy a version's bundle to ``bundles/``, prove it, write the ledger, mirror the alias.

    Parameters
    ----------
    shop : Shop
        An opened project.
    version : str
        A registered version.
    approved_by : str
        Who answers for it; a name is required.
    reason : str
        Why.

    Returns
    -------
    LedgerEntry
        The new line of the ledger. Promoting the present champion again adds nothing.

    Raises
    ------
    ModelNotFound
        If there is no such version.
    BundleMismatch
        If its bundle cannot be verified or proven, or is of another label than the project; the
        champion stays.
    InvalidRequest
        If nobody is named.
    """
    if not approved_by.strip():
        raise InvalidRequest("A promotion needs a name.", hint="Say --approved-by NAME.")
    bundle = keep_bundle(shop, version)
    now = shop.ledger.champion()
    if now is None or (now.version, now.bundle) != (version, bundle.digest):
        now = shop.ledger.append(
            at=shop.clock(),
            version=version,
            bundle=bundle.digest,
            approved_by=approved_by.strip(),
            reason=reason,
            trained_until=bundle.facts.trained_until,
            labels_through=bundle.facts.labels_through,
        )
        record(
            shop,
            f"approver:{approved_by.strip()}",
            "model.rolled_back" if reason.startswith(ROLLBACK) else "model.promoted",
            version=version,
            bundle=bundle.digest,
        )
    shop.registry().set_champion(version)
    return now


def rollback(
    shop: Shop, *, approved_by: str, reason: str = "", to: str | None = None
) -> LedgerEntry:
    """Make an earlier champion the champion again; the ledger keeps both changes.

    Parameters
    ----------
    shop : Shop
        An opened project.
    approved_by : str
        Who answers for it; a name is required.
    reason : str
        Why.
    to : str, optional
        A version that was champion once; see :func:`churnguard.jobs.ledger.champion_before`.

    Raises
    ------
    ModelNotFound
        If there is nothing to go back to.
    """
    before = champion_before(shop, to=to)
    now = shop.ledger.champion()
    told = f"{ROLLBACK} {now.version if now else '-'}"
    return promote(
        shop,
        before.version,
        approved_by=approved_by,
        reason=f"{told}: {reason}" if reason else told,
    )


def keep_bundle(shop: Shop, version: str) -> Bundle:
    """Copy a version's bundle to ``bundles/`` and prove it there; nobody is promoted.

    Raises
    ------
    ModelNotFound
        If there is no such version.
    BundleMismatch
        If its bundle cannot be verified or proven, or is of another label than the project.
    """
    layout = Layout(shop.root)
    layout.bundles.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layout.bundles, prefix=".fetching-") as folder:
        fetched = shop.registry().fetch_bundle(version, Path(folder) / "bundle")
        bundle = load_known_bundle(layout, fetched)
        refuse_other_label(shop, bundle, version)
        _keep(fetched, layout.bundles / bundle.digest.removeprefix("sha256:"))
    return bundle


def _keep(fetched: Path, kept: Path) -> None:
    """Put a proven bundle where servers look; a damaged copy from before is replaced."""
    if kept.exists():
        shutil.rmtree(kept)
    fetched.rename(kept)
