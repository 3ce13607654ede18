"""The action chosen brings in most, and leaving alone always stands against it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from churnguard.policy.choice import Contact, choose_actions, eligible, why_not_eligible
from churnguard.policy.playbook import Action, Playbook
from churnguard.policy.rules import SignalTable, parse_rule

AS_OF = datetime(2026, 11, 21, tzinfo=UTC)
TEXT = {"en": "Text", "he": "טקסט"}


def action(code="leave_alone", **changes):
    given = {
        "name": TEXT,
        "description": TEXT,
        "message": TEXT,
        "channel": "none",
        "consent": "none",
        "when": [],
        "cost": 0.0,
        "gives_away": 0.0,
        "cooldown_days": 0.0,
        "prevents": 0.0,
        "basis": "prior",
        "priority": 0,
    } | changes
    return Action(code=code, **given | {"when": parse_rule(given["when"])})


def playbook(*actions):
    return Playbook((action(), *actions), digest="")


def one(**signals):
    return SignalTable.of(np.array([list(signals.values())], dtype=float), tuple(signals))


def choose(book, table=None, *, risk=0.5, value=100.0, contact=None):
    choices = choose_actions(
        book,
        table or one(orders=1.0),
        risks=np.array([risk]),
        values=np.array([value]),
        contact=contact or Contact({}, {}, AS_OF),
    )
    return choices.actions[choices.chosen[0]].code, choices.gains[0], choices.costs[0]


def test_the_largest_gain_wins():
    """Prevented churn times value, less the cost, decides."""
    cheap = action("cheap", prevents=0.05, cost=0.5)
    dear = action("dear", prevents=0.1, cost=4.0)
    assert choose(playbook(cheap, dear)) == ("cheap", pytest.approx(2.0), 0.5)
    assert choose(playbook(cheap, dear), value=1000.0) == ("dear", pytest.approx(46.0), 4.0)


@pytest.mark.parametrize(("risk", "value"), [(0.5, 19.0), (0.0, 1e6), (0.5, 0.0)])
def test_what_does_not_pay_is_left_alone(risk, value):
    """No gain, no contact."""
    book = playbook(action("mail", prevents=0.1, cost=1.0))
    assert choose(book, risk=risk, value=value) == ("leave_alone", 0.0, 0.0)


def test_what_is_given_away_to_those_who_would_stay_is_a_cost():
    """A discount costs most where it is needed least."""
    book = playbook(action("coupon", prevents=0.1, cost=1.0, gives_away=0.05))
    assert choose(book, risk=0.6) == ("coupon", pytest.approx(1.89796), pytest.approx(3.0))
    assert choose(book, risk=0.2)[0] == "leave_alone"


def test_who_is_as_good_as_gone_is_not_worth_a_contact():
    """An effect is one on the odds: near certainty there is little left to prevent."""
    book = playbook(action("mail", prevents=0.1, cost=1.0))
    assert choose(book, risk=0.5)[1] == pytest.approx(4.0)
    assert choose(book, risk=0.995) == ("leave_alone", 0.0, 0.0)
    assert choose(book, risk=1.0) == ("leave_alone", 0.0, 0.0)


def test_ties_are_decided_by_priority_then_by_code():
    """The same choice on every machine and in every order of the file."""
    first = action("b", prevents=0.1, priority=1)
    second = action("a", prevents=0.1)
    third = action("c", prevents=0.1)
    assert choose(playbook(second, third, first))[0] == "b"
    assert choose(playbook(third, second))[0] == "a"


@pytest.mark.parametrize(
    ("consent", "code"),
    [({}, "leave_alone"), ({"email": False}, "leave_alone"), ({"email": True}, "mail")],
)
def test_no_consent_no_contact(consent, code):
    """An action is taken only with consent for its channel on record."""
    book = playbook(action("mail", channel="email", consent="email", prevents=0.1))
    known = {channel: np.array([said]) for channel, said in consent.items()}
    assert choose(book, contact=Contact(known, {}, AS_OF))[0] == code


def test_a_cooldown_ends_to_the_instant():
    """An action comes back when its days are over, not before, and other actions do not count."""
    mail = action("mail", cooldown_days=7, prevents=0.1)
    for ago, may in ((timedelta(days=7), True), (timedelta(days=7, seconds=-1), False)):
        contact = Contact({}, {0: {"mail": AS_OF - ago, "other": AS_OF}}, AS_OF)
        assert eligible(mail, one(orders=1.0), contact).tolist() == [may]


def test_missing_signals_make_an_action_not_eligible_and_say_why():
    """Unknown is not yes; every reason is told at once, for each action passed over."""
    mail = action("mail", when=["tickets == 0"], channel="email", consent="email", cooldown_days=7)
    call = action("call", when=["orders >= 2"])
    contact = Contact({}, {0: {"mail": AS_OF - timedelta(days=1)}}, AS_OF)
    assert why_not_eligible(playbook(mail, call), one(orders=1.0), 0, contact=contact) == {
        "mail": "the shop's data do not carry tickets; no consent for email is on record; "
        "taken too recently: its cooldown lasts 6.0 more days",
        "call": "orders is 1, but must be at least 2",
    }
