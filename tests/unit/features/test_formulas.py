"""A formula computes what NumPy computes, to the last bit."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from churnguard.events.timeline import MISSING
from churnguard.features.formulas import OPERATIONS, Formula, compute
from churnguard.features.rows import days_between, ratio

NUMBERS = (0.0, -0.0, 1.0, -3.0, 0.1, 1e300, np.inf, -np.inf, np.nan)
PAIRS = np.array([*product(NUMBERS, NUMBERS)]).T
MEANT = {"ratio": ratio} | {
    name: getattr(np, name) for name in OPERATIONS if hasattr(np, name) and name != "where"
}


def computed(what, *parts, instants=None):
    """Compute one operation with rows of numbers."""
    numbers = np.array([*parts, *[np.zeros(len(parts[0]))] * (4 - len(parts))])
    formula = np.array([[OPERATIONS[what], 0, 1, 2, 3]])
    compute(formula, numbers, np.zeros((4, 1), np.int64) if instants is None else instants)
    return numbers[3]


@pytest.mark.parametrize("what", MEANT)
def test_an_operation_is_numpys(what):
    one, other = PAIRS
    with np.errstate(all="ignore"):
        wanted = MEANT[what](*PAIRS[: 1 if what == "isnan" else 2])
    found = computed(what, one, other)
    missing = np.isnan(found)
    assert np.array_equal(missing, np.isnan(wanted))
    if what in {"maximum", "fmin"}:  # of 0.0 and -0.0 either may be taken
        found, wanted = found + 0.0, wanted + 0.0
    known = np.asarray(wanted, np.float64)[~missing]
    assert found[~missing].tobytes() == known.tobytes()


def test_where_takes_one_or_the_other():
    assert computed("where", [1.0, 0.0], [5.0, 6.0], [7.0, 8.0]).tolist() == [5.0, 8.0]


def test_days_between_instants_of_which_one_may_be_missing():
    instants = np.array([[0, MISSING, 5], [864 * 10**8, 0, MISSING]])
    found = computed("days_between", np.zeros(3), np.zeros(3), instants=instants)
    assert np.array_equal(found, days_between(*instants), equal_nan=True)


def test_what_wants_a_number_is_no_formula():
    """A signal that looks at a number, sorts, or adds rows up cannot be written down."""
    count = Formula("answer", "orders")
    for wants in (
        lambda: bool(count > 3),
        lambda: np.sort(count),
        lambda: np.add.reduce(count),
        lambda: np.log(count),
        lambda: float(count),
        lambda: np.add(count, 1, out=np.zeros(1)),
    ):
        with pytest.raises(TypeError):
            wants()
