"""What the advisor found: a table of choices, and a recommendation in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from churnguard.clock import iso

_HEAD = (
    "silent for",
    "times lost",
    "came back",
    "90 % interval",
    "within",
    "label age",
    "lost now",
    "lost a month",
    "covers",
)


@dataclass(frozen=True)
class Choice:
    """One definition of "lost", measured.

    Attributes
    ----------
    code, text : str
        The rule, for programs and for people.
    window_days : int or None
        The one window of all; None where each customer has an own threshold.
    times_lost, customers_lost : int
        How often a silence grew that long, and of how many customers.
    returned, returned_low, returned_high : float or None
        Share of those who came back, with its 90 % interval, by Kaplan-Meier; None if unknown.
    returned_within_days : int or None
        Within so many days of having been called lost.
    enough : bool
        The whole follow-up could be watched, on enough silences.
    label_age_days, usual_days : float or None
        After so many days nine of ten, or half, of the customers' outcomes are known: the age of
        the newest usable label.
    covers : float
        Share of customers for whom the rule says something.
    lost_now : int
        Customers who are lost by it today.
    newly_lost_a_month : float or None
        How many become lost in 30 days, over the last year.
    newest_label : datetime or None
        The newest cutoff with a known outcome.
    eligible, churned : int or None
        Customers with an order in the look-back then, and those without one in the window after.
    curve : tuple of (float, float)
        Days since called lost, and share that has come back.
    """

    code: str
    text: str
    window_days: int | None
    times_lost: int
    customers_lost: int
    returned: float | None
    returned_low: float | None
    returned_high: float | None
    returned_within_days: int | None
    enough: bool
    label_age_days: float | None
    usual_days: float | None
    covers: float
    lost_now: int
    newly_lost_a_month: float | None
    newest_label: datetime | None = None
    eligible: int | None = None
    churned: int | None = None
    curve: tuple[tuple[float, float], ...] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        values = {name: value for name, value in self.__dict__.items() if name != "curve"}
        return values | {
            "newest_label": iso(self.newest_label) if self.newest_label else None,
            "curve": [list(point) for point in self.curve],
        }


@dataclass(frozen=True)
class HorizonReport:
    """Every choice, and which one the shop's own history speaks for.

    Attributes
    ----------
    choices : tuple of Choice
        Windows first, from short to long, then thresholds by each customer's own rhythm.
    follow_up_days : int
        How long after having been called lost a return counts.
    accepted : float
        The share of those called lost that may come back.
    customers : int
        With an order.
    horizon_days : int or None
        What the project says now.
    data_from, data_through : datetime or None
        The oldest and the newest event.
    files : mapping of str to str
        What was written.
    """

    choices: tuple[Choice, ...]
    follow_up_days: int
    accepted: float
    customers: int
    horizon_days: int | None = None
    data_from: datetime | None = None
    data_through: datetime | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def recommended(self) -> Choice | None:
        """The shortest window after which few enough come back; None where that is not known."""
        return next((c for c in self._sure(windows=True) if self._few(c)), None)

    @property
    def quicker(self) -> Choice | None:
        """An own-rhythm threshold with as few returns that half of the customers reach earlier."""
        best = self.recommended
        found = [
            choice
            for choice in self._sure(windows=False)
            if self._few(choice)
            and (best is None or (choice.usual_days or 0) < (best.window_days or 0))
        ]
        return min(found, key=lambda choice: choice.usual_days or 0, default=None)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why this is recommended, or why nothing is, in sentences."""
        best, now = self.recommended, self._now()
        told = [self._verdict(best)]
        if now is not None and (best is None or now.window_days != best.window_days):
            told.append(f"The project says {now.text} now: {self._share(now)}.")
        if best is not None:
            told.append(_price(best))
        if self.quicker is not None:
            told.append(self._own_rhythm(self.quicker))
        return tuple(told)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        best = self.recommended
        return {
            "recommended_days": best.window_days if best else None,
            "recommended": best.code if best else None,
            "quicker": self.quicker.code if self.quicker else None,
            "reasons": list(self.reasons),
            "horizon_days": self.horizon_days,
            "follow_up_days": self.follow_up_days,
            "accepted": self.accepted,
            "customers": self.customers,
            "data_from": iso(self.data_from) if self.data_from else None,
            "data_through": iso(self.data_through) if self.data_through else None,
            "choices": [choice.to_dict() for choice in self.choices],
            "files": dict(self.files),
        }

    def to_text(self) -> str:
        """Return a page for a person."""
        rows = [_HEAD, *(_row(choice) for choice in self.choices)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        written = [f"wrote {file}" for file in self.files.values()]
        return "\n".join([*lines, "", *self.reasons, *written])

    def _sure(self, *, windows: bool) -> list[Choice]:
        return [c for c in self.choices if c.enough and (c.window_days is not None) is windows]

    def _few(self, choice: Choice) -> bool:
        return choice.returned is not None and choice.returned <= self.accepted

    def _now(self) -> Choice | None:
        return next((c for c in self.choices if c.window_days == self.horizon_days), None)

    def _share(self, choice: Choice) -> str:
        if choice.returned is None:
            return "too few silences grew that long to say how many came back"
        low, high = choice.returned_low or 0.0, choice.returned_high or 1.0
        return (
            f"of those it would have called lost, {choice.returned:.0%} ({low:.0%} to {high:.0%}) "
            f"came back within {choice.returned_within_days} days"
        )

    def _verdict(self, best: Choice | None) -> str:
        if best is not None:
            return f"Recommended: {best.text}; {self._share(best)}."
        sure = self._sure(windows=True)
        if not sure:
            return (
                f"No recommendation: to see who comes back, customers must be watched for "
                f"{self.follow_up_days} days after a silence, and too few could be. Ingest older "
                f"orders, or say a shorter --follow-up."
            )
        return (
            f"No recommendation: after no silence that could be watched for {self.follow_up_days} "
            f"days did {self.accepted:.0%} or fewer come back; of those silent for {sure[-1].text} "
            f"it was {sure[-1].returned:.0%}.{self._hope()} People return late here: keep the "
            f"horizon that fits the campaigns, and read the risk as 'no order in that time', not "
            f"as 'gone'."
        )

    def _hope(self) -> str:
        """Tell of a longer window that looks right and was not watched for long enough."""
        for choice in self.choices:
            days = choice.returned_within_days or 0
            if choice.window_days and self._few(choice) and days < self.follow_up_days:
                return (
                    f" After {choice.text} it may be so, but those could be watched for {days} "
                    "days only."
                )
        return ""

    def _own_rhythm(self, quicker: Choice) -> str:
        return (
            f"By each customer's own rhythm ({quicker.text}), {self._share(quicker)}, and half of "
            f"the customers are told after {quicker.usual_days:.0f} days; it covers "
            f"{quicker.covers:.0%} of the customers."
        )


def _price(best: Choice) -> str:
    return (
        f"Its price: the newest usable label is {best.label_age_days:.0f} days old; "
        f"{best.newly_lost_a_month or 0:.0f} customers become lost in a month, "
        f"{best.lost_now} are lost now."
    )


def _row(choice: Choice) -> tuple[str, ...]:
    shown = choice.returned is not None
    return (
        choice.text,
        f"{choice.times_lost}",
        f"{choice.returned:.0%}" if shown else "-",
        f"{choice.returned_low:.0%} to {choice.returned_high:.0%}" if shown else "-",
        f"{choice.returned_within_days} d" if shown else "-",
        f"{choice.label_age_days:.0f} d" if choice.label_age_days is not None else "-",
        f"{choice.lost_now}",
        f"{choice.newly_lost_a_month:.0f}" if choice.newly_lost_a_month is not None else "-",
        f"{choice.covers:.0%}",
    )
