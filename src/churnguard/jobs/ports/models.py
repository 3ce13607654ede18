"""The ports for models: the ledger of champions, and MLflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from churnguard.store.records import LedgerEntry, RegisteredModel


class Ledger(Protocol):
    """Who was champion when, approved by whom."""

    def append(
        self,
        *,
        at: datetime,
        version: str,
        bundle: str,
        approved_by: str,
        reason: str,
        trained_until: datetime,
        labels_through: datetime,
    ) -> LedgerEntry:
        """Add an entry; it becomes the champion at once."""

    def champion(self) -> LedgerEntry | None:
        """Return the newest entry."""

    def history(self) -> list[LedgerEntry]:
        """Return all entries, newest first."""


class ModelRegistry(Protocol):
    """MLflow, as ChurnGuard uses it."""

    def log_training(
        self,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        files: Mapping[str, Path],
        make_bundle: Callable[[str], Path],
        feature_names: Sequence[str],
    ) -> tuple[str, str]:
        """Log one training as a run; return the run id and the registered version.

        ``make_bundle`` is given the run id, writes the bundle and returns its folder.
        """

    def set_champion(self, version: str) -> None:
        """Mirror the ledger: point the alias ``champion`` to this version."""

    def champion_version(self) -> str | None:
        """Return the version that the alias ``champion`` points to."""

    def versions(self) -> list[RegisteredModel]:
        """Return all versions, newest first."""

    def fetch_bundle(self, version: str, target: Path) -> Path:
        """Copy a version's bundle into ``target`` and return its folder."""
