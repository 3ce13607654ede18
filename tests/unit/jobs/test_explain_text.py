"""What a page about one customer says where there is little to say."""

from __future__ import annotations

from churnguard.jobs.explain import Explanation
from churnguard.testing import build_score


def test_who_never_ordered_is_in_no_segment() -> None:
    """A subscriber has a risk, and no segment, since those go by orders."""
    score = build_score("C1", segment=None)
    text = Explanation(score, [], currency="EUR", timezone="UTC", churn="x").to_text()
    assert "(UTC), expected to bring in" in text
    assert "None" not in text
