"""Rules are read as written, answer yes, no or not known, and say in words why not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from churnguard.errors import PlaybookError
from churnguard.policy.rules import SignalTable, parse_rule

YES, UNKNOWN, NO = "yes", "not known", "no"
BELOW, ABOVE = (f"orders is 3, but must be {word} 3" for word in ("below", "above"))
NAMES = ("orders", "gap", "spend", "spend_year")


def table(*rows):
    return SignalTable.of(np.array(rows, dtype=float).reshape(len(rows), len(NAMES)), NAMES)


@pytest.mark.parametrize(
    ("written", "truth"),
    [
        ("orders >= 3", YES),
        ("orders > 3", NO),
        ("orders == 3.0", YES),
        ("orders != 3", NO),
        ("orders<=2.99", NO),
        ("orders < 4", YES),
        ("spend >= 0.5 * spend_year", YES),
        ("spend > 0.5*spend_year", NO),
        ("spend < spend_year", YES),
        ("gap < 7", UNKNOWN),
        ("gap != 7", UNKNOWN),
        ("spend < gap", UNKNOWN),
        ("tickets == 0", UNKNOWN),
        ("spend < 2 * tickets", UNKNOWN),
        ("gap is missing", YES),
        ("gap is known", NO),
        ("tickets is missing", YES),
        ("orders is known", YES),
        ([], YES),
        (["orders >= 3", "spend > 1"], YES),
        (["orders >= 3", "gap < 7"], UNKNOWN),
        (["orders >= 4", "gap < 7"], NO),
        ({"any": []}, NO),
        ({"any": ["orders >= 3", "gap < 7"]}, YES),
        ({"any": ["orders >= 4", "gap < 7"]}, UNKNOWN),
        ({"any": ["orders >= 4", {"all": ["orders == 3", "spend == 50"]}]}, YES),
        ({"all": [{"any": ["gap < 7", "gap is missing"]}, "orders >= 1"]}, YES),
    ],
)
def test_truths(written, truth):
    """Each form of a rule says yes or explains why not; what is not known is not a yes."""
    rule = parse_rule(written)
    customers = table([3, math.nan, 50, 100])
    why = rule.why_not(customers.row(0))
    assert rule.holds(customers).tolist() == [truth == YES]
    assert (why == "") == (truth == YES)
    if truth == UNKNOWN:
        assert "not known" in why or "do not carry" in why
    assert parse_rule(rule.to_toml()) == rule


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("orders >= 4.5", "orders is 3, but must be at least 4.5"),
        ("spend >= 0.75 * spend_year", "spend is 50, but must be at least 0.75 times spend_year"),
        ("spend > spend_year", "spend is 50, but must be above spend_year"),
        ("gap < 7", "gap is not known for this customer"),
        ("gap is known", "gap is not known for this customer"),
        ("orders is missing", "orders is known, but must be missing"),
        ("tickets == 0", "the shop's data do not carry tickets"),
        ("tickets is known", "the shop's data do not carry tickets"),
        (["orders < 3", "gap < 7"], f"{BELOW}; gap is not known for this customer"),
        ({"any": ["orders < 3", "orders > 3"]}, f"none of these holds: {BELOW} / {ABOVE}"),
    ],
)
def test_why_not(written, why):
    """Whoever asks why an action was passed over is told in words."""
    assert parse_rule(written).why_not(table([3, math.nan, 50, 100]).row(0)) == why


@pytest.mark.parametrize(
    "written",
    [
        "",
        "orders",
        "orders >=",
        ">= 3",
        "orders => 3",
        "orders >= 3 and gap < 7",
        "orders >= three pigs",
        "__import__('os')",
        "orders >= 3; gap < 7",
        "Orders >= 3",
        "orders >= nan2 * 3",
        "3 < orders",
        "orders >= 1e999",
        "orders is empty",
        "orders >= 3\nimport os",
        3,
        None,
        True,
        {},
        {"any": "orders >= 3"},
        {"all": [], "any": []},
        {"not": ["orders >= 3"]},
        [["orders >= 3"], 5],
    ],
)
def test_what_is_not_a_rule_is_refused(written):
    """Nothing but the small language is read, and the refusal shows how to write it."""
    with pytest.raises(PlaybookError) as refused:
        parse_rule(written)
    assert refused.value.hint or "too large" in refused.value.message


def test_endless_nesting_is_refused():
    """A rule cannot exhaust the stack."""
    written = ["orders >= 1"]
    for _ in range(500):
        written = [written]
    with pytest.raises(PlaybookError, match="nested deeper"):
        parse_rule(written)


def test_rules_name_their_signals():
    """A playbook can be checked against a catalogue before anybody is scored."""
    rule = parse_rule([{"any": ["a > 1", "b is known"]}, "c < 2 * d"])
    assert rule.signals == {"a", "b", "c", "d"}
