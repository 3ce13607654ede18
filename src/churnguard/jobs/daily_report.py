"""The night's work as it is told: its steps, its name, and what it did."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from churnguard.clock import iso
from churnguard.jobs.job_book import Answer
from churnguard.jobs.ports import Job

KIND = "daily"
STEPS = {
    "begin": "choose the model that speaks",
    "export": "bring the Parquet history up to date",
    "score": "score everybody, part by part",
    "explain": "give reasons to the most worthwhile, part by part",
    "store": "store the batch and its decisions",
    "write": "write the file under another name",
    "publish": "give the file its name",
    "audit": "note the file in the audit log",
    "watch": "compare with yesterday's standings, part by part",
    "drift": "look whether signals, scores or the number of events drifted",
    "tidy": "forget what is too old",
}
"""The steps of a night, in order."""


@dataclass(frozen=True)
class DailyReport:
    """What a night's work did, or would do.

    Attributes
    ----------
    job : Job or None
        The job; None where it has not been begun (``--dry-run``).
    as_of : datetime
        The cutoff.
    steps : mapping
        What each finished step answered.
    already : bool
        It was done before this call.
    """

    job: Job | None
    as_of: datetime
    steps: Mapping[str, Answer]
    already: bool

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "job_id": self.job.job_id if self.job else None,
            "as_of": iso(self.as_of),
            "state": self.job.state if self.job else "not begun",
            "attempts": self.job.attempts if self.job else 0,
            "already": self.already,
            "answer": dict(self.job.answer or {}) if self.job else {},
            "steps": {step: dict(answer) for step, answer in self.steps.items()},
        }

    def to_text(self) -> str:
        """Return a few lines for a person."""
        state = self.job.state if self.job else "not begun"
        lines = [f"as of {iso(self.as_of)}: {state}" + (", some time ago" * self.already)]
        answer = (self.job.answer if self.job else None) or {}
        lines += [f"  {name}: {value}" for name, value in answer.items()]
        if state != "done":
            kinds = Counter(step.partition(":")[0] for step in self.steps)
            rows = [
                (kind, told, f"{kinds[kind]} done" if kinds[kind] else "to do")
                for kind, told in STEPS.items()
            ]
            lines += [f"  {kind:<8}  {state:<8}  {told}" for kind, told, state in rows]
        return "\n".join(lines)


def job_name(as_of: datetime, out: Path | None) -> str:
    """Return the name of a night's job: the same work is one job.

    Examples
    --------
    >>> from churnguard.testing import NOON
    >>> job_name(NOON, None) == job_name(NOON, None) != job_name(NOON, Path("scores.csv"))
    True
    """
    file = "" if out is None else str(out.absolute())
    digest = hashlib.blake2b(f"{iso(as_of)}\n{file}".encode(), digest_size=6).hexdigest()
    return f"{KIND}-{as_of:%Y%m%d}-{digest}"
