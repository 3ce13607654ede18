"""The playbook that is handed out can be used as it stands, and the documentation shows it."""

from __future__ import annotations

import pytest

from churnguard.features.catalogue import Catalogue
from churnguard.policy.playbook import LANGUAGES, placeholders, read_playbook
from churnguard.policy.segments import SEGMENTS, segment_table
from churnguard.policy.table import playbook_table

MUST_HAVE = {
    "leave_alone",
    "cart_reminder",
    "favourite_item_offer",
    "win_back_coupon",
    "second_purchase_nudge",
    "service_call",
    "search_help",
    "replenishment",
    "early_access",
    "loyalty_tier",
    "first_order_anniversary",
    "easy_returns",
    "premium_track",
}


@pytest.fixture(scope="module")
def playbook(repo_root):
    return read_playbook(repo_root / "serving" / "playbook.toml")


def test_the_promised_actions_are_there(playbook):
    """Twelve retention actions at least, and leaving alone."""
    assert set(playbook.by_code) >= MUST_HAVE


def test_every_rule_refers_to_signals_that_exist(playbook):
    """A rule over a signal that nobody computes would never make anybody eligible."""
    assert playbook.signals <= set(Catalogue.of().names)


def test_every_text_is_in_both_languages_with_the_same_placeholders(playbook):
    """Hebrew texts are Hebrew, English ones are not, and both have the same gaps to fill."""
    for action in playbook.actions:
        for texts in (action.name, action.description, action.message):
            assert set(texts) == set(LANGUAGES)
            assert placeholders(texts["en"]) == placeholders(texts["he"])
            assert any("א" <= letter <= "ת" for letter in texts["he"]), action.code
            assert not any("א" <= letter <= "ת" for letter in texts["en"]), action.code


def test_no_hebrew_text_stands_twice(playbook):
    """Every action was translated for itself."""
    texts = [action.description["he"] for action in playbook.actions]
    assert len(texts) == len(set(texts))


def test_priors_are_modest_and_better_ones_cost_more(playbook):
    """No shipped prior promises more than a good call achieved in an experiment."""
    assert all(action.prevents <= 0.11 for action in playbook.actions)
    dear = [a for a in playbook.actions if a.prevents > 0.02]
    assert all(action.cost >= 1 or action.gives_away > 0 for action in dear)


def test_the_documentation_shows_the_playbook_as_it_is(playbook, repo_root):
    """Whoever reads the table reads the file."""
    shown = _between_marks((repo_root / "docs" / "actions.md").read_text(encoding="utf-8"))
    assert shown == playbook_table(playbook)


def test_the_documentation_shows_the_segments_as_they_are(repo_root):
    """Whoever reads the table reads the rules."""
    shown = _between_marks((repo_root / "docs" / "scores.md").read_text(encoding="utf-8"))
    assert shown == segment_table()
    assert {segment.code for segment in SEGMENTS} == {
        "new", "one_time", "loyal", "high_value", "rising", "at_risk", "dormant",
    }  # fmt: skip


def _between_marks(text: str) -> str:
    _, _, rest = text.partition("<!-- table:")
    return rest.partition("-->\n")[2].partition("<!-- end of table -->")[0].strip()
