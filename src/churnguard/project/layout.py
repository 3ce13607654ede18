"""Where things are in a project: the one place that knows its folders and files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOMS = ("features", "training", "serving")
"""The rooms that a shop edits, and that ``churnguard init`` hands out."""


@dataclass(frozen=True)
class Layout:
    """The paths of one project.

    Examples
    --------
    >>> Layout(Path("shop")).playbook.as_posix()
    'shop/serving/playbook.toml'
    """

    root: Path

    @property
    def features(self) -> Path:
        """The catalogue's folder."""
        return self.root / "features"

    @property
    def training(self) -> Path:
        """The recipes' folder."""
        return self.root / "training"

    @property
    def playbook(self) -> Path:
        """The actions and when each is worth its cost."""
        return self.root / "serving" / "playbook.toml"

    @property
    def trust(self) -> Path:
        """Public keys whose bundles may be served."""
        return self.root / "serving" / "trust"

    @property
    def signing_key(self) -> Path:
        """The private signing key that ``init`` made; never committed."""
        return self.root / ".secrets" / "signing_key.pem"

    @property
    def holdout_key(self) -> Path:
        """The key that draws the held-out group; never committed."""
        return self.root / ".secrets" / "holdout_key"

    @property
    def service_key(self) -> Path:
        """The key from which the service derives others; never committed."""
        return self.root / ".secrets" / "service_key"

    @property
    def data(self) -> Path:
        """The embedded store and the Parquet history."""
        return self.root / "data"

    @property
    def population(self) -> Path:
        """What was fitted over all customers, by grid point: derived, and fitted again if lost."""
        return self.data / "population.parquet"

    @property
    def tuning(self) -> Path:
        """Studies of ``train --trials``: derived, and begun anew if lost."""
        return self.data / "tuning.journal"

    @property
    def nights(self) -> Path:
        """What an unfinished night's work has scored so far; gone once it is done."""
        return self.data / "nights"

    @property
    def tombstones(self) -> Path:
        """Keyed digests of erased people, beside the store: a restored copy must know them too."""
        return self.data / "tombstones.json"

    @property
    def bundles(self) -> Path:
        """Promoted bundles, one folder a SHA-256."""
        return self.root / "bundles"

    @property
    def mlruns(self) -> Path:
        """MLflow's local store."""
        return self.root / "mlruns"

    def resolve_store(self, address: str) -> str:
        """Return the store's address with a relative SQLite path resolved against the project.

        Examples
        --------
        >>> Layout(Path("/shop")).resolve_store("sqlite:///data/churnguard.db")
        'sqlite:////shop/data/churnguard.db'
        >>> Layout(Path("/shop")).resolve_store("postgresql://db/shop")
        'postgresql://db/shop'
        """
        prefix = "sqlite:///"
        if not address.startswith(prefix):
            return address
        return f"{prefix}{(self.root / address.removeprefix(prefix)).resolve()}"
