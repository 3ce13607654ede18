"""Every signal keeps the contract; one that breaks it is told by name, file and promise."""

from __future__ import annotations

import numpy as np
import pytest

from churnguard.errors import CatalogueError
from churnguard.features.catalogue import Catalogue, known_families
from churnguard.features.contract import breaches, refuse_breaches
from churnguard.features.rows import ratio
from churnguard.features.signal import signal
from churnguard.features.units import NUMBER, ORDERS

KIND = "order_completed"


def own(compute, *, needs=(KIND,)):
    """Return the signal of a function, as a shop's file would define it."""
    made = signal(unit=NUMBER, needs=needs, en="x", he="x")(compute)
    return made.signals((30, 90))


def orders(rows):
    return rows.events(KIND)


def gift_share(rows):
    """A sound signal that looks for a word no shop of ours has."""
    lines = rows.events("product_ordered")
    return ratio(lines.where("category", "gift").count(), lines.count())


def next_order(rows):
    """Days to the next order: it reads the event at the end of the window, which is not in it."""
    seen = orders(rows)
    _, end = seen.bounds()
    occurred = seen._track.occurred
    return (occurred[np.minimum(end, len(occurred) - 1)] - rows.cutoffs) / 86_400e6


def late_orders(rows):
    """Orders of the whole timeline before the cutoff, whether received by then or not."""
    track = orders(rows)._track
    return np.array([(track.occurred < cutoff).sum() for cutoff in rows.cutoffs], np.float64)


def as_integers(rows):
    return orders(rows).count(90).astype(np.int64)


def as_list(rows):
    return orders(rows).count(90).tolist()


def one_number(rows):
    return np.array([float(len(rows))])


def infinite(rows):
    with np.errstate(all="ignore"):
        return 1.0 / orders(rows).count(30)


def fails_on_missing(rows):
    if np.isnan(orders(rows).since_last()).any():
        raise ValueError("no order")
    return orders(rows).count()


def fails_on_none(rows):
    return orders(rows).count() + orders(rows).count().max()


def less_than_the_mean(rows):
    return orders(rows).count() - (orders(rows).count().mean() if len(rows) else 0.0)


def first_row_first(rows):
    numbers = orders(rows).count()
    numbers[:1] += 1.0
    return numbers


@pytest.mark.parametrize("family", sorted(known_families()))
def test_every_signal_of_ours_keeps_the_contract(family):
    """Shape, dtype, missing data, order, no look-ahead, one row as many: for each and every one."""
    assert breaches(Catalogue.of([family]).signals) == ()


def test_a_sound_signal_of_a_shop_keeps_it():
    """It may look for words that are its own, and they are put to it."""
    assert breaches(own(gift_share)) == ()


@pytest.mark.parametrize(
    ("compute", "promise", "told"),
    [
        (next_order, "future", "looks ahead: events from after the cutoff changed it"),
        (as_integers, "dtype", "returns int64 numbers, not float64"),
        (as_list, "shape", "does not return one number a row: list for 30 rows"),
        (one_number, "shape", "does not return one number a row: shape (1,) for 30 rows"),
        (infinite, "finite", "returns an infinite number"),
        (fails_on_missing, "runs", "fails: ValueError: no order"),
        (fails_on_none, "runs", "fails: ValueError: zero-size array"),
        (less_than_the_mean, "one_row", "gives a row other numbers alone than among other rows"),
        (first_row_first, "one_row", "gives a row other numbers alone than among other rows"),
        (late_orders, "one_row", "gives a row other numbers alone than among other rows"),
    ],
)
def test_a_broken_promise_is_told(compute, promise, told):
    """One sentence: which signal, which file, what was broken; and a hint that says what to do."""
    (breach,) = breaches(own(compute))
    assert breach.promise == promise
    assert breach.told.startswith(told)
    with pytest.raises(CatalogueError) as caught:
        refuse_breaches(own(compute))
    start = f"The signal '{compute.__name__}' in features/test_contract.py {told}"
    assert caught.value.message.startswith(start)
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    assert caught.value.file.name == "test_contract.py"


def test_a_broken_signal_does_not_hide_behind_sound_ones():
    """Signals are tried together, and only the broken one is named."""
    many = [*Catalogue.of(["orders"]).signals, *own(next_order), *own(gift_share)]
    assert [breach.signal.name for breach in breaches(many)] == ["next_order"]


def test_a_signal_per_window_is_tried_in_each():
    """The window of the catalogue is part of what is tried."""

    @signal(unit=ORDERS, needs=(KIND,), en="x", he="x")
    def some(rows, days):
        return orders(rows).count(days) if days < 60 else next_order(rows)

    assert [breach.signal.name for breach in breaches(some.signals((30, 90)))] == ["some_90d"]
