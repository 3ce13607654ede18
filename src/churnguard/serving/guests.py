"""Keep heavy guests out of a serving process.

PyArrow and LightGBM load pandas and scikit-learn when they are installed, though serving needs
neither: seconds at the start and a hundred megabytes. A process that only serves may say so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

HEAVY = ("mlflow", "pandas", "sklearn", "matplotlib")
"""What serving never needs."""


def lock_out(names: Iterable[str] = HEAVY) -> tuple[str, ...]:
    """Make every later import of these packages fail, as if they were not installed.

    To be called first, by a process that does nothing but serve; there is no way back.

    Parameters
    ----------
    names : iterable of str
        Top-level packages; those that are loaded already are left as they are.

    Returns
    -------
    tuple of str
        The packages that were locked out.

    Examples
    --------
    >>> lock_out(["churnguard_has_no_such_guest"])
    ('churnguard_has_no_such_guest',)
    """
    locked = tuple(name for name in names if name not in sys.modules)
    sys.meta_path.insert(0, _LockedOut(locked))
    return locked


class _LockedOut(MetaPathFinder):
    """Find, of certain packages, nothing."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        """Refuse a locked package; leave all others to the next finder."""
        del path, target
        if fullname.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"{fullname} is kept out of this process", name=fullname)
