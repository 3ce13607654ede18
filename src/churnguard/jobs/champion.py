"""The champion: loaded, proven, and swapped when the ledger names another one.

A bundle that cannot be verified or proven never replaces the one that serves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from churnguard.clock import iso
from churnguard.errors import (
    BundleFault,
    BundleMismatch,
    ChurnGuardError,
    ModelNotFound,
    StoreUnavailable,
)
from churnguard.jobs.canary import prove_apart
from churnguard.jobs.known_bundle import load_known_bundle
from churnguard.jobs.ports import LedgerEntry, Shop
from churnguard.project.layout import Layout
from churnguard.scoring.bundle import Bundle
from churnguard.scoring.score import ModelName

RETRY_SECONDS = 30.0
"""How long a refused bundle is left alone."""

NO_CHAMPION_HINT = "Train one with 'churnguard train'."


@dataclass(frozen=True)
class LoadedChampion:
    """A champion ready to score.

    Attributes
    ----------
    entry : LedgerEntry
        Its line in the ledger.
    bundle : Bundle
        What was loaded.
    """

    entry: LedgerEntry
    bundle: Bundle

    def named(self, population: str | None) -> ModelName:
        """Return the name that scores carry, with the population that was used."""
        return ModelName(
            version=self.entry.version,
            bundle=self.bundle.digest,
            calibration=self._calibration,
            population=population,
        )

    @cached_property
    def _calibration(self) -> str:
        return self.bundle.model.calibration_id

    @property
    def name(self) -> ModelName:
        """The name, without a population."""
        return self.named(None)

    @property
    def card(self) -> dict[str, Any]:
        """What is worth knowing of the model, JSON-ready."""
        facts = self.bundle.facts.to_dict()
        return {
            "version": self.entry.version,
            "bundle": self.bundle.digest,
            "since": iso(self.entry.at),
            "approved_by": self.entry.approved_by,
            **facts,
            "signals": list(self.bundle.catalogue.names),
            "card": self.bundle.card,
        }


RefusalReason = BundleFault | Literal["missing", "unloadable"]


@dataclass(frozen=True)
class RefusedModel:
    """A champion of the ledger that may not answer.

    Attributes
    ----------
    version : str
        Its version.
    reason : RefusalReason
        The kind of what is wrong with it.
    why : str
        What is wrong and what to do, for whoever looks after the models.
    """

    version: str
    reason: RefusalReason
    why: str

    @classmethod
    def of(cls, entry: LedgerEntry, error: ChurnGuardError) -> RefusedModel:
        """Tell of an entry whose loading ended with an error."""
        reason: RefusalReason = "unloadable"
        if isinstance(error, BundleMismatch):
            reason = error.fault
        elif isinstance(error, ModelNotFound):
            reason = "missing"
        return cls(entry.version, reason, f"{error.message} {error.hint}".strip())


def load_champion(shop: Shop, entry: LedgerEntry) -> LoadedChampion:
    """Load the bundle of a ledger entry.

    Raises
    ------
    BundleMismatch
        If the bundle cannot be verified or proven, is another than the ledger names, or is of
        another label than the project.
    ModelNotFound
        If its folder is gone.
    """
    layout = Layout(shop.root)
    folder = bundle_folder(layout, entry)
    bundle = load_known_bundle(layout, folder, digest=entry.bundle)
    refuse_other_label(shop, bundle, entry.version)
    return LoadedChampion(entry, bundle)


def bundle_folder(layout: Layout, entry: LedgerEntry) -> Path:
    """Return where the bundle of a ledger entry is.

    Raises
    ------
    ModelNotFound
        If it is not there.
    """
    folder = layout.bundles / entry.bundle.removeprefix("sha256:")
    if not folder.is_dir():
        raise ModelNotFound(
            f"The bundle of version {entry.version} is not in bundles/.",
            hint=f"Bring it back with 'churnguard models promote {entry.version}'.",
        )
    return folder


def refuse_other_label(shop: Shop, bundle: Bundle, version: str) -> None:
    """Refuse a bundle that means something else by churn than the project.

    Raises
    ------
    BundleMismatch
        If its label is not the one of the project's settings.
    """
    wanted, found = shop.settings.label, bundle.facts.label
    if found != wanted:
        raise BundleMismatch(
            f"Version {version} was trained on the label '{found}', and the project's is "
            f"'{wanted}': its risks mean something else.",
            hint=f"Train a model of '{wanted}' and promote it by name, or set label = \"{found}\" "
            "in churnguard.toml.",
            fault="other_label",
        )


def champion_for(shop: Shop, as_of: datetime | None) -> LoadedChampion:
    """Load the champion that may speak about an instant.

    For a past instant that is the newest champion whose training knew nothing from after it; where
    there is none, today's champion.

    Raises
    ------
    ModelNotFound
        If there has never been a champion.
    """
    return load_champion(shop, entry_for(shop, as_of))


def entry_for(shop: Shop, as_of: datetime | None) -> LedgerEntry:
    """Return the ledger's entry of the champion that :func:`champion_for` loads."""
    entries = shop.ledger.history()
    if not entries:
        raise ModelNotFound("There is no champion yet.", hint=NO_CHAMPION_HINT)
    fitting = (entry for entry in entries if as_of is None or entry.labels_through <= as_of)
    return next(fitting, entries[0])


