"""Make a registered version champion, or an earlier champion again."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from churnguard.errors import BundleMismatch, InvalidRequest
from churnguard.jobs.audit import record
from churnguard.jobs.champion import refuse_other_label
from churnguard.jobs.durable import sync
from churnguard.jobs.known_bundle import load_known_bundle
from churnguard.jobs.ledger import champion_before
from churnguard.jobs.ports import LedgerEntry, Shop
from churnguard.project.layout import Layout
from churnguard.scoring.bundle import Bundle, bundle_digest, check_bundle
from churnguard.scoring.signature import read_trusted

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
    _mirror(shop)
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
        _keep(layout, fetched, bundle.digest)
    return bundle


def _keep(layout: Layout, fetched: Path, digest: str) -> None:
    """Put a proven bundle where servers look, on the disk before a ledger names it.

    A sound copy from before is left as it is, for servers may be reading it; a damaged one goes.
    """
    kept = layout.bundles / digest.removeprefix("sha256:")
    if _is_sound(layout, kept, digest):
        return
    for path in (*fetched.rglob("*"), fetched):
        sync(path)
    with suppress(FileNotFoundError):
        kept.rename(fetched.with_name("damaged"))
    try:
        fetched.rename(kept)
    except OSError:  # another promotion was quicker
        if not _is_sound(layout, kept, digest):
            raise
    sync(layout.bundles)


def _is_sound(layout: Layout, folder: Path, digest: str) -> bool:
    """Tell whether a folder holds this bundle, every file of it as it was signed."""
    try:
        check_bundle(folder, read_trusted(layout.trust))
    except (BundleMismatch, OSError):
        return False
    return bundle_digest(folder) == digest


def _mirror(shop: Shop) -> None:
    """Point MLflow's alias to the ledger's champion, whoever else promotes at the same time."""
    told = None
    while (now := shop.ledger.champion()) is not None and now.version != told:
        told = now.version
        shop.registry().set_champion(told)
