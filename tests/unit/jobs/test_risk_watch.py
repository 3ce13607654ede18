"""The risk watch: what moves a standing, what is told of it, and what stays for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.features.catalogue import Catalogue
from churnguard.jobs.ports import Position
from churnguard.jobs.risk_moves import told_band
from churnguard.jobs.risk_watch import look_at_events, watch_scores
from churnguard.testing import NOON, build_action, build_events, build_score, fake_shop

DAY = timedelta(days=1)
ORDERED = NOON - 40 * DAY
CATALOGUE = Catalogue.of(["orders", "rhythm"])


def _champion(digest="sha256:1"):
    """A model whose margin is what the test says of the score; in between it says 0."""
    bundle = SimpleNamespace(
        digest=digest,
        catalogue=CATALOGUE,
        population=None,
        facts=SimpleNamespace(label="order_gap"),
        model=SimpleNamespace(margins=lambda X: np.zeros(len(X))),
    )
    return SimpleNamespace(bundle=bundle)


class Watched:
    """A shop with customer C1, whose score a test moves from day to day."""

    def __init__(self, root):
        order = {"customer_id": "C1", "occurred_at": ORDERED, "received_at": ORDERED}
        self.shop = fake_shop(root=root, events=build_events([order]))
        self.there = self.shop.outbox.add_endpoint(
            "https://crm.example", ["risk.raised", "action.suggested"], now=NOON
        )
        self.day = 0

    def look(self, risk=None, *, days=1, **changes):
        """Score C1 a while later and let the watch compare."""
        self.day += days
        at = NOON + self.day * DAY
        values = {"as_of": at, "action": build_action("leave_alone", decision_id=None)}
        if risk is not None:
            band = "high" if risk >= 0.66 else "medium" if risk >= 0.33 else "low"
            margin = float(np.log(risk / (1 - risk)))
            values |= {"churn_risk": risk, "band": band, "margin": margin}
        score = build_score("C1", **(values | changes))
        return watch_scores(self.shop, _champion(), [score], self.shop.events.events_of, now=at)

    def order(self, days=0):
        at = NOON + (self.day + days) * DAY
        rows = [{"event_id": f"o{at}", "customer_id": "C1", "occurred_at": at, "received_at": at}]
        self.shop.events.append(build_events(rows))

    @property
    def told(self):
        found = self.shop.outbox.deliveries(self.there.endpoint_id, limit=100)
        return [(one.message.type, one.message.body) for one in found][::-1]

    @property
    def stands(self):
        return self.shop.watch.standings(["C1"]).get("C1")

    @property
    def changes(self):
        return [change for _, change in self.shop.watch.changes("C1")][::-1]


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_the_first_look_says_where_a_customer_stands_and_nothing_else(watched):
    watched.look(0.9)
    assert watched.stands.band == "high"
    assert (watched.changes, watched.told) == ([], [])


def test_a_rise_into_a_higher_band_is_told_once(watched):
    watched.look(0.2)
    assert watched.look(0.5).raised == 1
    watched.look(0.55)
    watched.look(0.7)
    kinds = [kind for kind, _ in watched.told]
    assert kinds == ["risk.raised", "risk.raised"]
    assert '"band":"medium","previous_band":"low"' in watched.told[0][1]
    assert '"band":"high","previous_band":"medium"' in watched.told[1][1]


def test_noise_at_an_edge_is_told_once(watched):
    """Only a risk that fell clearly below, and rises again, is told of again."""
    watched.look(0.5)
    for risk in (0.67, 0.65, 0.68, 0.62, 0.67):
        watched.look(risk)
    assert len(watched.told) == 1
    watched.look(0.58)
    watched.look(0.67)
    assert len(watched.told) == 2


@pytest.mark.parametrize(
    ("before", "risk", "band", "told"),
    [
        (None, 0.9, "high", "high"),
        ("low", 0.9, "high", "high"),
        ("high", 0.62, "medium", "high"),
        ("high", 0.6, "medium", "medium"),
        ("high", 0.29, "low", "medium"),
        ("high", 0.27, "low", "low"),
        ("medium", 0.3, "low", "medium"),
    ],
)
def test_the_told_band_falls_late(before, risk, band, told):
    assert told_band(before, risk, band, starts=(0.33, 0.66)) == told


def test_small_moves_add_up_until_they_matter(watched):
    """Nothing is lost: the move that is written begins where the standing was."""
    watched.look(0.50)
    for risk in (0.504, 0.508, 0.511):
        assert watched.look(risk).moves == 0
    assert watched.stands.as_of == NOON + DAY
    assert watched.look(0.514).moves == 1
    (change,) = watched.changes
    assert change.from_at == NOON + DAY
    assert change.to_margin - change.from_margin == pytest.approx(0.056, abs=1e-3)


def test_each_move_begins_where_the_last_one_ended(watched):
    for risk in (0.2, 0.5, 0.8, 0.3):
        watched.look(risk)
    ends = [(change.from_margin, change.to_margin) for change in watched.changes]
    assert [end for _, end in ends[:-1]] == [start for start, _ in ends[1:]]


def test_an_order_freezes_what_was_said_before_it(watched):
    """The outcome is known: that standing stays as it was, and a new one begins."""
    watched.look(0.7)
    said = watched.stands
    watched.order()
    watched.look(0.69, days=2)
    (frozen,) = watched.shop.watch.frozen("C1")
    assert frozen.frozen
    assert frozen.document["outcome"] == "stayed"
    ending = {name: frozen.document[name] for name in ("outcome", "known_at")}
    assert frozen == replace(said, frozen=True, document=said.document | ending)
    assert watched.stands.as_of == NOON + 3 * DAY
    for risk in (0.1, 0.9, 0.4):
        watched.look(risk, days=10)
    assert watched.shop.watch.frozen("C1") == [frozen]


def test_a_horizon_that_passed_without_an_order_is_churn(watched):
    """Only once the shop's events have come so far: silence of the data is no outcome."""
    watched.look(0.7)
    watched.look(0.7, days=89)
    watched.look(0.7, days=1)
    assert watched.shop.watch.frozen("C1") == []
    at = NOON + 92 * DAY
    other = {"event_id": "x", "customer_id": "C2", "occurred_at": at, "received_at": at}
    watched.shop.events.append(build_events([other]))
    watched.look(0.7, days=2)
    (frozen,) = watched.shop.watch.frozen("C1")
    assert (frozen.document["outcome"], frozen.as_of) == ("churned", NOON + DAY)


