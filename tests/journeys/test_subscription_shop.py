"""A shop of subscribers: the label is the project's, from the files to scores and a refusal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from churnguard.bootstrap import open_shop
from churnguard.errors import BundleMismatch, CatalogueError, InvalidRequest
from churnguard.jobs.build import build
from churnguard.jobs.check import check
from churnguard.jobs.explain import explain
from churnguard.jobs.horizon import horizon
from churnguard.jobs.ingest import ingest
from churnguard.jobs.promote import promote
from churnguard.jobs.score import score_everybody
from churnguard.jobs.score_customer import score
from churnguard.jobs.train import train
from churnguard.project.template import create_project
from churnguard.scoring.score import STATUS_REASONS
from churnguard.testing import FakeEngine

pytestmark = pytest.mark.timeout(300)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAYS, TERM, CUSTOMERS = 500, 30, 260
SETTINGS = """
name = "readers"
label = "subscription"
horizon_days = 60
"""
QUICK = """
[cutoffs]
step_days = 45
backtests = 2
[boosted]
trees = 30
seeds = 1
min_rows = 30
"""


def life(customer: int) -> list[tuple[str, float]]:
    """Return one customer's events: every tenth only looks in, half renew less and less."""
    chance = np.random.default_rng(customer)
    begun = float(chance.uniform(0, 300))
    seen = [("signed_in", float(day)) for day in chance.uniform(begun, DAYS, 12)]
    if customer % 10 == 0:
        return seen
    events, day = [("subscription_started", begun)], begun
    stays = 0.96 if customer % 2 else 0.75
    while (day := day + TERM) < DAYS:
        if chance.random() > stays:
            return [*events, ("subscription_cancelled", day), *seen[:4]]
        events.append(("subscription_renewed", day))
    return [*events, *(seen if customer % 2 else seen[:4])]


def write_events(file) -> None:
    start = NOW - timedelta(days=DAYS)
    lines = [
        f"e{customer}-{place},C{customer:03},{event},{(start + timedelta(days=day)).isoformat()}"
        for customer in range(CUSTOMERS)
        for place, (event, day) in enumerate(life(customer))
    ]
    head = "event_id,customer_id,event,occurred_at"
    file.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("readers") / "shop"
    layout = create_project(root)
    (root / "churnguard.toml").write_text(SETTINGS, encoding="utf-8")
    (layout.training / "quick.toml").write_text(QUICK, encoding="utf-8")
    write_events(root / "events.csv")
    shop = open_shop(root, clock=lambda: NOW, environ={})
    ingest(shop, [root / "events.csv"])
    train(shop, recipe="quick")
    return root


@pytest.fixture(scope="module")
def shop(root):
    return open_shop(root, clock=lambda: NOW, environ={})


def running(customer: int) -> bool:
    """Tell whether the subscription runs at the end."""
    events = [event for event, _ in life(customer) if event.startswith("subscription")]
    return bool(events) and events[-1] != "subscription_cancelled"


def test_who_subscribes_gets_a_number_and_nobody_else(shop) -> None:
    """The rest abstain, and the answer says why; those who renew less are at more risk."""
    customers = range(CUSTOMERS)
    found = score(shop, [f"C{customer:03}" for customer in customers])
    for customer, one in zip(customers, found, strict=True):
        assert (one.status == "scored") == running(customer)
        assert one.status_reason in (None, "no_subscription")
    risk = {c: s.churn_risk for c, s in zip(customers, found, strict=True) if s.churn_risk}
    keen = np.mean([r for c, r in risk.items() if c % 2])
    cool = np.mean([r for c, r in risk.items() if not c % 2])
    assert cool > keen + 0.05
    assert "no running subscription" in STATUS_REASONS["no_subscription"]


def test_the_reasons_and_the_card_speak_of_the_subscription(shop) -> None:
    told = explain(shop, f"C{next(c for c in range(CUSTOMERS) if running(c)):03}")
    assert "risk of a subscription that ends within 60 days" in told.to_text()
    assert "subscriptions" in {reason.family for reason in told.score.reasons}
    card = shop.registry().fetch_bundle("1", shop.root / "fetched") / "card.md"
    assert "a subscription that ends within 60 days" in card.read_text(encoding="utf-8")
    assert "'subscription'" in card.read_text(encoding="utf-8")


def test_a_night_on_an_engine_scores_the_same(shop, tmp_path) -> None:
    """Label and bundle travel to the workers."""
    events = pa.concat_tables(shop.events.partitions(), promote_options="permissive")
    here = score_everybody(shop).to_dict()
    there = score_everybody(shop, engine=FakeEngine(events, partitions=3)).to_dict()
    assert here["status"] == there["status"]
    assert here["status"]["no_subscription"] == CUSTOMERS - here["status"]["scored"]
    rows, _ = build(shop, [NOW - timedelta(days=100)])
    assert rows["churned"].null_count == 0
    assert set(rows["customer_id"].to_pylist()).isdisjoint({"C000", "C010", "C020"})


def test_a_model_of_another_label_is_refused(root) -> None:
    """Scoring and promoting say which label is which; the silence advisor has nothing to say."""
    other = open_shop(root, clock=lambda: NOW, environ={"CHURNGUARD_LABEL": "activity"})
    with pytest.raises(BundleMismatch, match="label 'subscription', and the project's is 'activ"):
        score(other, ["C001"])
    with pytest.raises(BundleMismatch, match="its risks mean something else"):
        promote(other, "1", approved_by="Dana")
    assert horizon(other).customers > 200
    with pytest.raises(InvalidRequest, match="churn has a date of its own"):
        horizon(open_shop(root, clock=lambda: NOW, environ={}))


def test_readiness_is_asked_of_the_label(shop) -> None:
    """Without a single order, the shop can be trained on; who subscribes is eligible."""
    ready = check(shop, recipe="quick")
    assert ready.eligible_now == sum(running(customer) for customer in range(CUSTOMERS))
    assert not any(wanting.hinders for wanting in ready.wanting)
    assert all(0 < count.churned < count.rows for count in ready.cutoffs)


def test_a_label_by_which_nobody_can_be_scored_is_refused_before_training(root) -> None:
    environ = {"CHURNGUARD_LABEL": "activity:page_read"}
    with pytest.raises(CatalogueError, match="No signal tells when"):
        train(open_shop(root, clock=lambda: NOW, environ=environ), recipe="quick")


def test_a_shop_that_is_only_looked_at_has_a_model_too(root) -> None:
    """By activity: trained, promoted by name over the other label, and scored."""
    environ = {"CHURNGUARD_LABEL": "activity"}
    other = open_shop(root, clock=lambda: NOW, environ=environ)
    made = train(other, recipe="quick")
    promote(other, made.version, approved_by="Dana")
    found = score(other, [f"C{customer:03}" for customer in range(0, CUSTOMERS, 10)])
    assert {one.status for one in found} == {"scored"}
    assert "'signed_in' in the next 60 days" in explain(other, "C000").to_text()
