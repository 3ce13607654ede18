"""Eligibility rules over signals: a language small enough to read aloud and safe to load.

A rule is text such as ``carts_abandoned_30d >= 1``; rules combine with ``all`` and ``any``. Nothing
is evaluated as code. An answer is yes, no or not known, and only a plain yes makes a customer
eligible; as there is no negation, a rule over many customers need not tell no from not known, and
the words for one customer do.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from churnguard.errors import PlaybookError

_MAX_DEPTH = 8
_NAME = r"[a-z][a-z0-9_]*"
_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_COMPARISON = re.compile(
    rf"(?P<signal>{_NAME})\s*(?P<sign><=|>=|==|!=|<|>)\s*"
    rf"(?:(?P<number>{_NUMBER})(?:\s*\*\s*(?P<scaled>{_NAME}))?|(?P<other>{_NAME}))"
)
_PRESENCE = re.compile(rf"(?P<signal>{_NAME})\s+is\s+(?P<state>known|missing)")


def _differs(left: Any, right: Any) -> Any:
    """Tell whether two known numbers differ; unlike ``!=``, not for NaN."""
    return (left < right) | (left > right)


_SIGNS: Mapping[str, tuple[Callable[[Any, Any], Any], str]] = {
    "<": (operator.lt, "below"),
    "<=": (operator.le, "at most"),
    "==": (operator.eq, "exactly"),
    "!=": (_differs, "other than"),
    ">=": (operator.ge, "at least"),
    ">": (operator.gt, "above"),
}
"""How each sign is decided (for NaN it never holds) and how it is said."""


Signals = Callable[[str], float | None]
"""One customer's signals by name: NaN is missing, None what the catalogue does not have."""


@dataclass(frozen=True)
class SignalTable:
    """Signals by name: what a rule may look at.

    Attributes
    ----------
    values : ndarray of float64, shape (n, p)
        One row a customer; NaN is missing.
    columns : mapping of str to int
        Where each signal stands.

    Examples
    --------
    >>> table = SignalTable.of(np.array([[3.0, 40.0]]), ("orders_total", "days_since_order"))
    >>> table.column("orders_total").tolist(), table.column("tickets_open")
    ([3.0], None)
    """

    values: NDArray[np.float64]
    columns: Mapping[str, int]

    @classmethod
    def of(cls, values: NDArray[np.float64], names: Sequence[str]) -> SignalTable:
        """Return a table of a matrix and the names of its columns."""
        return cls(values, {name: position for position, name in enumerate(names)})

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def column(self, name: str) -> NDArray[np.float64] | None:
        """Return a signal of all customers, or None when the catalogue does not have it."""
        position = self.columns.get(name)
        return None if position is None else self.values[:, position]

    def row(self, place: int) -> dict[str, float]:
        """Return one customer's signals by name."""
        return dict(zip(self.columns, self.values[place].tolist(), strict=True))

    def signals_of(self, place: int) -> Signals:
        """Return how one customer's signals are looked up."""
        values, columns = self.values[place].tolist(), self.columns

        def signal(name: str) -> float | None:
            position = columns.get(name)
            return None if position is None else values[position]

        return signal

    def rows(self, chosen: NDArray[Any]) -> SignalTable:
        """Return the table of some rows (a mask or positions)."""
        return SignalTable(self.values[chosen], self.columns)


