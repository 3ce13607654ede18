"""What is asked of one customer is found out beforehand, and answered as for many."""

from __future__ import annotations

import numpy as np
import pytest

from churnguard.clock import DAY_US
from churnguard.events.timeline import Timeline
from churnguard.features import answering, rows, windows
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.questions import Questions
from churnguard.features.signal import signal
from churnguard.features.specimen import specimen_events
from churnguard.features.units import NUMBER
from churnguard.features.windows import Windows

CUTOFFS = np.array([200, 400, 600]) * DAY_US


@pytest.fixture(scope="module")
def timeline():
    return Timeline.from_arrow(specimen_events())


def own(compute):
    return Catalogue(signal(unit=NUMBER, needs=(), en="x", he="x")(compute).signals(()))


def alone(timeline, catalogue):
    """Build each customer's rows from a timeline with that customer alone, and all together."""
    several, together = [], []
    for code in range(len(timeline.customer_ids)):
        codes = np.full(len(CUTOFFS), code, np.int32)
        together.append(build_features(timeline, catalogue, codes, CUTOFFS).values)
        single = timeline.known_at(np.array([code], np.int32), np.array([10_000 * DAY_US]))
        nobody_else = np.zeros(len(CUTOFFS), np.int32)
        several.append(build_features(single, catalogue, nobody_else, CUTOFFS).values)
    return np.concatenate(several), np.concatenate(together)


def test_nearly_everything_that_the_catalogue_asks_is_foreseen(timeline, monkeypatch):
    """One compiled call answers all that is asked, carts since the last order included."""
    catalogue, asked = Catalogue.of(), []
    assert len(catalogue.questions.program) > 100

    class Watched(Windows):
        def __getattribute__(self, name):
            asked.append(name)
            return super().__getattribute__(name)

    monkeypatch.setattr(rows, "Windows", Watched)
    single = timeline.known_at(np.zeros(1, np.int32), np.array([10_000 * DAY_US]))
    build_features(single, catalogue, np.zeros(1, np.int32), CUTOFFS[:1])
    assert asked == []


def test_every_question_of_many_rows_is_one_of_a_single_customer():
    public = {name for name in vars(windows.Windows) if not name.startswith("_")}
    assert public - {"bounds"} == set(answering.QUESTIONS)


def test_a_question_that_nobody_foresaw_is_answered_all_the_same(timeline):
    """A signal may look at its rows before it asks; then it is answered as for many rows."""

    def visits_while_young(rows):
        orders = rows.events("order_completed")
        return orders.count(30) if (orders.count() > 0).any() else orders.count(7) * 0.0

    one, many = alone(timeline, own(visits_while_young))
    assert one.tobytes() == many.tobytes()
    assert many.any()


def test_a_signal_that_fails_on_nobody_asks_nothing():
    def impatient(rows):
        raise ValueError(len(rows))

    assert len(Questions.of(own(impatient).signals).program) == 0


def test_a_shops_own_signal_is_always_asked(timeline):
    """What it does with an answer nobody can tell beforehand, so it is computed from it."""

    def plainly(rows):
        return rows.events("order_completed").count(90)

    def where_many(rows):
        counted = rows.events("order_completed").count()
        return counted + 100.0 if (counted > 41).any() else counted

    def in_place(rows):
        counted = rows.events("order_completed").count()
        counted[counted > 41] = 41.0
        return counted

    for compute in (plainly, where_many, in_place):
        catalogue = own(compute)
        assert (len(catalogue.questions.told), len(catalogue.questions.made)) == (0, 1)
    several, together = alone(timeline, own(plainly))
    assert several.tobytes() == together.tobytes()


def test_nearly_every_signal_says_a_formula():
    """Only what is fitted over all customers is computed as it is written."""
    catalogue = Catalogue.of()
    questions = catalogue.questions
    places = [*questions.told[:, 0].tolist(), *questions.made.tolist()]
    assert sorted(places) == list(range(len(catalogue)))
    made = [catalogue.signals[place].family for place in questions.made.tolist()]
    assert set(made) == {"lifetime"}


def test_the_customers_of_the_specimen_have_the_same_bits_alone(timeline):
    """Late events, ties and missing numbers included; missing is missing."""
    one, many = alone(timeline, Catalogue.of())
    missing = np.isnan(one)
    assert np.array_equal(missing, np.isnan(many))
    assert one[~missing].tobytes() == many[~missing].tobytes()
