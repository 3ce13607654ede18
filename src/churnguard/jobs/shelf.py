"""A shelf of things read from elsewhere: bounded in bytes, safe between threads, never out of date.

Whoever learns that a thing has changed drops it. What is read while somebody drops it is used once
and not kept: a reader leaves a mark before it reads, and keeps what it read only if its mark is
still there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Shelf(Generic[Thing]):
    """Keeps things by name; those asked for longest ago go first.

    Parameters
    ----------
    most_bytes : int
        What all things together may weigh.

    Examples
    --------
    >>> shelf = Shelf(most_bytes=100)
    >>> shelf.get(["a"], lambda names: {name: (name.upper(), 60) for name in names})
    {'a': 'A'}
    >>> shelf.get(["a"], lambda names: {})
    {'a': 'A'}
    >>> shelf.get(["b"], lambda names: {"b": ("B", 60)}), shelf.weight
    ({'b': 'B'}, 60)
    """

    def __init__(self, most_bytes: int) -> None:
        self.weight = 0
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, tuple[Thing, int]] = OrderedDict()
        self._marks: dict[str, object] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(
        self,
        names: Sequence[str],
        read: Callable[[Sequence[str]], Mapping[str, tuple[Thing, int]]],
    ) -> dict[str, Thing]:
        """Return things by name, reading those that are not here.

        Parameters
        ----------
        names : sequence of str
            What is asked for.
        read : callable
            Given the names that are not here, returns each thing and its weight in bytes.
        """
        mark = object()
        with self._lock:
            found = {name: self._kept[name][0] for name in names if name in self._kept}
            for name in found:
                self._kept.move_to_end(name)
            missing = [name for name in dict.fromkeys(names) if name not in found]
            self._marks |= dict.fromkeys(missing, mark)
        if not missing:
            return found
        made: Mapping[str, tuple[Thing, int]] = {}
        try:
            made = read(missing)
        finally:
            self._keep(missing, made, mark)
        return found | {name: thing for name, (thing, _) in made.items()}

    def drop(self, names: Iterable[str]) -> None:
        """Forget things that have changed, and do not keep what is being read of them."""
        with self._lock:
            for name in names:
                self._marks.pop(name, None)
                self._remove(name)

    def clear(self) -> None:
        """Forget everything, and do not keep what is being read."""
        with self._lock:
            self._marks.clear()
            self._kept.clear()
            self.weight = 0

    def _keep(
        self, missing: Sequence[str], made: Mapping[str, tuple[Thing, int]], mark: object
    ) -> None:
        """Keep what was read under a mark that is still there."""
        with self._lock:
            for name in missing:
                if self._marks.get(name) is mark:
                    del self._marks[name]
                    if name in made:
                        self._remove(name)
                        self._kept[name] = made[name]
                        self.weight += made[name][1]
            while self.weight > self._most_bytes:
                self._remove(next(iter(self._kept)))

    def _remove(self, name: str) -> None:
        gone = self._kept.pop(name, None)
        if gone is not None:
            self.weight -= gone[1]