class Rule(Protocol):
    """What every rule can do."""

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals that the rule looks at."""

    def holds(self, table: SignalTable) -> NDArray[np.bool_]:
        """Tell for whom the rule holds; for whom it is not known, it does not."""

    def holds_for(self, signal: Signals) -> bool:
        """Tell whether the rule holds for one customer: as :meth:`holds`, without arrays."""

    def why_not(self, values: Mapping[str, float]) -> str:
        """Say in words why the rule does not hold for one customer; empty when it does.

        ``values`` are the customer's signals by name: NaN where one is not known for the customer,
        left out where the shop's data do not carry it.
        """

    def to_toml(self) -> Any:
        """Return the rule as it would stand in a playbook."""


@dataclass(frozen=True)
class Comparison:
    """One signal against a number, another signal, or a multiple of another signal.

    Attributes
    ----------
    signal, sign : str
        The left side, and one of ``< <= == != >= >``.
    number : float
        The right side, or the multiple of ``other``.
    other : str or None
        The signal on the right side.
    """

    signal: str
    sign: str
    number: float
    other: str | None = None

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals that the rule looks at."""
        return frozenset({self.signal} if self.other is None else {self.signal, self.other})

    def holds(self, table: SignalTable) -> NDArray[np.bool_]:
        """Tell for whom the rule holds."""
        left, right = table.column(self.signal), self._right(table.column)
        if left is None or right is None:
            return np.zeros(len(table), dtype=bool)
        found: NDArray[np.bool_] = self._decide(left, right)
        return found

    def holds_for(self, signal: Signals) -> bool:
        """Tell whether the rule holds for one customer."""
        left, right = signal(self.signal), self._right(signal)
        if left is None or right is None:
            return False
        return bool(self._decide(left, right))

    def why_not(self, values: Mapping[str, float]) -> str:
        """Say in words why the rule does not hold for one customer."""
        left, right = values.get(self.signal), self._right(values.get)
        if left is not None and right is not None and self._decide(left, right):
            return ""
        for name in (self.signal, self.other):
            if name is not None and (unknown := _why_unknown(name, values)):
                return unknown
        assert left is not None  # known, as the other side is
        return f"{self.signal} is {_number(left)}, but must be {self._wanted}"

    def to_toml(self) -> str:
        """Return the rule as it would stand in a playbook."""
        return str(self)

    def __str__(self) -> str:
        right = repr(self.number).removesuffix(".0")
        if self.other is not None:
            right = self.other if self.number == 1 else f"{right} * {self.other}"
        return f"{self.signal} {self.sign} {right}"

    def _right(self, signal: Callable[[str], Any]) -> Any:
        if self.other is None:
            return self.number
        other = signal(self.other)
        return None if other is None else self.number * other

    @cached_property
    def _decide(self) -> Callable[[Any, Any], Any]:
        return _SIGNS[self.sign][0]

    @cached_property
    def _wanted(self) -> str:
        words = _SIGNS[self.sign][1]
        if self.other is None:
            return f"{words} {_number(self.number)}"
        times = "" if self.number == 1 else f"{_number(self.number)} times "
        return f"{words} {times}{self.other}"


@dataclass(frozen=True)
class Presence:
    """Whether a signal is known at all; the one rule that an unknown signal can answer."""

    signal: str
    missing: bool

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals that the rule looks at."""
        return frozenset({self.signal})

    def holds(self, table: SignalTable) -> NDArray[np.bool_]:
        """Tell for whom the rule holds."""
        column = table.column(self.signal)
        missing = np.ones(len(table), dtype=bool) if column is None else np.isnan(column)
        return missing if self.missing else ~missing

    def holds_for(self, signal: Signals) -> bool:
        """Tell whether the rule holds for one customer."""
        value = signal(self.signal)
        return (value is None or math.isnan(value)) is self.missing

    def why_not(self, values: Mapping[str, float]) -> str:
        """Say in words why the rule does not hold for one customer."""
        unknown = _why_unknown(self.signal, values)
        if self.missing:
            return "" if unknown else f"{self.signal} is known, but must be missing"
        return unknown

    def to_toml(self) -> str:
        """Return the rule as it would stand in a playbook."""
        return str(self)

    def __str__(self) -> str:
        return f"{self.signal} is {'missing' if self.missing else 'known'}"


@dataclass(frozen=True)
class AllOf:
    """Every part holds; no parts at all hold for everybody."""

    parts: tuple[Rule, ...]

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals that the rule looks at."""
        return frozenset().union(*(part.signals for part in self.parts))

    def holds(self, table: SignalTable) -> NDArray[np.bool_]:
        """Tell for whom the rule holds."""
        found = np.ones(len(table), dtype=bool)
        for part in self.parts:
            found &= part.holds(table)
            if not found.any():  # one customer is soon decided
                break
        return found

    def holds_for(self, signal: Signals) -> bool:
        """Tell whether the rule holds for one customer."""
        return all(part.holds_for(signal) for part in self.parts)

    def why_not(self, values: Mapping[str, float]) -> str:
        """Say in words why the rule does not hold for one customer."""
        return "; ".join(why for part in self.parts if (why := part.why_not(values)))

    def to_toml(self) -> Any:
        """Return the rule as it would stand in a playbook."""
        return {"all": [part.to_toml() for part in self.parts]}


