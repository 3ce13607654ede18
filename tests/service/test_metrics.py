"""What Prometheus is told: everything promised, in bounded number, about nobody."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

import churnguard
from churnguard.jobs.champion import RefusedModel
from churnguard.jobs.deliver import deliver_due
from churnguard.jobs.gauges import MOST_FEATURES, gauges
from churnguard.jobs.keys import create_key
from churnguard.jobs.ports import Message
from churnguard.jobs.privacy import object_to_profiling
from churnguard.jobs.watch_book import LOOKS, WatchBook
from churnguard.project.layout import Layout
from churnguard.testing import (
    NOON,
    FakeChampion,
    FakeCourier,
    FakeReceipt,
    build_events,
    build_run,
    build_score,
    fake_shop,
)

PROMISED = {
    "churnguard_http_request_duration_seconds",
    "churnguard_http_requests_refused",
    "churnguard_scores",
    "churnguard_build_info",
    "churnguard_store_up",
    "churnguard_model_loaded",
    "churnguard_model_refused",
    "churnguard_batch_last_success_timestamp_seconds",
    "churnguard_webhook_deliveries",
    "churnguard_webhook_waiting",
}


@pytest.fixture
def observed(client):
    """Ask for the metrics of the app that ``client`` asks."""
    key = create_key(client.app.state.door.shop, "prometheus", ["metrics:read"])[1]

    def families():
        answer = client.as_key(key).get("/metrics")
        assert answer.status_code == 200
        return {one.name: one for one in text_string_to_metric_families(answer.text)}

    return families


def value(family, name, **labels):
    return sum(
        one.value
        for one in family.samples
        if one.name == name and labels.items() <= one.labels.items()
    )


def test_every_promised_metric_is_there(client, observed):
    client.get("/v1/customers/C1/score")
    assert observed().keys() >= PROMISED
    assert all(name.startswith("churnguard_") for name in observed())


def test_every_metric_that_is_documented_moves(make_client, tmp_path, repo_root):
    """What stands in docs/observability.md is told, and changes with what it tells of."""
    page = (repo_root / "docs" / "observability.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(churnguard_\w+)` \|", page, re.MULTILINE)
    churnguard.create_project(tmp_path / "shop")
    real = churnguard.open_shop(tmp_path / "shop", clock=lambda: NOON, environ={})
    shop, champion = replace(real, courier=FakeCourier(_by_address)), FakeChampion()
    key = shop.keys.create("test", ["scores:read"], now=NOON)[1]
    client = make_client(shop, champion=champion, open_desk=True, key=key)
    before = _told(client)
    _make_everything_happen(client, shop, champion)
    after = _told(client)
    assert len(documented) >= 14
    still = {name for name in documented if after.get(name) == before.get(name)}
    assert still == {"churnguard_build_info", "churnguard_store_up"}, (
        "a store that is down: see below"
    )
    outcomes = {
        labels["outcome"]: number for labels, number in after["churnguard_webhook_deliveries_total"]
    }
    assert outcomes == {"delivered": 1, "retried": 1, "failed": 1, "cancelled": 1}


def _told(client):
    """Return each metric's labels and values; counters are named with their ``_total``."""
    found = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for one in family.samples:
            name = one.name if one.name.endswith("_total") else family.name
            found.setdefault(name, []).append((one.labels, one.value))
    return found


def _by_address(url, _body, _headers):
    return FakeReceipt({"later": 500, "gone": 410}.get(url.rsplit("/")[-1], 204))


def _make_everything_happen(client, shop, champion):
    """Score, be full, store and promote, refuse, deliver well and badly, drift."""
    client.post("/v1/scores", json={"items": [{"customer_id": "C1"}]})
    places = client.app.state.places
    most, places.most = places.most, 0
    assert client.get("/v1/model").status_code == 503
    places.most = most
    shop.scores.save_run(build_run(customers=1), [build_score("C1")])
    shop.events.append(build_events([{"customer_id": "C1"}, {"customer_id": "objector"}]))
    instants = dict.fromkeys(("at", "trained_until", "labels_through"), NOON)
    shop.ledger.append(version="1", bundle="b", approved_by="d", reason="r", **instants)
    champion.model, champion.refused = None, RefusedModel("13", "damaged", "It is damaged.")
    WatchBook(Layout(shop.root).data / LOOKS).put("2026-11-08", {"ratios": {"days_silent": 0.4}})
    for number, where in enumerate(("well", "later", "gone")):
        shop.outbox.add_endpoint(f"https://crm.example/{where}", [f"risk.{where}"], now=NOON)
        shop.outbox.put([Message(f"msg_{number}", f"risk.{where}", "C1", "{}", NOON)])
    shop.outbox.put([Message("msg_9", "risk.well", "objector", "{}", NOON)])
    object_to_profiling(shop, "objector", actor="test")
    deliver_due(shop, draw=lambda: 0.0)


