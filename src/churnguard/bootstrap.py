"""Chooses the adapters and hands them to jobs: the one place that wires a project."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from churnguard.clock import Clock, system_clock
from churnguard.errors import InvalidRequest, NotEnoughHistory
from churnguard.jobs.backup import Backup
from churnguard.jobs.ports import Engine, ModelRegistry, Shop
from churnguard.jobs.restore import Restored
from churnguard.project.layout import Layout
from churnguard.project.secrets import service_key
from churnguard.project.settings import read_settings


def open_shop(
    root: Path | str,
    *,
    clock: Clock = system_clock,
    environ: Mapping[str, str] = os.environ,
    patient: bool = False,
    **options: Any,
) -> Shop:
    """Open a project: read its settings, connect its store, and know its registry.

    Parameters
    ----------
    root : Path or str
        The project's folder.
    clock : callable
        Returns now, in UTC.
    environ : mapping
        Where settings and secrets are looked up.
    patient : bool
        Open it also where its PostgreSQL cannot be reached yet, as a server does.
    **options
        Settings given on the command line; None means not given.

    Raises
    ------
    ProjectError
        If the folder is no project or a setting cannot be used.
    StoreError
        If the store cannot be opened.
    """
    from churnguard.store.courier import HttpCourier
    from churnguard.store.database import open_database

    root = Path(root)
    layout = Layout(root.resolve())
    settings = read_settings(root, environ, **options)
    engine = open_database(
        layout.resolve_store(settings.store),
        connections=settings.store_connections,
        timeout=settings.store_timeout_seconds,
        patient=patient,
    )

    @cache
    def registry() -> ModelRegistry:
        from churnguard.store.mlflow_registry import MlflowRegistry

        return MlflowRegistry(layout.mlruns, settings.name)

    return Shop(
        root=layout.root,
        settings=settings,
        **_stores(engine, layout, cache(lambda: service_key(layout, environ))),
        courier=HttpCourier(settings.webhook_allow, clock=clock),
        registry=registry,
        clock=clock,
        environ=environ,
    )


def _stores(engine: Any, layout: Layout, key: Callable[[], bytes]) -> dict[str, Any]:
    """Return the adapters over one database, by their names in a shop."""
    from churnguard.store.audit import SqlAuditLog
    from churnguard.store.changes import SqlChanges
    from churnguard.store.events import SqlEventStore
    from churnguard.store.keys import SqlKeyStore
    from churnguard.store.ledger import SqlLedger
    from churnguard.store.outbox import SqlOutbox
    from churnguard.store.privacy import SqlPrivacyStore
    from churnguard.store.replies import SqlReplyStore
    from churnguard.store.scores import SqlScoreStore
    from churnguard.store.tombstones import Tombstones
    from churnguard.store.watch import SqlWatchStore
    from churnguard.store.work import SqlWorkBook

    stones = Tombstones(key)
    return {
        "events": SqlEventStore(engine, layout.data / "events", tombstones=stones),
        "changes": SqlChanges(engine),
        "scores": SqlScoreStore(engine, tombstones=stones),
        "ledger": SqlLedger(engine),
        "keys": SqlKeyStore(engine),
        "replies": SqlReplyStore(engine),
        "audit": SqlAuditLog(engine, key),
        "privacy": SqlPrivacyStore(engine, stones, key),
        "work": SqlWorkBook(engine),
        "outbox": SqlOutbox(engine),
        "watch": SqlWatchStore(engine, tombstones=stones),
    }


def upgrade_store(root: Path, *, environ: Mapping[str, str] = os.environ) -> tuple[str | None, str]:
    """Bring the schema of a project's store up to date.

    Returns
    -------
    tuple of (str or None, str)
        The schema that it had, and the one that it has.

    Raises
    ------
    StoreError
        If the store cannot be reached, or is a newer ChurnGuard's.
    """
    from churnguard.store.database import upgrade_database

    settings = read_settings(root, environ)
    return upgrade_database(Layout(root.resolve()).resolve_store(settings.store))


def back_up_project(
    root: Path,
    folder: Path,
    *,
    with_secrets: bool = False,
    clock: Clock = system_clock,
    environ: Mapping[str, str] = os.environ,
) -> Backup:
    """Copy a project, which may be in use meanwhile; see :func:`churnguard.jobs.backup.back_up`."""
    from churnguard.jobs.backup import back_up
    from churnguard.store.copying import StoreCopier
    from churnguard.store.database import open_database

    layout = Layout(root.resolve())
    settings = read_settings(root, environ)
    engine = open_database(layout.resolve_store(settings.store))
    try:
        copier = StoreCopier(engine, layout.data / "events")
        return back_up(layout, copier, folder, now=clock(), with_secrets=with_secrets)
    finally:
        engine.dispose()


def restore_project(
    backup: Path,
    root: Path,
    *,
    tombstones: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Restored:
    """Make a project from a backup; see :func:`churnguard.jobs.restore.restore`."""
    from churnguard.jobs.erase import finish_erasures
    from churnguard.jobs.restore import restore
    from churnguard.store.copying import place_store

    given = {"CHURNGUARD_SERVICE_KEY", "CHURNGUARD_SERVICE_KEY_FILE"} & environ.keys()
    in_backup = Layout(backup / "project").service_key.is_file()

    def replay(restored: Path) -> int:
        return finish_erasures(open_shop(restored, environ=environ))

    return restore(
        backup,
        root,
        place=place_store,
        replay=replay if given or in_backup else None,
        tombstones=tombstones,
    )


ENGINES = ("local", "spark")
"""Where signals and scores are computed: in this process, or on Spark."""


def open_engine(
    name: str,
    shop: Shop,
    *,
    events: str | None = None,
    format: str | None = None,  # noqa: A002
) -> Engine | None:
    """Choose where the work by partition of customers runs.

    Parameters
    ----------
    name : str
        One of :data:`ENGINES`.
    shop : Shop
        An opened project.
    events : str, optional
        A table of canonical events that Spark can read; the shop's Parquet history, brought up to
        date, when not given.
    format : str, optional
        Spark's data source for ``events``, or ``table``; Parquet when not given.

    Returns
    -------
    Engine or None
        None stands for this process.

    Raises
    ------
    InvalidRequest
        If there is no such engine, or what it needs is missing.
    NotEnoughHistory
        If the shop has no event.
    """
    if name not in ENGINES:
        raise InvalidRequest(
            f"There is no engine '{name}'.", hint=f"Engines are {', '.join(ENGINES)}."
        )
    if name == "local":
        if events or format:
            raise InvalidRequest(
                "The local engine reads the project's own events.",
                hint="Say --engine spark to read another table, or leave the two options out.",
            )
        return None
    from churnguard.engines.session import start_session
    from churnguard.engines.spark import SparkEngine

    session = start_session()
    if events is not None:
        return SparkEngine(events, format=format or "parquet", session=session)
    if format:
        raise InvalidRequest("--format tells how to read --events.", hint="Say --events as well.")
    shop.events.export()
    folder = Layout(shop.root).data / "events"
    if not any(folder.glob("received=*/*.parquet")):
        raise NotEnoughHistory(
            "The shop has no events yet.",
            hint="Bring in the shop's files with 'churnguard ingest'.",
        )
    return SparkEngine(folder.as_uri(), session=session)
