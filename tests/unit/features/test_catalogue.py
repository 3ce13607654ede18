"""What a catalogue promises: unique names, families found, and no silent change of a signal."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from churnguard.errors import BundleMismatch, CatalogueError
from churnguard.events.schema import KNOWN_EVENTS, empty_events
from churnguard.events.timeline import Timeline
from churnguard.features.catalogue import Catalogue, known_families
from churnguard.features.rows import Rows
from churnguard.features.signal import UNKNOWN, signal
from churnguard.features.tracks import Tracks
from churnguard.features.units import LANGUAGES, ORDERS

CATALOGUE = Catalogue.of()
PROMISED = {
    "orders_total",
    "orders_30d",
    "orders_90d",
    "orders_180d",
    "orders_365d",
    "spend_90d",
    "spend_180d",
    "spend_365d",
    "net_spend_365d",
    "days_since_order",
    "days_since_first_order",
    "order_gap_median",
    "order_gap_ratio",
    "days_since_login",
    "login_gap_ratio",
    "basket_value_ratio",
    "carts_abandoned_30d",
    "cart_streak",
    "cart_value_left",
    "days_since_cart",
    "searches_empty_30d",
    "tickets_open",
    "days_since_ticket_opened",
    "survey_last",
    "nps_last",
    "csat_last",
    "refunds_180d",
    "days_since_refund",
}


def made(name="made_up", compute=lambda rows: np.ones(len(rows)), **parts):
    """Make a signal of a shop's own."""

    def function(rows):
        """Made up."""
        return compute(rows)

    function.__name__ = name
    words = {"unit": ORDERS, "needs": ("order_completed",), "en": "x", "he": "x"} | parts
    return signal(**words)(function)


def test_the_names_that_others_rely_on_are_there():
    """Playbook, segments and abstention read these columns."""
    assert set(CATALOGUE.names) >= PROMISED


def test_two_signals_of_one_name_are_refused():
    """A catalogue's columns have different names."""
    with pytest.raises(CatalogueError, match="orders_total"):
        Catalogue.of(["orders"], own=[made("orders_total")])


def test_a_name_that_is_no_column_is_refused():
    """Names are lower-case letters, digits and underscores."""
    with pytest.raises(CatalogueError, match="Bad-Name"):
        Catalogue.of(["orders"], own=[made("Bad-Name")])


def test_an_unknown_family_is_named_with_those_there_are():
    """A misspelt family gets the list."""
    with pytest.raises(CatalogueError, match="ordres") as error:
        Catalogue.of(["ordres"])
    assert "rhythm" in error.value.hint


def test_a_subset_keeps_the_order_asked_for():
    """The columns are those asked for, in that order; an unknown one is named."""
    assert CATALOGUE.subset(["orders_90d", "orders_30d"]).names == ("orders_90d", "orders_30d")
    with pytest.raises(CatalogueError, match="nonsense"):
        CATALOGUE.subset(["nonsense"])


def test_json_comes_back_as_the_same_catalogue():
    """A bundle's catalogue is found again by name, version and digest."""
    chosen = CATALOGUE.subset(["spend_90d", "order_gap_ratio"])
    own = Catalogue.of(["orders"], windows=(14,), own=[made()])
    assert Catalogue.from_json(chosen.to_json()) == chosen
    assert Catalogue.from_json(own.to_json()) == own


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"digest": "0000000000000000"}, "version 1 of the signal 'orders_90d'"),
        ({"source": "gone"}, "'orders_90d', which is not known here"),
    ],
)
def test_a_changed_or_unknown_signal_is_refused_by_name(change, complaint):
    """A bundle does not run on signals that would compute something else."""
    stored = json.loads(CATALOGUE.subset(["orders_90d"]).to_json())
    stored["signals"][0] |= change
    with pytest.raises(BundleMismatch, match=complaint):
        Catalogue.from_json(json.dumps(stored))


def test_the_digest_follows_the_code_and_not_the_words():
    """Another computation has another digest; another sentence has the same."""
    one, other = made(), made(en="y", he="y")
    assert one.pattern.digest == other.pattern.digest

    @signal(unit=ORDERS, needs=(), en="x", he="x")
    def made_up(rows):
        """Made up."""
        return np.zeros(len(rows))

    assert made_up.pattern.digest != one.pattern.digest


