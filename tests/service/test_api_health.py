"""Health, the model card, and the polling of champions."""

from __future__ import annotations

import time

from churnguard.jobs.champion import RefusedModel
from churnguard.testing import MODEL, NOON, FakeChampion, FakeLedger, fake_shop


class _DeadLedger(FakeLedger):
    def champion(self):
        raise OSError("connection refused")


def test_ready_when_store_and_model_are_there(client):
    answer = client.as_key(None).get("/readyz")
    assert (answer.status_code, answer.json()["model_version"]) == (200, "12")


def test_not_ready_says_what_is_missing(make_client):
    client = make_client(fake_shop(ledger=_DeadLedger()), champion=FakeChampion(None))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "2"
    assert [item["what"] for item in answer.json()["missing"]] == ["store", "model"]
    assert "refused" not in answer.text


def test_alive_whatever_the_store_does(make_client):
    client = make_client(fake_shop(ledger=None, keys=None))
    assert client.get("/livez").json() == {"status": "alive"}


def test_the_model_card_names_who_approved(client, shop):
    shop.ledger.append(
        at=NOON,
        version=MODEL.version,
        bundle=MODEL.bundle,
        approved_by="dana",
        reason="passed the gate",
        trained_until=NOON,
        labels_through=NOON,
    )
    card = client.get("/v1/model").json()
    assert card["approved_by"] == "dana"
    assert card["since"] == "2026-11-21T12:00:00Z"
    assert card["model"]["version"] == "12"
    assert card["metrics"]["auc"] == 0.806
    assert card["refused"] is None


def test_the_champion_is_refreshed_again_and_again(make_client):
    champion = FakeChampion()
    make_client(champion=champion, poll_seconds=0.005)
    deadline = time.monotonic() + 5
    while champion.refreshed < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert champion.refreshed >= 3


def test_a_refresh_that_fails_is_logged_and_the_old_model_answers(make_client, caplog):
    class Failing(FakeChampion):
        def refresh(self):
            self.refreshed += 1
            raise OSError("the store is away")

    champion = Failing()
    client = make_client(champion=champion, poll_seconds=0.005)
    deadline = time.monotonic() + 5
    while champion.refreshed < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert champion.refreshed >= 3
    assert client.get("/readyz").status_code == 200
    assert any(record.facts["error"] == "OSError" for record in caplog.records)


def test_a_refused_bundle_is_told_by_the_model_card(make_client, shop, new_key):
    champion = FakeChampion(
        refused=RefusedModel("13", "damaged", "The bundle of version 13 is damaged.")
    )
    card = make_client(shop, champion=champion, key=new_key("scores:read")).get("/v1/model").json()
    assert card["refused"] == "The bundle of version 13 is damaged."
