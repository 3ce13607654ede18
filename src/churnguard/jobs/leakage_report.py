"""What a leakage check found, as JSON, as text, and as a page that can be handed to an auditor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from churnguard.jobs.leakage_sample import Sample


@dataclass(frozen=True)
class Outcome:
    """One test of a leakage check.

    Attributes
    ----------
    name : str
        A short name.
    what : str
        What was done, as a sentence.
    rows, cells : int
        Rows and cells compared with those of the first build.
    events : int
        Events planted, doubled or read for it.
    different : int
        Cells, customers or fits that differ.
    example : str or None
        One of them, as a sentence.
    """

    name: str
    what: str
    rows: int
    cells: int
    events: int
    different: int
    example: str | None = None

    @property
    def passed(self) -> bool:
        """Nothing differs."""
        return self.different == 0

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**self.__dict__, "passed": self.passed}


@dataclass(frozen=True)
class LeakageReport:
    """The verdict, and all that it rests on.

    Attributes
    ----------
    shop, made_at, code : str
        Whose data, when (ISO 8601), and by which ChurnGuard.
    dataset, catalogue : str
        Digests of the events and of the signals with their versions.
    sample : Sample
        Which customers.
    cutoffs : tuple of dict
        Each cutoff with its rows and the population that they use.
    columns : int
        Signals.
    outcomes : tuple of Outcome
        One a test.
    unmoved : tuple of str
        Signals that the planted events would not have changed even if they had been seen.
    left_out : mapping of str to str
        Families that the shop's events cannot carry, with the reason.
    """

    shop: str
    made_at: str
    code: str
    dataset: str
    catalogue: str
    sample: Sample
    cutoffs: tuple[dict[str, Any], ...]
    columns: int
    outcomes: tuple[Outcome, ...]
    unmoved: tuple[str, ...]
    left_out: dict[str, str]

    @property
    def passed(self) -> bool:
        """Every test passed."""
        return all(outcome.passed for outcome in self.outcomes)

    @property
    def rows(self) -> int:
        """Rows of the first build."""
        return sum(cutoff["rows"] for cutoff in self.cutoffs)

    @property
    def limits(self) -> tuple[str, ...]:
        """What the verdict does not say, as sentences."""
        assumed = self.sample.assumed_share
        limits = [
            f"{in_words(assumed)} of the events have an assumed clock (received_at = occurred_at + "
            "known lag). For them it is proved that no row sees them earlier than that; whether "
            "the shop really knew them by then, its data cannot tell."
            if assumed
            else "All events have a true clock: received_at is when the shop was told.",
            "What was changed in the shop's own systems before it was brought in here (an order's "
            "value corrected afterwards, a customer's category overwritten) cannot be seen.",
        ]
        if self.sample.share < 1:
            limits.append(
                f"A sample was checked: {self.sample.customers:,} of "
                f"{self.sample.customers_in_all:,} customers, each with every event."
            )
        if self.unmoved:
            limits.append(
                "These signals do not change even if the planted events are seen, so for them only "
                f"the other tests say something: {', '.join(self.unmoved)}."
            )
        return tuple(limits)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "verdict": self._verdict,
            "passed": self.passed,
            "shop": self.shop,
            "made_at": self.made_at,
            "code": self.code,
            "dataset": self.dataset,
            "catalogue": self.catalogue,
            "sample": self.sample.to_dict(),
            "assumed_clock_share": self.sample.assumed_share,
            "cutoffs": list(self.cutoffs),
            "rows": self.rows,
            "columns": self.columns,
            "tests": [outcome.to_dict() for outcome in self.outcomes],
            "unmoved_signals": list(self.unmoved),
            "left_out": dict(self.left_out),
            "limits": list(self.limits),
        }

    def to_text(self) -> str:
        """Return the verdict for a person at a terminal."""
        lines = [self._verdict, "", *self._subject(), ""]
        for outcome in self.outcomes:
            lines.append(
                f"{'passed' if outcome.passed else 'FAILED'}  {outcome.name}: {outcome.what}"
            )
            if outcome.example:
                lines.append(f"        {outcome.different:,} differ, such as: {outcome.example}")
        return "\n".join([*lines, "", "What this does not say:", *(f"- {x}" for x in self.limits)])

    def to_markdown(self) -> str:
        """Return the verdict as a page."""
        lines = [f"# Leakage check: {self.shop}", "", f"**{self._verdict}**", ""]
        lines += [f"- {line}" for line in self._subject()]
        lines += [
            "",
            "| test | result | rows | cells | events | different |",
            "|---|---|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {o.name} | {'passed' if o.passed else '**failed**'} | {o.rows:,} | {o.cells:,} | "
            f"{o.events:,} | {o.different:,} |"
            for o in self.outcomes
        ]
        lines += ["", "## What was done", ""]
        for outcome in self.outcomes:
            lines.append(f"- **{outcome.name}**: {outcome.what}")
            if outcome.example:
                lines.append(f"  A difference: {outcome.example}")
        lines += ["", "## Cutoffs", "", "| cutoff | rows | population |", "|---|--:|---|"]
        lines += [
            f"| {c['cutoff']} | {c['rows']:,} | {c['population'] or '-'} |" for c in self.cutoffs
        ]
        lines += ["", "## What this does not say", "", *(f"- {limit}" for limit in self.limits), ""]
        return "\n".join(lines)

    @property
    def _verdict(self) -> str:
        failed = [outcome.name for outcome in self.outcomes if not outcome.passed]
        if not failed:
            return "PASSED: no row knew anything from after its cutoff."
        return f"FAILED: {', '.join(failed)}."

    def _subject(self) -> list[str]:
        sample = self.sample
        return [
            f"{self.rows:,} rows of {self.columns} signals at {len(self.cutoffs)} cutoffs: "
            + ", ".join(cutoff["cutoff"][:10] for cutoff in self.cutoffs),
            f"{sample.events.num_rows:,} events of {sample.customers:,} customers"
            + (f" (of {sample.customers_in_all:,})" if sample.share < 1 else "")
            + f"; {in_words(sample.assumed_share)} with an assumed clock",
            f"events {self.dataset}",
            f"signals {self.catalogue}",
            f"{self.code}, {self.made_at}",
        ]


def in_words(share: float) -> str:
    """Return a share in words that never round something to nothing or to all.

    Examples
    --------
    >>> in_words(0.0), in_words(0.0001), in_words(0.5), in_words(0.9999), in_words(1.0)
    ('0 %', 'less than 1 %', '50 %', 'more than 99 %', '100 %')
    """
    if 0 < share < 0.01:
        return "less than 1 %"
    if 0.99 < share < 1:
        return "more than 99 %"
    return f"{share:.0%}".replace("%", " %")
