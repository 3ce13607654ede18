"""What the watch said, kept as lines of JSON in the project: one line a key, the newest counts.

It is small (a line a look), holds no customer, and can be read without ChurnGuard.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Entry = Mapping[str, Any]

LOOKS = "watch.jsonl"
"""The file of the looks for drift, in the project's data folder."""


class WatchBook:
    """A file of entries, each under a key.

    Parameters
    ----------
    file : Path
        Need not exist yet.

    Examples
    --------
    >>> import tempfile
    >>> book = WatchBook(Path(tempfile.mkdtemp()) / "watch.jsonl")
    >>> book.put("2026-11-01", {"alarm": False})
    >>> book.put("2026-11-01", {"alarm": True})
    >>> book.entries()
    {'2026-11-01': {'alarm': True}}
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def entries(self) -> dict[str, dict[str, Any]]:
        """Return every entry by its key, oldest key first."""
        if not self._file.exists():
            return {}
        lines = self._file.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line]
        return {line["key"]: line["entry"] for line in found}

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry, in place of the one that the key had; the file appears whole."""
        entries = {**self.entries(), key: entry}
        lines = [json.dumps({"key": name, "entry": entries[name]}) for name in sorted(entries)]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_name(f".{self._file.name}.{os.getpid()}.tmp")
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        temporary.replace(self._file)
