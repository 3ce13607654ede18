"""What a signal makes of its answers, written down so that a compiled call can do it.

A signal is a function of arrays. Called with formulas in their place, it says what it would do:
each operation makes a formula of formulas, and the last one is the signal. Whatever asks for a
number, such as an ``if``, is no formula, and such a signal is computed as it is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from churnguard.clock import DAY_US
from churnguard.compiled import compiled
from churnguard.events.timeline import MISSING

OPERATIONS: Mapping[str, int] = {
    name: place
    for place, name in enumerate(
        (
            *("add", "subtract", "multiply", "divide", "ratio"),
            *("maximum", "fmin", "less_equal", "isnan", "where", "days_between"),
        )
    )
}
"""What is done with numbers of a row, by name; each is done as NumPy does it, bit for bit."""

_UFUNCS: Mapping[Any, str] = {getattr(np, name): name for name in OPERATIONS if hasattr(np, name)}
_PLACES = tuple(OPERATIONS.values())
_ADD, _SUBTRACT, _MULTIPLY, _DIVIDE, _RATIO = _PLACES[:5]
_MAXIMUM, _FMIN, _LESS_EQUAL, _ISNAN, _WHERE, _DAYS_BETWEEN = _PLACES[5:]
_GONE = int(MISSING)
_DAY = float(DAY_US)


class Formula(NDArrayOperatorsMixin):
    """One number a row, to be computed: an operation, and what it is done with.

    Parameters
    ----------
    what : str
        One of :data:`OPERATIONS`, or what a row knows without computing.
    *parts : object
        Formulas and numbers; of what is known, anything that names it.

    Examples
    --------
    >>> count = Formula("answer", "orders")
    >>> np.maximum(count / 3 - 1.0, 0.0)
    maximum(subtract(divide(answer('orders'), 3.0), 1.0), 0.0)
    >>> bool(count > 0)
    Traceback (most recent call last):
        ...
    TypeError: A formula has no number yet.
    """

    def __init__(self, what: str, *parts: Any) -> None:
        self.what = what
        self.parts = parts

    def __array_ufunc__(self, ufunc: Any, method: str, *parts: Any, **options: Any) -> Formula:
        """Take note of an operation with formulas."""
        if method != "__call__" or options or ufunc not in _UFUNCS:
            _refuse()
        return written(_UFUNCS[ufunc], *parts)

    def __array_function__(
        self, function: Callable[..., Any], _: Any, parts: Any, options: Any
    ) -> Formula:
        """Take note of ``np.where``, the one function of NumPy that signals use of arrays."""
        if function is not np.where or options:
            _refuse()
        return written("where", *parts)

    def clip(self, min: float) -> Formula:  # noqa: A002 - NumPy's own name
        """Return at least so much."""
        return written("maximum", self, min)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:  # noqa: PLE0304 - it never returns
        _refuse()

    def __repr__(self) -> str:
        return f"{self.what}({', '.join(map(repr, self.parts))})"


def written(what: str, *parts: Any) -> Formula:
    """Return an operation with formulas and plain numbers.

    Raises
    ------
    TypeError
        If a part is neither.
    """
    return Formula(what, *(part if isinstance(part, Formula) else float(part) for part in parts))


def _refuse() -> NoReturn:
    raise TypeError("A formula has no number yet.")


@compiled
def compute(formulas: Any, numbers: Any, instants: Any) -> None:
    """Compute formulas in a table, one after another.

    Parameters
    ----------
    formulas : ndarray of int64, shape (k, 5)
        Operation, places of up to three parts, and the result's place.
    numbers : ndarray of float64, shape (places, n)
        Numbers by place, each of n rows; results are written here.
    instants : ndarray of int64, shape (places, n)
        Instants by place.
    """
    for formula in range(len(formulas)):
        what, place = formulas[formula, 0], formulas[formula, 4]
        one, two, three = formulas[formula, 1], formulas[formula, 2], formulas[formula, 3]
        for row in range(numbers.shape[1]):
            if what == _DAYS_BETWEEN:
                numbers[place, row] = _days(instants[one, row], instants[two, row])
            elif what == _WHERE:
                chosen = two if numbers[one, row] != 0.0 else three
                numbers[place, row] = numbers[chosen, row]
            else:
                numbers[place, row] = _of_two(what, numbers[one, row], numbers[two, row])


@compiled
def _of_two(what: int, a: float, b: float) -> float:
    """Do something with two numbers, or with the first of them."""
    if what == _ADD:
        found = a + b
    elif what == _SUBTRACT:
        found = a - b
    elif what == _MULTIPLY:
        found = a * b
    elif what == _DIVIDE:
        found = a / b if b != 0.0 else a * math.copysign(np.inf, b)
    elif what == _RATIO:
        found = a / b if b != 0.0 else np.nan
    elif what == _MAXIMUM:
        found = a if a >= b or np.isnan(a) else b
    elif what == _FMIN:
        found = a if a <= b or np.isnan(b) else b
    elif what == _LESS_EQUAL:
        found = 1.0 if a <= b else 0.0
    else:
        found = 1.0 if np.isnan(a) else 0.0
    return found


@compiled
def _days(start: int, end: int) -> float:
    if start == _GONE or end == _GONE:  # noqa: PLR1714 - faster compiled
        return np.nan
    return (end - start) / _DAY
