"""The watch on a trained shop: quiet, broken, then the truth; and what retraining makes of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import churnguard
from churnguard.jobs.drift import drift
from churnguard.jobs.ports import Shop
from churnguard.jobs.retrain import retrain

pytestmark = pytest.mark.timeout(300)

DAY = timedelta(days=1)


@pytest.fixture
def copy(trained, tmp_path: Path) -> Shop:
    shutil.copytree(trained.root, tmp_path / "shop")
    return churnguard.open_shop(tmp_path / "shop", clock=trained.shop.clock, environ={})


def two_days_on(shop: Shop) -> Shop:
    """The same shop, two days later."""
    later = shop.clock() + 2 * DAY
    return replace(shop, clock=lambda: later)


class Changed:
    """The shop's events as they would be, had something gone wrong at an instant."""

    def __init__(self, events, change, since) -> None:
        self._events, self._change, self._since = events, change, since

    def __getattr__(self, name):
        return getattr(self._events, name)

    def partitions(self):
        since = pa.scalar(self._since, pa.timestamp("us", "UTC"))
        for part in self._events.partitions():
            yield self._change(part, pc.greater_equal(part["occurred_at"], since))


def in_cents(part, late):
    """The money of everything in cents."""
    value = pc.if_else(late, pc.multiply(part["value"], 100.0), part["value"])
    return part.set_column(part.column_names.index("value"), "value", value)


def half_of_the_sign_ins(part, late):
    """Every second sign-in is lost, evenly and from everybody."""
    sign_in = pc.and_(late, pc.equal(part["event"].cast(pa.string()), "signed_in"))
    return part.filter(pc.invert(pc.and_(sign_in, pa.array(np.arange(len(part)) % 2 == 0))))


def test_a_quiet_shop_is_quiet_and_broken_money_is_told_with_its_cost(copy: Shop) -> None:
    """Money in cents for the past 100 days: the signals are named, and so is what it costs."""
    quiet = drift(copy)
    assert not quiet.alarm
    assert "same weeks last year" in quiet.reference
    assert "Nothing drifted" in quiet.to_text()
    broken = drift(replace(copy, events=Changed(copy.events, in_cents, copy.clock() - 100 * DAY)))
    names = {one.name for one in broken.drifted}
    assert "spend_90d" in names
    assert "orders_90d" not in names
    assert broken.cost is not None
    assert "On a list of" in broken.to_text()


def test_half_of_the_sign_ins_lost_is_told_of_the_feed_where_no_signal_moves(copy: Shop) -> None:
    """Eleven weeks of it: the kind of event is named, in the page, the JSON and the book."""
    events = Changed(copy.events, half_of_the_sign_ins, copy.clock() - 77 * DAY)
    broken = drift(replace(copy, events=events))
    assert [one.name for one in broken.drifted] == ["signed_in"]
    assert broken.cost is None
    [told] = [line for line in broken.to_text().splitlines() if "signed_in" in line]
    assert "fewer came than usual" in told
    assert "feed" in told
    [found] = [one for one in broken.to_dict()["deliveries"] if one["drifted"]]
    assert found["against"].keys() == {"season", "learned"}
    kept = (copy.root / "data" / "watch.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(kept[-1])["entry"]["ratios"]["signed_in"] > 1


def test_what_was_expected_is_held_against_the_truth_once_it_is_known(copy: Shop) -> None:
    """A look of 95 days ago is kept; today its outcome is known, and stays with it."""
    earlier = drift(copy, as_of=copy.clock() - 95 * DAY)
    assert earlier.comparisons == ()
    today = drift(copy)
    [comparison] = today.comparisons
    assert comparison.expected == earlier.expected
    assert comparison.truth["listed"] == earlier.expected["listed"].value
    assert 0 < comparison.truth["caught"] <= comparison.truth["churners"]
    assert "What was expected earlier" in today.to_text()
    kept = (copy.root / "data" / "watch.jsonl").read_text(encoding="utf-8").splitlines()
    assert "truth" in json.loads(kept[0])["entry"]
    assert drift(copy).comparisons == today.comparisons


def test_retraining_says_why_and_does_nothing_twice_on_a_day(copy: Shop) -> None:
    """Without a reason nothing is trained; with one the challenger meets the gate, once a day."""
    assert retrain(copy).did == "nothing"  # the champion knows today already
    copy = two_days_on(copy)
    young = retrain(copy, schedule_days=30)
    assert (young.did, young.version) == ("nothing", None)
    assert "2 days old" in young.why
    due = retrain(copy, schedule_days=2, recipe="quick", approved_by="Dana")
    assert due.did == "promoted", due.gate
    assert copy.ledger.champion().version == due.version == "2"
    again = retrain(copy, schedule_days=2, recipe="quick", approved_by="Dana")
    assert again.did == "nothing"
    assert "already" in again.why
    assert len(copy.registry().versions()) == 2


def test_a_challenger_that_nobody_answers_for_is_refused_and_the_champion_stays(copy: Shop) -> None:
    """Two cutoffs are few, so that the gate asks for a name; that is said."""
    champion = copy.ledger.champion()
    done = retrain(two_days_on(copy), recipe="quick")
    assert (done.did, done.version) == ("refused", "2")
    assert done.gate
    assert copy.ledger.champion() == champion


def test_the_command_tells_by_its_exit_code(copy: Shop) -> None:
    """0 where nothing drifted, and JSON with every comparison."""
    words = ["drift", "--as-of", "2026-11-01", "--project", str(copy.root), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "churnguard.cli", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["alarm"]) == (0, False), done.stderr
    assert answer["compared"][-1]["name"] == "churn_risk"
