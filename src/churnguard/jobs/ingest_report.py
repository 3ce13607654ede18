"""What an ingest tells: what became of every row, by file and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FileReport:
    """What became of one file's rows, and how its times were read.

    Attributes
    ----------
    file : str
        The file's name.
    rows, accepted, duplicates, conflicts, quarantined : int
        The last four add up to the first.
    reasons : mapping of str to int
        Quarantined rows by reason.
    events : mapping of str to int
        Events newly stored, by name; orders made of lines stand here and in no other count.
    ambiguous_times, moved_times : int
        Times that occur twice (the first was taken) and that never were (moved forward).
    ignored_columns : tuple of str
        Columns that the mapping has no use for.
    """

    file: str
    rows: int
    accepted: int
    duplicates: int
    conflicts: int
    quarantined: int
    reasons: MappingOf[str, int] = field(default_factory=dict)
    events: MappingOf[str, int] = field(default_factory=dict)
    ambiguous_times: int = 0
    moved_times: int = 0
    ignored_columns: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return {
            "file": self.file,
            **{name: getattr(self, name) for name in _COUNTS},
            "reasons": dict(self.reasons),
            "events": dict(self.events),
            "ambiguous_times": self.ambiguous_times,
            "moved_times": self.moved_times,
            "ignored_columns": list(self.ignored_columns),
        }


_COUNTS = ("rows", "accepted", "duplicates", "conflicts", "quarantined")


@dataclass(frozen=True)
class IngestReport:
    """What became of all files' rows: the totals, and each file.

    Examples
    --------
    >>> one = FileReport("a.csv", 3, 1, 1, 0, 1, reasons={"bad_time": 1})
    >>> report = IngestReport((one, one))
    >>> report.rows, report.accepted, report.reasons
    (6, 2, {'bad_time': 2})
    """

    files: tuple[FileReport, ...]

    @property
    def rows(self) -> int:
        """Rows read."""
        return sum(file.rows for file in self.files)

    @property
    def accepted(self) -> int:
        """Rows stored as something new."""
        return sum(file.accepted for file in self.files)

    @property
    def duplicates(self) -> int:
        """Rows that were known already."""
        return sum(file.duplicates for file in self.files)

    @property
    def conflicts(self) -> int:
        """Rows whose id was known with another content."""
        return sum(file.conflicts for file in self.files)

    @property
    def quarantined(self) -> int:
        """Rows that could not be accepted."""
        return sum(file.quarantined for file in self.files)

    @property
    def reasons(self) -> MappingOf[str, int]:
        """Quarantined rows by reason."""
        return _added(file.reasons for file in self.files)

    @property
    def events(self) -> MappingOf[str, int]:
        """Events newly stored, by name."""
        return _added(file.events for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values, the totals at the top."""
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            "reasons": dict(self.reasons),
            "events": dict(self.events),
            "ambiguous_times": sum(file.ambiguous_times for file in self.files),
            "moved_times": sum(file.moved_times for file in self.files),
            "files": [file.to_dict() for file in self.files],
        }


def _added(counts: Any) -> MappingOf[str, int]:
    total: Counter[str] = Counter()
    for some in counts:
        total.update(some)
    return dict(sorted(total.items()))