class ChampionHolder:
    """Holds the champion of a running server; ``refresh`` is called every other second.

    Parameters
    ----------
    shop : Shop
        An opened project.
    canary : callable
        Loads and proves a bundle apart from this process, or raises; asked before a bundle that is
        new to this process replaces one that serves.
    monotonic : callable
        Seconds that only ever rise.
    """

    def __init__(
        self,
        shop: Shop,
        *,
        canary: Callable[[Layout, LedgerEntry], None] = prove_apart,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shop = shop
        self._canary = canary
        self._monotonic = monotonic
        self._loaded: LoadedChampion | None = None
        self._proven: set[str] = set()
        self._left_alone: tuple[int, float] | None = None
        self._refreshing = threading.Lock()
        self.refused: RefusedModel | None = None

    def current(self) -> LoadedChampion | None:
        """Return the champion that serves, or None before the first."""
        return self._loaded

    @property
    def error(self) -> str | None:
        """Why the newest champion was refused, and what to do; None when all is well."""
        return self.refused.why if self.refused else None

    def refresh(self) -> bool:
        """Look at the ledger; load, prove and swap if it names another champion.

        Returns
        -------
        bool
            True if the champion was swapped. When a bundle is refused the old one goes on serving,
            ``refused`` says why, and it is tried again after a while, in case it was mended. When
            the ledger cannot be read, nothing changes.
        """
        with self._refreshing:
            try:
                entry = self._shop.ledger.champion()
            except StoreUnavailable:
                return False
            if entry is None or self._is_settled(entry):
                return False
            try:
                self._loaded = self._load(entry)
            except ChurnGuardError as error:
                self._left_alone = entry.sequence, self._monotonic() + RETRY_SECONDS
                self.refused = RefusedModel.of(entry, error)
                return False
            self.refused = self._left_alone = None
            return True

    def _is_settled(self, entry: LedgerEntry) -> bool:
        """Tell whether the entry serves, or was refused a moment ago."""
        if self._loaded is not None and entry.sequence == self._loaded.entry.sequence:
            self.refused = self._left_alone = None  # a refused one was taken back
            return True
        sequence, until = self._left_alone or (None, 0.0)
        return entry.sequence == sequence and self._monotonic() < until

    def _load(self, entry: LedgerEntry) -> LoadedChampion:
        if self._loaded is not None and entry.bundle not in self._proven:
            self._canary(Layout(self._shop.root), entry)
        loaded = load_champion(self._shop, entry)
        self._proven.add(entry.bundle)
        return loaded