def test_what_a_shop_cannot_carry_is_left_out_and_named():
    """Orders alone give the families that need nothing else, and a sentence for each other one."""
    smaller, left_out = CATALOGUE.available({"order_completed": 5, "signed_in": 0})
    assert set(smaller.names) >= {"orders_90d", "days_since_order"}
    assert not {name for name in smaller.names if "login" in name}
    assert "no 'signed_in' events" in left_out["logins"]
    assert left_out["baskets"].startswith("10 of 13 signals of 'baskets'")
    assert CATALOGUE.available(dict.fromkeys(KNOWN_EVENTS, 1)) == (CATALOGUE, {})


def test_a_signal_that_is_not_one_number_a_row_is_refused():
    """A scalar would spread over all rows; it is refused with the signal's name."""
    catalogue = Catalogue.of([], own=[made(compute=lambda _rows: 1.0)])
    rows = Rows(
        Tracks(Timeline.from_arrow(empty_events())), np.zeros(0, np.int32), np.zeros(0, int)
    )
    with pytest.raises(CatalogueError, match="made_up"):
        catalogue["made_up"].column(rows)


@pytest.mark.parametrize("found", CATALOGUE.signals, ids=lambda found: found.name)
def test_every_signal_tells_itself_in_both_languages(found):
    """Its sentences name signals of the catalogue only, and read well with numbers and without."""
    assert set(found.mentions) <= set(CATALOGUE.names)
    assert found.usual is None or found.usual in CATALOGUE.names
    assert set(found.needs) <= KNOWN_EVENTS
    for number in (0.0, 1.0, 2.0, 24.4, 1234.5, math.nan):
        row = dict.fromkeys(CATALOGUE.names, number)
        for language in LANGUAGES:
            text = CATALOGUE.tell(found.name, row, language, currency="ILS")
            assert text
            assert "{" not in text
            assert "nan" not in text
            hebrew = any("\u05d0" <= letter <= "\u05ea" for letter in text)
            assert hebrew == (language == "he")


def test_a_sentence_falls_back_where_a_number_is_missing():
    """Own usual unknown: the shorter sentence; nothing known: that nothing is on record."""
    nothing = dict.fromkeys(CATALOGUE.names, math.nan)
    known = nothing | {"days_since_login": 24.2}
    assert CATALOGUE.tell("login_gap_ratio", known, "en") == "Last seen 24 days ago"
    assert CATALOGUE.tell("login_gap_ratio", nothing, "en") == "No login on record"
    assert CATALOGUE.tell("login_gap_ratio", nothing, "he") == "לא נרשמה התחברות"
    assert CATALOGUE.tell("logins_30d", nothing, "en") == UNKNOWN["en"]
    both = known | {"login_gap_median": 2.0}
    assert CATALOGUE.tell("login_gap_ratio", both, "en") == (
        "Last seen 24 days ago; usually every 2 days"
    )
    assert CATALOGUE.tell("login_gap_ratio", both, "he") == (
        "התחברות אחרונה לפני 24 יום; בדרך כלל כל יומיים"
    )


@pytest.mark.parametrize(
    ("name", "en", "he"),
    [
        (
            "cart_value_left",
            "Nothing left in abandoned carts since the last order",
            "לא נותר דבר בעגלות נטושות מאז ההזמנה האחרונה",
        ),
        (
            "unsubscribed_365d",
            "Has not unsubscribed from messages in the last 365 days",
            "ההרשמה להודעות לא בוטלה ב-365 הימים האחרונים",
        ),
        (
            "login_ratio_30d",
            "No logins in the last 30 days, unlike before",
            "אין התחברויות ב-30 הימים האחרונים, בשונה מבעבר",
        ),
    ],
)
def test_a_zero_is_told_in_its_own_words(name, en, he):
    """Nothing is an answer of its own, and read as one: no '0.00', no 'times: 0'."""
    nothing = dict.fromkeys(CATALOGUE.names, 0.0)
    assert (CATALOGUE.tell(name, nothing, "en"), CATALOGUE.tell(name, nothing, "he")) == (en, he)


def test_the_usual_is_another_signal_or_what_the_unit_means():
    """A recency has the own median beside it, a ratio has 1."""
    row = {"login_gap_median": 7.0}
    assert CATALOGUE.usual("days_since_login", row) == 7.0
    assert CATALOGUE.usual("days_since_login", {"login_gap_median": math.nan}) is None
    assert CATALOGUE.usual("login_gap_ratio", row) == 1.0


def test_every_family_is_one_file_and_has_signals():
    """Families are found by their files; none is empty."""
    families = known_families()
    assert {"rhythm", "logins", "orders", "baskets", "carts", "returns", "tenure"} <= set(families)
    assert all(families.values())
