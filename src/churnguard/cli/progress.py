"""Progress of long work, on stderr and only for a person at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from churnguard.jobs.ports import Progress


@contextmanager
def progress(*, as_json: bool = False) -> Iterator[Progress]:
    """Give a job somewhere to report to: a bar at a terminal, a line per step elsewhere."""
    if not sys.stderr.isatty():
        yield _silent if as_json else _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, int] = {}

        def update(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = int(bar.add_task(what, total=total))
            bar.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        yield update


def _silent(what: str, done: int, total: int | None) -> None:
    del what, done, total


def _lines() -> Progress:
    """Return a reporter that names each step once, for logs."""
    seen: set[str] = set()

    def update(what: str, done: int, total: int | None) -> None:
        del done, total
        if what not in seen:
            seen.add(what)
            print(f"{what} ...", file=sys.stderr, flush=True)

    return update
