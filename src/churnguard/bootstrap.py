"""Chooses the adapters and hands them to jobs: the one place that wires a project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from churnguard.clock import Clock, system_clock
from churnguard.jobs.ports import ModelRegistry, Shop
from churnguard.project.layout import Layout
from churnguard.project.settings import read_settings


def open_shop(
    root: Path,
    *,
    clock: Clock = system_clock,
    environ: Mapping[str, str] = os.environ,
    **options: Any,
) -> Shop:
    """Open a project: read its settings, connect its store, and know its registry.

    Parameters
    ----------
    root : Path
        The project's folder.
    clock : callable
        Returns now, in UTC.
    environ : mapping
        Where settings and secrets are looked up.
    **options
        Settings given on the command line; None means not given.

    Raises
    ------
    ProjectError
        If the folder is no project or a setting cannot be used.
    StoreError
        If the store cannot be opened.
    """
    from churnguard.store.database import open_database
    from churnguard.store.events import SqlEventStore
    from churnguard.store.keys import SqlKeyStore
    from churnguard.store.ledger import SqlLedger
    from churnguard.store.scores import SqlScoreStore

    layout = Layout(root.resolve())
    settings = read_settings(root, environ, **options)
    engine = open_database(layout.resolve_store(settings.store))

    @cache
    def registry() -> ModelRegistry:
        from churnguard.store.mlflow_registry import MlflowRegistry

        return MlflowRegistry(layout.mlruns, settings.name)

    return Shop(
        root=layout.root,
        settings=settings,
        events=SqlEventStore(engine, layout.data / "events"),
        scores=SqlScoreStore(engine),
        ledger=SqlLedger(engine),
        keys=SqlKeyStore(engine),
        registry=registry,
        clock=clock,
        environ=environ,
    )
