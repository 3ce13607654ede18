"""What holds for every playbook, rule and customer."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from churnguard.errors import PlaybookError
from churnguard.policy.choice import Contact, choose_actions, why_not_eligible
from churnguard.policy.playbook import Action, Playbook
from churnguard.policy.rules import AllOf, AnyOf, Comparison, Presence, SignalTable, parse_rule
from churnguard.policy.value import expected_values

AS_OF = datetime(2026, 11, 21, tzinfo=UTC)
TEXT = {"en": "Text", "he": "טקסט"}
KNOWN = ("a", "b_30d", "c")
NAMES = st.sampled_from([*KNOWN, "not_carried"])
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: number + 0.0)

comparisons = st.builds(
    Comparison,
    signal=NAMES,
    sign=st.sampled_from(["<", "<=", "==", "!=", ">=", ">"]),
    number=NUMBERS,
    other=st.none() | NAMES,
)
rules = st.recursive(
    comparisons | st.builds(Presence, signal=NAMES, missing=st.booleans()),
    lambda parts: st.builds(
        lambda kind, some: kind(tuple(some)),
        st.sampled_from([AllOf, AnyOf]),
        st.lists(parts, max_size=3),
    ),
    max_leaves=6,
)
values = st.sampled_from([math.nan, 0.0, 1.0, -1.0, 2.5]) | NUMBERS
tables = st.lists(st.tuples(values, values, values), min_size=1, max_size=5).map(
    lambda rows: SignalTable.of(np.array(rows, dtype=float), KNOWN)
)
money = st.floats(0, 1000)
shares = st.floats(0, 1)


def oracle(rule, row):
    """Kleene's logic, one customer, written as plainly as it can be."""
    if isinstance(rule, AllOf | AnyOf):
        parts = [oracle(part, row) for part in rule.parts]
        decisive = isinstance(rule, AnyOf)
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive
    if isinstance(rule, Presence):
        return math.isnan(row.get(rule.signal, math.nan)) == rule.missing
    left = row.get(rule.signal, math.nan)
    right = rule.number if rule.other is None else rule.number * row.get(rule.other, math.nan)
    if math.isnan(left) or math.isnan(right):
        return None
    return {
        "<": left < right, "<=": left <= right, "==": left == right,
        "!=": left != right, ">=": left >= right, ">": left > right,
    }[rule.sign]  # fmt: skip


@given(rules, tables)
def test_rules_answer_as_plain_logic_does(rule, table):
    """Only what Kleene's logic calls a yes holds; there is a reason exactly where it does not."""
    holds = rule.holds(table)
    for place in range(len(table)):
        row = table.row(place)
        expected = oracle(rule, row)
        assert holds[place] == rule.holds_for(table.signals_of(place)) == (expected is True)
        assert (rule.why_not(row) == "") == (expected is True)


@given(rules)
def test_a_rule_survives_being_written_and_read(rule):
    """What stands in the file is the rule, to the last digit."""
    assert parse_rule(rule.to_toml()) == rule


@given(st.text(max_size=60) | st.text(alphabet="ab_0.<>=!*-e is known any", max_size=30))
def test_any_text_is_a_rule_or_is_refused(text):
    """Nothing else can come out of reading a rule, whatever is written."""
    try:
        rule = parse_rule(text)
    except PlaybookError:
        return
    assert parse_rule(rule.to_toml()) == rule
    assert rule.signals


@st.composite
def actions(draw, code):
    return Action(
        code=code, name=TEXT, description=TEXT, message=TEXT, channel="email",
        consent=draw(st.sampled_from(["none", "email", "phone"])),
        when=draw(rules | st.just(AllOf(()))), cost=draw(money), gives_away=draw(shares),
        cooldown_days=draw(st.sampled_from([0.0, 7.0, 30.0])), prevents=draw(st.floats(0, 0.99)),
        basis="prior", priority=draw(st.integers(-2, 2)),
    )  # fmt: skip


LEAVE_ALONE = Action(
    code="leave_alone", name=TEXT, description=TEXT, message=TEXT, channel="none", consent="none",
    when=AllOf(()), cost=0.0, gives_away=0.0, cooldown_days=0.0, prevents=0.0, basis="prior",
    priority=-9,
)  # fmt: skip
playbooks = st.tuples(actions("x"), actions("y"), actions("z")).map(
    lambda three: Playbook((*three, LEAVE_ALONE), digest="")
)


