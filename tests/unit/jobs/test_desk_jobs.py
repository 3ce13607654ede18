"""The jobs behind the API and the desk."""

from __future__ import annotations

from datetime import timedelta

import pytest

from churnguard.errors import (
    CustomerNotFound,
    DecisionNotFound,
    InvalidRequest,
    ModelNotFound,
)
from churnguard.jobs.at_risk import at_risk
from churnguard.jobs.customer_story import customer_story
from churnguard.jobs.model_card import model_card
from churnguard.jobs.ports import AtRiskQuery
from churnguard.jobs.privacy import object_to_profiling
from churnguard.jobs.record_outcome import record_outcome
from churnguard.testing import MODEL, NOON, FakeModel, build_events, build_score, fake_shop


def _no_model(_):
    raise ModelNotFound("There is no champion yet.")


def test_a_shop_that_scored_nothing_has_an_empty_list():
    page = at_risk(fake_shop(), AtRiskQuery())
    assert (page.scores, page.total, page.next_page_token, page.run) == ((), 0, "", None)


def test_outcomes_are_checked_before_they_are_stored():
    shop = fake_shop([build_score("C1")])
    with pytest.raises(InvalidRequest, match="not an outcome"):
        record_outcome(shop, "d-C1", "sold", actor="dana")
    with pytest.raises(InvalidRequest, match="501 characters"):
        record_outcome(shop, "d-C1", "contacted", actor="dana", note="x" * 501)
    with pytest.raises(DecisionNotFound):
        record_outcome(shop, "none", "contacted", actor="dana")
    assert shop.scores.outcomes_of("C1") == []


def test_the_card_is_that_of_the_model_which_answers():
    """Not of a newer one which the ledger names but which has not been loaded."""
    shop = fake_shop()
    for version, bundle, approved_by in (
        (MODEL.version, MODEL.bundle, "dana"),
        ("13", "sha256:new", "noa"),
    ):
        shop.ledger.append(
            at=NOON,
            version=version,
            bundle=bundle,
            approved_by=approved_by,
            reason="",
            trained_until=NOON,
            labels_through=NOON,
        )
    assert model_card(shop, FakeModel()).approved_by == "dana"
    with pytest.raises(ModelNotFound):
        model_card(shop, None)


def test_a_story_tells_only_what_was_known_at_its_instant():
    """Neither events after the score's instant nor those that were received later."""
    early, late = NOON - timedelta(days=1), NOON + timedelta(days=1)
    rows = [
        {"event_id": "seen", "occurred_at": early},
        {"event_id": "future", "occurred_at": late},
        {"event_id": "told late", "occurred_at": early, "received_at": late},
        {"event_id": "no part of it", "event": "product_viewed"},
    ]
    shop = fake_shop([build_score("C1")], events=build_events(rows))
    assert len(customer_story(shop, "C1", score_at=_no_model).moments) == 1


def test_a_story_without_a_model_tells_what_is_stored():
    shop = fake_shop([build_score("C1", reasons=None)])
    story = customer_story(shop, "C1", score_at=_no_model)
    assert story.score is not None
    assert story.score.reasons is None


def test_reasons_of_another_number_are_not_borrowed():
    """When today's model gives another margin, its reasons would explain the wrong thing."""
    shop = fake_shop([build_score("C1", reasons=None)])
    story = customer_story(shop, "C1", score_at=lambda _: build_score("C1", margin=0.5))
    assert story.score is not None
    assert story.score.reasons is None


def test_a_story_does_not_tell_what_was_said_before_an_objection():
    shop = fake_shop([build_score("C1")], events=build_events())
    object_to_profiling(shop, "C1", actor="test")
    story = customer_story(shop, "C1", score_at=lambda _: build_score("C1", status="objected"))
    assert story.score is not None
    assert (story.score.status, story.listed) == ("objected", False)


def test_a_stranger_has_no_story():
    with pytest.raises(CustomerNotFound):
        customer_story(fake_shop(), "C1", score_at=_no_model)


def test_a_customer_before_the_first_score_has_a_story_without_one():
    story = customer_story(fake_shop(events=build_events()), "C1", score_at=_no_model)
    assert (story.score, len(story.moments), story.outcome) == (None, 1, None)