def test_requests_are_counted_by_template_and_class_of_status(client, observed):
    for customer in ("C1", "C2", "nobody"):
        client.get(f"/v1/customers/{customer}/score")
    told = observed()["churnguard_http_request_duration_seconds"]
    name = "churnguard_http_request_duration_seconds_count"
    route = "/v1/customers/{customer_id}/score"
    assert value(told, name, route=route, status="2xx") == 2
    assert value(told, name, route=route, status="4xx") == 1


def test_scores_are_counted_by_band(client, observed):
    items = [{"customer_id": one} for one in ("C1", "C2", "C3", "nobody")]
    client.post("/v1/scores", json={"items": items})
    told = observed()["churnguard_scores"]
    bands = {
        band: value(told, "churnguard_scores_total", band=band)
        for band in ("high", "medium", "none")
    }
    assert bands == {"high": 1, "medium": 1, "none": 2}


def test_without_the_scope_there_are_no_metrics(client, new_key):
    assert client.as_key(None).get("/metrics").status_code == 401
    assert client.as_key(new_key("scores:read")).get("/metrics").status_code == 403


def test_at_an_open_desk_they_are_open(make_client):
    assert make_client(open_desk=True).get("/metrics").status_code == 200


def test_a_store_that_is_down_is_told_and_the_rest_stays(make_client):
    class Down:
        def latest_run(self):
            from churnguard.errors import StoreError

            raise StoreError("It is down.")

    shop = fake_shop()
    found = {one.name: one.value for one in gauges(replace(shop, scores=Down()))}
    assert found["churnguard_store_up"] == 0
    assert "churnguard_webhook_waiting" in found


def test_a_refused_champion_is_told(make_client):
    champion = FakeChampion(refused=RefusedModel("13", "damaged", "It is damaged."))
    client = make_client(champion=champion, open_desk=True)
    assert "churnguard_model_refused 1.0" in client.get("/metrics").text


def test_drift_is_told_of_the_newest_look_and_of_so_many_signals(tmp_path):
    shop = fake_shop(root=tmp_path)
    book = WatchBook(tmp_path / "data" / LOOKS)
    book.put("2026-11-01", {"ratios": {"old": 9.0}})
    book.put("2026-11-08", {"ratios": {f"s{n}": n / 100 for n in range(300)}})
    told = [one for one in gauges(shop) if one.name == "churnguard_feature_drift_ratio"]
    assert len(told) == MOST_FEATURES
    assert told[0].labels == {"feature": "s299"}


def test_strange_requests_make_no_new_series(client, observed):
    """F46: whatever strangers send, the number of series is bounded by the routes."""
    client.get("/v1/nothing")
    client.request("PROPFIND", "/v1/model")
    before = sum(len(one.samples) for one in observed().values())
    for number in range(300):
        client.get(f"/v1/nothing/{number}")
        client.get(f"/v1/customers/stranger-{number}@example.com/score")
        client.request(f"METHOD{number}", "/v1/model")
    after = observed()
    told = after["churnguard_http_request_duration_seconds"]
    routes = {one.labels["route"] for one in told.samples}
    assert routes <= {*client.app.openapi()["paths"], "unmatched"}
    assert {one.labels["method"] for one in told.samples} <= {"GET", "POST", "other"}
    assert sum(len(one.samples) for one in after.values()) - before <= 60
    text = re.sub(r'route="[^"]*"', "", str(after))
    assert "stranger" not in text


def test_the_workers_of_one_shop_are_added_up(tmp_path):
    """With PROMETHEUS_MULTIPROC_DIR each worker writes files, and any of them tells the sum."""
    import os
    import subprocess
    import sys

    program = (
        "from churnguard.serving.metrics import Metrics\n"
        "from churnguard.testing import FakeChampion, fake_shop, build_score\n"
        "metrics = Metrics(fake_shop(), FakeChampion())\n"
        "metrics.scored([build_score('C1')] * 3)\n"
        "print(metrics.exposition().decode())\n"
    )
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for workers in (1, 2):
        done = subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
        )
        assert f'band="high",model_alias="champion"}} {3.0 * workers}' in done.stdout
    assert build_score("C1").band == "high"
