"""The holdout is stable, keyed, and of the stated size."""

from __future__ import annotations

import math

import pytest

from churnguard.policy.holdout import Holdout

KEY = b"0123456789abcdef"
IDS = [f"C{number}" for number in range(20_000)]
PINNED = ["C4", "C27", "C30", "C32", "C35"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_the_share_held_out_is_the_share_asked_for(share):
    """Within four standard deviations of the binomial."""
    held = Holdout(KEY, share=share).groups(IDS).count("control")
    spread = 4 * math.sqrt(len(IDS) * share * (1 - share))
    assert abs(held - share * len(IDS)) <= spread


def test_the_group_depends_on_nothing_but_key_experiment_and_customer():
    """Another order of customers, another process, another share of others: the same group."""
    holdout = Holdout(KEY)
    forwards = dict(zip(IDS, holdout.groups(IDS), strict=True))
    backwards = dict(zip(IDS[::-1], Holdout(KEY).groups(IDS[::-1]), strict=True))
    assert forwards == backwards


def test_a_draw_is_the_same_on_every_machine():
    """The hash is pinned: an upgrade must not move anybody between the groups."""
    held = [c for c, group in zip(IDS, Holdout(KEY).groups(IDS), strict=True) if group == "control"]
    assert held[:5] == PINNED


@pytest.mark.parametrize(
    "other", [Holdout(b"fedcba9876543210"), Holdout(KEY, experiment="holdout-2")]
)
def test_another_key_or_experiment_draws_independently(other):
    """About a tenth of those held out are held out again, not all and not none."""
    first = {c for c, g in zip(IDS, Holdout(KEY).groups(IDS), strict=True) if g == "control"}
    again = sum(other.group(customer_id) == "control" for customer_id in first)
    assert abs(again / len(first) - 0.1) < 0.03


def test_raising_the_share_keeps_those_already_held_out():
    """A larger holdout only adds customers."""
    small = {c for c in IDS if Holdout(KEY, share=0.1).group(c) == "control"}
    large = {c for c in IDS if Holdout(KEY, share=0.2).group(c) == "control"}
    assert small < large


def test_propensities_are_those_of_the_groups():
    """What is stored with a decision is the probability of the group that was drawn."""
    holdout = Holdout(KEY, share=0.1)
    assert (holdout.propensity("treat"), holdout.propensity("control")) == (0.9, 0.1)


def test_the_key_never_shows():
    """A holdout can be logged without giving the key away."""
    assert KEY.decode() not in repr(Holdout(KEY))


@pytest.mark.parametrize("arguments", [{"key": b"short"}, {"share": 1.0}, {"share": -0.1}])
def test_a_useless_key_or_share_is_refused(arguments):
    """A short key could be guessed; a share of 1 would leave nobody to act on."""
    with pytest.raises(ValueError, match=r"holdout key|share held out"):
        Holdout(**{"key": KEY} | arguments)


def test_a_long_key_counts_to_its_end():
    """A key longer than the hash takes is used whole."""
    draws = {tuple(Holdout(b"k" * 100 + end).groups(IDS[:500])) for end in (b"a", b"b")}
    assert len(draws) == 2


def test_decisions_have_names_of_their_own():
    """Customer, instant, action and experiment each make another decision."""
    holdout = Holdout(KEY)
    name = holdout.decision_id("a", as_of_us=1, action="mail")
    others = {
        holdout.decision_id("b", as_of_us=1, action="mail"),
        holdout.decision_id("a", as_of_us=2, action="mail"),
        holdout.decision_id("a", as_of_us=1, action="call"),
        Holdout(KEY, experiment="x").decision_id("a", as_of_us=1, action="mail"),
        Holdout(b"f" * 16).decision_id("a", as_of_us=1, action="mail"),
    }
    assert len(others) == 5
    assert name not in others
    assert name == Holdout(KEY).decision_id("a", as_of_us=1, action="mail")