@dataclass(frozen=True)
class AnyOf:
    """At least one part holds; no parts at all hold for nobody."""

    parts: tuple[Rule, ...]

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals that the rule looks at."""
        return frozenset().union(*(part.signals for part in self.parts))

    def holds(self, table: SignalTable) -> NDArray[np.bool_]:
        """Tell for whom the rule holds."""
        if not self.parts:
            return np.zeros(len(table), dtype=bool)
        return reduce(operator.or_, (part.holds(table) for part in self.parts))

    def holds_for(self, signal: Signals) -> bool:
        """Tell whether the rule holds for one customer."""
        return any(part.holds_for(signal) for part in self.parts)

    def why_not(self, values: Mapping[str, float]) -> str:
        """Say in words why the rule does not hold for one customer."""
        whys = [part.why_not(values) for part in self.parts]
        if "" in whys:
            return ""
        return whys[0] if len(whys) == 1 else f"none of these holds: {' / '.join(whys)}"

    def to_toml(self) -> Any:
        """Return the rule as it would stand in a playbook."""
        return {"any": [part.to_toml() for part in self.parts]}


def parse_rule(written: Any) -> Rule:
    r"""Read a rule as it stands in TOML.

    Parameters
    ----------
    written : str, list or table
        Text is one comparison (``signal sign number``, ``signal sign signal``,
        ``signal sign number * signal``) or ``signal is known`` / ``signal is missing``; a list
        means all of them; ``{ all = [...] }`` and ``{ any = [...] }`` may be nested.

    Returns
    -------
    Rule

    Raises
    ------
    PlaybookError
        If it cannot be read as a rule.

    Examples
    --------
    >>> rule = parse_rule(["carts_abandoned_30d >= 1", "days_since_cart < 7"])
    >>> table = SignalTable.of(np.array([[2.0, 1.5], [0.0, 9.0]]), tuple(sorted(rule.signals)))
    >>> rule.holds(table).tolist()
    [True, False]
    >>> print(rule.why_not(table.row(1)).replace("; ", "\n"))
    carts_abandoned_30d is 0, but must be at least 1
    days_since_cart is 9, but must be below 7
    >>> str(parse_rule("spend_90d>=0.4*spend_365d"))
    'spend_90d >= 0.4 * spend_365d'
    """
    return _parse(written, depth=0)


def _parse(written: Any, *, depth: int) -> Rule:
    if depth > _MAX_DEPTH:
        raise PlaybookError(f"A rule is nested deeper than {_MAX_DEPTH}.", hint="Write it flatter.")
    if isinstance(written, str):
        return _parse_text(written)
    if isinstance(written, list):
        return AllOf(tuple(_parse(part, depth=depth + 1) for part in written))
    if isinstance(written, dict) and len(written) == 1:
        kind, parts = next(iter(written.items()))
        if kind in {"all", "any"} and isinstance(parts, list):
            rules = tuple(_parse(part, depth=depth + 1) for part in parts)
            return AllOf(rules) if kind == "all" else AnyOf(rules)
    raise PlaybookError(
        f"{written!r} is not a rule.",
        hint='Write "orders_90d >= 2", a list of such texts, { all = [...] } or { any = [...] }.',
    )


def _parse_text(text: str) -> Rule:
    stripped = text.strip()
    if found := _COMPARISON.fullmatch(stripped):
        number = float(found["number"]) if found["number"] else 1.0
        if not math.isfinite(number):
            raise PlaybookError(f"The number in the rule '{text}' is too large.")
        return Comparison(found["signal"], found["sign"], number, found["scaled"] or found["other"])
    if found := _PRESENCE.fullmatch(stripped):
        return Presence(found["signal"], found["state"] == "missing")
    raise PlaybookError(
        f"The rule '{text}' cannot be read.",
        hint="Write a signal, one of < <= == != >= >, and a number or signal: days_since_cart < 7.",
    )


def _why_unknown(name: str, values: Mapping[str, float]) -> str:
    """Tell which kind of missing a signal is; empty when it is known."""
    value = values.get(name)
    if value is None:
        return f"the shop's data do not carry {name}"
    if value != value:  # noqa: PLR0124 - NaN
        return f"{name} is not known for this customer"
    return ""


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
