"""The catalogue: which signals a project uses, in the order of their columns.

A catalogue is frozen. As JSON it names each signal with version and digest, so that a bundle can be
refused, by name, where the code would compute something else.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from churnguard.errors import BundleMismatch, CatalogueError
from churnguard.features import families as families_room
from churnguard.features.questions import Questions
from churnguard.features.signal import Definition, Signal, definitions_of, refuse_bad_name
from churnguard.features.units import Language, Unit

WINDOWS = (30, 90, 180, 365)
"""Windows in days, where a project does not choose its own."""


@dataclass(frozen=True)
class Catalogue:
    """The signals of a project; make one with :meth:`of`.

    Attributes
    ----------
    signals : tuple of Signal
        In the order of the columns; names are unique.

    Examples
    --------
    >>> catalogue = Catalogue.of(["orders"], windows=(30, 90))
    >>> "orders_90d" in catalogue.names, "orders_365d" in catalogue.names
    (True, False)
    """

    signals: tuple[Signal, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for found in self.signals:
            refuse_bad_name(found.name)
            if found.name in seen:
                raise CatalogueError(
                    f"Two signals are named '{found.name}'.",
                    hint="Rename one of them; a catalogue's columns have different names.",
                )
            seen.add(found.name)

    @classmethod
    def of(
        cls,
        families: Sequence[str] | None = None,
        *,
        windows: Sequence[int] = WINDOWS,
        own: Iterable[Definition | Signal] = (),
    ) -> Catalogue:
        """Make a catalogue.

        Parameters
        ----------
        families : sequence of str, optional
            Families to take, in this order; all by default.
        windows : sequence of int
            Days to look back, for signals that leave the choice to the project.
        own : iterable of Definition or Signal
            The shop's own signals.

        Raises
        ------
        CatalogueError
            If there is no such family, or two signals have one name.
        """
        known = known_families()
        unknown = [name for name in families or () if name not in known]
        if unknown:
            raise CatalogueError(
                f"There is no family of signals '{unknown[0]}'.",
                hint=f"Families are {', '.join(known)}.",
            )
        chosen = [d for name in families or known for d in known[name]]
        days = tuple(windows)
        signals = [s for definition in chosen for s in definition.signals(days)]
        for extra in own:
            signals.extend(extra.signals(days) if isinstance(extra, Definition) else [extra])
        return cls(tuple(signals))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns, in order."""
        return tuple(found.name for found in self.signals)

    @cached_property
    def _by_name(self) -> Mapping[str, Signal]:
        return {found.name: found for found in self.signals}

    @cached_property
    def units(self) -> Mapping[str, Unit]:
        """Return the unit of each signal."""
        return {found.name: found.unit for found in self.signals}

    @cached_property
    def questions(self) -> Questions:
        """Return everything its signals ask of one customer."""
        return Questions.of(self.signals)

    def __len__(self) -> int:
        return len(self.signals)

    def __getitem__(self, name: str) -> Signal:
        try:
            return self._by_name[name]
        except KeyError:
            raise CatalogueError(f"The catalogue has no signal '{name}'.") from None

    def subset(self, names: Iterable[str]) -> Catalogue:
        """Return the catalogue of some signals, in the order given.

        Raises
        ------
        CatalogueError
            If a name is not in the catalogue.
        """
        return Catalogue(tuple(self[name] for name in names))

    def available(self, event_counts: Mapping[str, int]) -> tuple[Catalogue, dict[str, str]]:
        """Return the signals that a shop's events can carry, and why others are left out.

        Parameters
        ----------
        event_counts : mapping of str to int
            Number of events by kind.

        Returns
        -------
        catalogue : Catalogue
            The signals all of whose events occur.
        left_out : dict of str to str
            One sentence for each family that lost signals.

        Examples
        --------
        >>> smaller, left_out = Catalogue.of(["orders", "carts"]).available({"order_completed": 9})
        >>> left_out["carts"]
        "All signals of 'carts' are left out: the shop has no 'product_added' events."
        """
        kept, left = [], dict[str, dict[str, None]]()
        total, lost = dict[str, int](), dict[str, int]()
        for found in self.signals:
            total[found.family] = total.get(found.family, 0) + 1
            absent = [event for event in found.needs if not event_counts.get(event)]
            if absent:
                lost[found.family] = lost.get(found.family, 0) + 1
                left.setdefault(found.family, {}).update(dict.fromkeys(absent))
            else:
                kept.append(found)
        reasons = {
            family: f"{_share(lost[family], total[family])} of '{family}' are left out: "
            f"the shop has no {' and no '.join(repr(event) for event in events)} events."
            for family, events in left.items()
        }
        return Catalogue(tuple(kept)), reasons

    def tell(
        self, name: str, values: Mapping[str, float], language: Language, *, currency: str = "USD"
    ) -> str:
        """Return a signal's sentence with a customer's numbers; see :meth:`Signal.tell`.

        Examples
        --------
        >>> catalogue = Catalogue.of(["orders"])
        >>> catalogue.tell("orders_90d", {"orders_90d": 2.0}, "en")
        '2 orders in the last 90 days'
        """
        return self[name].tell(values, language, currency=currency, units=self.units)

    def usual(self, name: str, values: Mapping[str, float]) -> float | None:
        """Return what is usual for the customer: another signal, or what the unit means by it."""
        found = self[name]
        if found.usual is None:
            return found.unit.usual
        number = values.get(found.usual)
        return None if number is None or number != number else number  # noqa: PLR0124 - NaN

    def to_json(self) -> str:
        """Return the signals' names, versions and digests as JSON."""
        entries = [
            {
                "name": found.name,
                "version": found.version,
                "digest": found.digest,
                "family": found.family,
                "source": found.source,
                "days": found.days,
            }
            for found in self.signals
        ]
        return json.dumps({"format": 1, "signals": entries}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Catalogue:
        """Return the catalogue that JSON names, from the signals of this installation.

        Signals of families are found; a project's own ones must have been imported before.

        Raises
        ------
        BundleMismatch
            If a signal is unknown here, or would compute something else than where it was used.
        """
        known_families()
        return cls(tuple(_known(entry) for entry in json.loads(text)["signals"]))


def known_families() -> dict[str, tuple[Definition, ...]]:
    """Return every family of this installation with its definitions, found by its file.

    Examples
    --------
    >>> "orders" in known_families()
    True
    """
    found = {}
    for module in sorted(pkgutil.iter_modules(families_room.__path__), key=lambda m: m.name):
        members = vars(importlib.import_module(f"{families_room.__name__}.{module.name}"))
        own = (m for m in members.values() if isinstance(m, Definition))
        found[module.name] = tuple(m for m in own if m.pattern.family == module.name)
    return found


def _known(entry: Mapping[str, Any]) -> Signal:
    """Return the signal that an entry names, or refuse."""
    candidates = [d.at(entry["days"]) for d in definitions_of(entry["source"])]
    for candidate in candidates:
        if (candidate.name, candidate.digest) == (entry["name"], entry["digest"]):
            return candidate
    if not candidates:
        raise BundleMismatch(
            f"The bundle uses the signal '{entry['name']}', which is not known here.",
            hint="If it is the shop's own, its file must stand in the project's features/.",
            fault="other_signals",
        )
    raise BundleMismatch(
        f"The bundle uses version {entry['version']} of the signal '{entry['name']}', "
        f"and here it is version {candidates[-1].version} with other code.",
        hint="Install the ChurnGuard that made the bundle, or train and promote a new one.",
        fault="other_signals",
    )


def _share(lost: int, total: int) -> str:
    return "All signals" if lost == total else f"{lost} of {total} signals"