@pytest.mark.parametrize(
    ("status", "reason"),
    [("objected", "opted_out"), ("restricted", "restricted"), ("abstained", "excluded")],
)
def test_who_may_not_be_profiled_is_no_longer_followed(watched, status, reason):
    nothing = dict.fromkeys(("churn_risk", "band", "margin", "interval", "action", "model"))
    watched.look(0.2)
    watched.look(status=status, status_reason=reason, **nothing)
    assert watched.stands is None
    assert (watched.told, watched.changes) == ([], [])
    watched.look(0.9)
    assert watched.told == []


def test_who_was_erased_while_being_looked_at_is_not_followed(watched):
    """A look that began before an erasure ends after it: nothing of the person is left."""
    watched.shop.privacy.erase("C1", receipt_id="r1", at=NOON)
    watched.look(0.7)
    assert watched.stands is None


def test_who_is_silent_for_other_reasons_stays_where_they_were(watched):
    nothing = dict.fromkeys(("churn_risk", "band", "margin", "interval", "action", "model"))
    watched.look(0.7)
    said = watched.stands
    assert watched.look(status="abstained", status_reason="outside_look_back", **nothing).moves == 0
    assert watched.stands == said


def test_another_action_is_suggested_once_and_never_to_the_held_out(watched):
    watched.look(0.5)
    offer = build_action("cart_reminder", decision_id="d1")
    watched.look(0.5, action=offer)
    watched.look(0.5, action=offer)
    ((kind, body),) = watched.told
    assert kind == "action.suggested"
    assert '"decision_id":"d1"' in body
    control = build_action("service_call", decision_id="d2", group="control")
    watched.look(0.5, action=control)
    assert len(watched.told) == 1
    for decision in ("d1", "d2"):  # both are kept, so that lift can be learned
        assert watched.shop.scores.record_outcome(decision, "dismissed", at=NOON, actor="x") == "C1"


def test_a_look_at_an_earlier_instant_moves_nobody(watched):
    """The night's cutoff may lie before what the day's watch has seen already."""
    watched.look(0.2, days=2)
    assert watched.look(0.9, days=-1).moves == 0
    assert watched.told == []


class TestFollowingTheLog:
    @pytest.fixture
    def scored(self, monkeypatch):
        """Whom the watch asked scores for; the scoring itself has its own tests."""
        asked = []

        def score(shop, _champion, customers, *, as_of):
            del as_of
            asked.append(list(customers))
            at = shop.clock()
            return [build_score(one, as_of=at, action=None) for one in customers]

        monkeypatch.setattr("churnguard.jobs.risk_watch.score_customers", score)
        return asked

    def test_the_first_look_marks_the_end_of_the_log(self, watched, scored):
        assert look_at_events(watched.shop, _champion()).customers == 0
        assert watched.shop.watch.position() == Position(1, 0)
        assert scored == []

    def test_who_is_touched_is_scored_once(self, watched, scored):
        look_at_events(watched.shop, _champion())
        rows = [{"event_id": f"n{n}", "customer_id": f"C{n % 3}"} for n in range(9)]
        watched.shop.events.append(build_events(rows))
        assert look_at_events(watched.shop, _champion()).customers == 3
        assert scored == [["C0", "C1", "C2"]]
        assert look_at_events(watched.shop, _champion()).customers == 0
        assert watched.shop.watch.position() == Position(10, 0)

    def test_without_a_champion_nothing_is_passed_over(self, watched, scored):
        look_at_events(watched.shop, _champion())
        watched.shop.events.append(build_events([{"event_id": "n", "customer_id": "C7"}]))
        look_at_events(watched.shop, None)
        look_at_events(watched.shop, _champion())
        assert scored == [["C7"]]

    def test_many_are_scored_in_parts(self, watched, scored):
        look_at_events(watched.shop, _champion())
        rows = [{"event_id": f"n{n}", "customer_id": f"D{n}"} for n in range(1200)]
        watched.shop.events.append(build_events(rows))
        look_at_events(watched.shop, _champion())
        assert [len(some) for some in scored] == [500, 500, 200]


def test_the_customer_book_is_asked_right_before_sending(watched):
    """Two walls: the score says nothing of who objects, and nothing waiting is sent either."""
    from churnguard.jobs.deliver import deliver_due

    watched.look(0.2)
    watched.look(0.9)
    row = dict.fromkeys(CUSTOMER_SCHEMA.names) | {"customer_id": "C1", "opt_out_profiling": True}
    watched.shop.events.put_customers(pa.Table.from_pylist([row], schema=CUSTOMER_SCHEMA))
    shop = replace(watched.shop, clock=lambda: NOON + 3 * DAY)
    assert dict(deliver_due(shop)) == {"cancelled": 1}
    assert watched.shop.courier.sent == []
