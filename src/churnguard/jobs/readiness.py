"""What a check of readiness found, as JSON, as text and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from churnguard.clock import iso
from churnguard.jobs.leakage_report import in_words
from churnguard.jobs.stages import Stage
from churnguard.labels import ORDER_GAP, label_named

_CARRIES = "What the shop's size can carry:"


@dataclass(frozen=True)
class CutoffCount:
    """Rows of one possible cutoff whose outcome is known, and how many of them left."""

    cutoff: str
    rows: int
    churned: int


@dataclass(frozen=True)
class Wanting:
    """Something that training lacks: a sentence, what to do, and whether it hinders training."""

    what: str
    hint: str
    hinders: bool = True


@dataclass(frozen=True)
class Readiness:
    """What a shop's data can carry today.

    Attributes
    ----------
    events : mapping of str to int
        Events by name.
    customers, buyers, repeat_buyers, eligible_now : int
        Customers with any event, with an order, with two or more, and whom the label asks about.
    not_profiled : int
        Customers of the book who objected or are restricted, and staff and tests: their events
        are not among those counted here.
    data_from, data_through : datetime or None
        The oldest and the newest event.
    assumed_share : float
        Share of events whose second clock was assumed.
    families : mapping of str to int
        Families of signals that the events carry, with how many signals.
    left_out : mapping of str to str
        Why others are left out, or some of their signals.
    quarantined : mapping of str to int
        Rows set aside, by reason.
    cutoffs : tuple of CutoffCount
        What training would learn from, oldest first.
    wanting : tuple of Wanting
        What is missing.
    enough_from : datetime or None
        From when the history is long enough, if events keep coming.
    label : str
        What churn is here; see :func:`churnguard.labels.label_named`.
    horizon_days, look_back_days : int
        How far ahead it looks, and how recent makes eligible.
    stages : tuple of Stage
        What the shop's size can carry, the least demanding first.
    """

    events: Mapping[str, int] = field(default_factory=dict)
    customers: int = 0
    buyers: int = 0
    repeat_buyers: int = 0
    eligible_now: int = 0
    not_profiled: int = 0
    data_from: datetime | None = None
    data_through: datetime | None = None
    assumed_share: float = 0.0
    families: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    cutoffs: tuple[CutoffCount, ...] = ()
    wanting: tuple[Wanting, ...] = ()
    enough_from: datetime | None = None
    label: str = ORDER_GAP
    horizon_days: int = 90
    look_back_days: int = 365
    stages: tuple[Stage, ...] = ()

    @property
    def ready(self) -> bool:
        """Training would find what it needs."""
        return not any(lack.hinders for lack in self.wanting)

    @property
    def passed(self) -> bool:
        """The same, by the name that every verdict has."""
        return self.ready

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            **self.__dict__,
            "ready": self.ready,
            "data_from": self.data_from and iso(self.data_from),
            "data_through": self.data_through and iso(self.data_through),
            "enough_from": self.enough_from and iso(self.enough_from),
            "cutoffs": [vars(count) for count in self.cutoffs],
            "wanting": [vars(lack) for lack in self.wanting],
            "stages": [stage.to_dict() for stage in self.stages],
        }

    def to_text(self) -> str:
        """Return the answer for a person at a terminal."""
        lines = [self._verdict, "", *self._facts()]
        if self.stages:
            lines += ["", _CARRIES, *(stage.to_text() for stage in self.stages)]
        if self.cutoffs:
            lines += ["", "cutoff        rows   left"]
            lines += [f"{c.cutoff[:10]}  {c.rows:>6,}  {c.churned:>5,}" for c in self.cutoffs]
        return "\n".join([*lines, *self._lists()])

    def to_markdown(self) -> str:
        """Return the answer as a page."""
        lines = ["# Readiness", "", f"**{self._verdict}**", ""]
        lines += [f"- {fact}" for fact in self._facts()]
        if self.stages:
            lines += ["", _CARRIES, "", *(f"- {stage.to_text()}" for stage in self.stages)]
        if self.cutoffs:
            lines += ["", "| cutoff | rows | left |", "|---|--:|--:|"]
            lines += [f"| {c.cutoff[:10]} | {c.rows:,} | {c.churned:,} |" for c in self.cutoffs]
        return "\n".join([*lines, *self._lists(), ""])

    @property
    def _verdict(self) -> str:
        if self.ready:
            return "READY: 'churnguard train' would find what it needs."
        when = ""
        if self.enough_from:
            day = iso(self.enough_from)[:10]
            when = f" The history will be long enough from {day}, if events keep coming."
        return f"NOT READY to train.{when}"

    def _facts(self) -> list[str]:
        if self.data_from is None or self.data_through is None:
            return ["no events"]
        days = (self.data_through - self.data_from).days
        return [
            f"{sum(self.events.values()):,} events of {self.customers:,} customers from "
            f"{iso(self.data_from)[:10]} through {iso(self.data_through)[:10]} ({days:,} days)",
            "events: " + ", ".join(f"{name} {count:,}" for name, count in self.events.items()),
            f"{self.buyers:,} customers ordered, {self.repeat_buyers:,} of them twice or more",
            f"{self.eligible_now:,} eligible now: {self._who}",
            *([self._apart()] if self.not_profiled else []),
            f"{in_words(self.assumed_share)} of events with an assumed clock",
            "signals: " + (", ".join(f"{name} {n}" for name, n in self.families.items()) or "none"),
        ]

    @property
    def _who(self) -> str:
        return label_named(self.label).who.format(days=self.look_back_days)

    def _apart(self) -> str:
        who = "1 customer is" if self.not_profiled == 1 else f"{self.not_profiled:,} customers are"
        return f"{who} not looked at: they objected, are restricted, or are staff or tests"

    def _lists(self) -> list[str]:
        lines: list[str] = []
        if self.left_out:
            lines += ["", "Left out:", *(f"- {why}" for why in self.left_out.values())]
        if self.quarantined:
            rows = ", ".join(f"{why} {count:,}" for why, count in self.quarantined.items())
            lines += ["", f"In quarantine: {rows}"]
        if self.wanting:
            lines += ["", "Missing:", *(f"- {lack.what} {lack.hint}" for lack in self.wanting)]
        return lines