@st.composite
def situations(draw):
    table = draw(tables)
    n = len(table)

    def column(of, dtype):
        return np.array(draw(st.lists(of, min_size=n, max_size=n)), dtype=dtype)

    consent = {"email": column(st.booleans(), bool)}
    days = st.sampled_from([0, 6, 7, 8, 31])
    taken = draw(
        st.dictionaries(
            st.integers(0, n - 1),
            st.dictionaries(
                st.sampled_from("xyz"), days.map(lambda ago: AS_OF - timedelta(days=ago))
            ),
        )
    )
    return table, column(shares, float), column(money, float), Contact(consent, taken, AS_OF)


def best_by_hand(playbook, situation, place):
    """Try every action in turn, one customer at a time."""
    table, risks, worth, contact = situation
    risk, value = float(risks[place]), float(worth[place])
    best = (0.0, 1, 0, "leave_alone")
    for action in playbook.actions:
        if action.code == "leave_alone" or oracle(action.when, table.row(place)) is not True:
            continue
        if action.consent == "phone" or (
            action.consent == "email" and not contact.consent["email"][place]
        ):
            continue
        last = contact.last_actions.get(place, {}).get(action.code)
        if last is not None and AS_OF - last < timedelta(days=action.cooldown_days):
            continue
        cost = action.cost + action.gives_away * ((1 - risk) * value)
        odds = (1.0 - action.prevents) / (1.0 + action.prevents)
        stay = 1.0 - risk
        gain = risk * stay * (1.0 - odds) / (stay + risk * odds) * value - cost
        best = max(best, (gain, 0, action.priority, action.code), key=_order)
    return best[3], best[0]


def _order(candidate):
    gain, leave_alone, priority, code = candidate
    return gain, leave_alone, priority, [-ord(letter) for letter in code]


@settings(max_examples=300)
@given(playbooks, situations())
def test_the_choice_is_the_best_of_all_and_never_below_leaving_alone(playbook, situation):
    """A brute-force search over every action finds nothing better, and finds the same."""
    table, risks, worth, contact = situation
    choices = choose_actions(playbook, table, risks=risks, values=worth, contact=contact)
    assert (choices.gains >= 0).all()
    for place in range(len(table)):
        code, gain = best_by_hand(playbook, situation, place)
        chosen = choices.actions[choices.chosen[place]]
        assert (chosen.code, choices.gains[place]) == (code, gain)
        assert chosen.code not in why_not_eligible(playbook, table, place, contact=contact)


@given(playbooks, situations())
def test_one_customer_is_chosen_for_as_among_many(playbook, situation):
    """Neither the other customers nor the order of the file changes the choice or its numbers."""
    table, risks, worth, contact = situation
    many = choose_actions(playbook, table, risks=risks, values=worth, contact=contact)
    turned = Playbook(playbook.actions[::-1], digest="")
    for place in range(len(table)):
        only = slice(place, place + 1)
        alone = Contact(
            {"email": contact.consent["email"][only]},
            {0: contact.last_actions.get(place, {})},
            AS_OF,
        )
        one = choose_actions(
            turned,
            table.rows(np.array([place])),
            risks=risks[only],
            values=worth[only],
            contact=alone,
        )
        assert one.actions[one.chosen[0]].code == many.actions[many.chosen[place]].code
        assert (one.gains[0], one.costs[0]) == (many.gains[place], many.costs[place])


@given(
    st.floats(-1e4, 1e6) | st.just(math.nan),
    st.integers(0, 500).map(float) | st.just(math.nan),
    st.floats(0, 1e6),
    st.floats(0.01, 1),
)
def test_value_lies_between_own_spend_and_the_shops_mean(spend, orders, mean, margin):
    """Shrinking never leaves the two, whatever is missing."""
    (value,) = expected_values(
        np.array([spend]), np.array([orders]), shop_mean_spend=mean, horizon_days=365, margin=margin
    )
    own = mean if math.isnan(spend) else max(spend, 0.0)
    slack = 1e-9 * max(own, mean, 1)
    assert min(own, mean) * margin - slack <= value <= max(own, mean) * margin + slack
