"""Whatever the OpenAPI document allows, and what it forbids, is answered as it says.

Schemathesis makes the requests of the document itself, so a new route is tried as soon as there is
one: no answer is an error of ours, each has a described status, media type and body, wrong data is
refused, and no route forgets to ask for a key.
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from churnguard.jobs.keys import SCOPES
from churnguard.project.settings import Settings
from churnguard.serving import create_app
from churnguard.serving.auth import KeyRing
from churnguard.serving.failed_tries import FailedTries
from churnguard.testing import (
    NOON,
    FakeChampion,
    FakeScorer,
    build_events,
    build_score,
    fake_shop,
)
from churnguard.testing.shop import SETTINGS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SCORES = [build_score("C1"), build_score("C2", churn_risk=0.4, band="medium")]
UNLIMITED = {"requests_per_minute": 0, "events_per_minute": 0}
QUICK = settings(
    max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
LONG = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def _service():
    shop = fake_shop(
        SCORES, events=build_events(), settings=Settings.model_validate(SETTINGS | UNLIMITED)
    )
    key = shop.keys.create("any", tuple(SCOPES), now=NOON)[1]
    app = create_app(shop, FakeChampion(), scorer=FakeScorer(SCORES))
    app.state.keys = KeyRing(shop, tries=_Patient())
    return app, key


class _Patient(FailedTries):
    """Wrong keys are sent on purpose here, and by the hundred."""

    def wait(self, names):
        return 0


APP, KEY = _service()
schema = schemathesis.openapi.from_asgi("/openapi.json", APP)
WANTED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
)
checks = CHECKS.get_by_names(WANTED)


def _try(case):
    case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, checks=checks)


@schema.parametrize()
@QUICK
def test_any_request_is_answered_as_described(case):
    """A few requests of every kind, the same each time."""
    _try(case)


@pytest.mark.slow
@schema.parametrize()
@LONG
def test_very_many_requests_are_answered_as_described(case):
    """The same, at length and at random."""
    _try(case)
