"""Pages of the at-risk list, whatever the scores."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnguard.errors import InvalidRequest
from churnguard.jobs.at_risk import at_risk
from churnguard.jobs.ports import AtRiskQuery
from churnguard.testing import build_action, build_score, fake_shop

_NUMBERS = st.sampled_from([0.0, -0.0, 0.1, 0.1 + 0.2, 0.3, 1e-12, 0.9999999999999999])
_IDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5)


@settings(deadline=None)
@given(
    st.dictionaries(_IDS, st.tuples(_NUMBERS, _NUMBERS), max_size=25),
    st.sampled_from(["expected_gain", "risk"]),
    st.integers(1, 7),
    st.integers(1, 7),
)
def test_every_row_comes_once_and_in_order(rows, sort, first, then):
    """Ties and strange ids included; a page may be of another size than the one before."""
    scores = [
        build_score(
            name,
            churn_risk=risk,
            action=build_action(expected_gain=gain, decision_id=f"d-{name}"),
        )
        for name, (risk, gain) in rows.items()
    ]
    shop = fake_shop(scores)
    seen, token, size = [], "", first
    while True:
        page = at_risk(shop, AtRiskQuery(sort=sort, page_size=size), page_token=token)
        assert page.total == len(rows)
        assert len(page.scores) <= size
        seen += [score.customer_id for score in page.scores]
        token, size = page.next_page_token, then
        if not token:
            break
    place = {"expected_gain": 1, "risk": 0}[sort]
    assert seen == sorted(rows, key=lambda name: (-rows[name][place], name))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_made_up_token_gets_past(token):
    """Whatever is sent as a token, the answer is a page or a sentence for a person."""
    shop = fake_shop([build_score("C1")])
    if token == "":
        assert at_risk(shop, AtRiskQuery(), page_token=token).total == 1
        return
    with pytest.raises(InvalidRequest) as refused:
        at_risk(shop, AtRiskQuery(), page_token=token)
    assert refused.value.hint
