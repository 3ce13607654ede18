"""``GET /v1/customers/{id}/history``: moves with their parts, and what stood at outcomes."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.jobs.ports import Move, ScoreChange, Standing
from churnguard.testing import NOON, build_events, fake_shop

DAY = timedelta(days=1)
DOCUMENT = {"risk": 0.6, "horizon_days": 90, "model": "1", "told": "medium"}


def _stands(margin, days, **changes):
    at = NOON + days * DAY
    return Standing("C/1", at, "medium", margin, "sha256:1", DOCUMENT | changes)


def _change(before, after):
    told = {"risk": 0.6, "band": "medium", "model": "1", "horizon_days": 90}
    move = after.margin - before.margin
    return ScoreChange(
        "C/1", before.as_of, after.as_of, before.margin, after.margin, move, 0.0, 0.0, 0.0,
        {"from": told, "to": told, "by": "old"},
    )  # fmt: skip


@pytest.fixture
def shop(tmp_path):
    shop = fake_shop(root=tmp_path, events=build_events([{"customer_id": "C/1"}]))
    stands = [_stands(float(number), number) for number in range(4)]
    shop.watch.save([Move("C/1", None, stands[0])])
    for before, after in pairwise(stands):
        frozen = None
        if after is stands[2]:
            ending = {"outcome": "stayed", "known_at": "2026-11-23T12:00:00Z"}
            frozen = Standing(
                "C/1", before.as_of, "medium", before.margin, "sha256:1", DOCUMENT | ending,
                frozen=True,
            )  # fmt: skip
        shop.watch.save([Move("C/1", before, after, frozen, _change(before, after))])
    return shop


@pytest.fixture
def client(make_client, shop, new_key):
    return make_client(shop, key=new_key("scores:read"))


def test_moves_are_told_newest_first_with_their_parts(client):
    told = client.get("/v1/customers/C%2F1/history").json()
    assert told["customer_id"] == "C/1"
    assert told["current"]["margin"] == 3.0
    assert [one["to"]["margin"] for one in told["changes"]] == [3.0, 2.0, 1.0]
    for one in told["changes"]:
        parts = ("behaviour", "time_passing", "late_data", "model_change")
        assert sum(one[part] for part in parts) == one["to"]["margin"] - one["from"]["margin"]
    (outcome,) = told["outcomes"]
    assert (outcome["outcome"], outcome["margin"], outcome["horizon_days"]) == ("stayed", 1.0, 90)


def test_moves_are_paged(client):
    first = client.get("/v1/customers/C/1/history?page_size=2").json()
    assert len(first["changes"]) == 2
    rest = client.get(f"/v1/customers/C/1/history?page_token={first['next_page_token']}").json()
    assert [one["to"]["margin"] for one in rest["changes"]] == [1.0]
    assert (rest["next_page_token"], rest["outcomes"]) == ("", [])


def test_nothing_is_told_of_who_objects(client, shop):
    import pyarrow as pa

    row = dict.fromkeys(CUSTOMER_SCHEMA.names) | {"customer_id": "C/1", "opt_out_profiling": True}
    shop.events.put_customers(pa.Table.from_pylist([row], schema=CUSTOMER_SCHEMA))
    told = client.get("/v1/customers/C/1/history").json()
    assert (told["current"], told["changes"], told["outcomes"]) == (None, [], [])


@pytest.mark.parametrize(
    ("path", "status"),
    [("C9/history", 404), ("C/1/history?page_size=-1", 400), ("C/1/history?page_token=a", 400)],
)
def test_wrong_questions_are_refused(client, path, status):
    assert client.get(f"/v1/customers/{path}").status_code == status


def test_the_scope_is_needed(client, new_key):
    path = "/v1/customers/C/1/history"
    assert client.as_key(None).get(path).status_code == 401
    assert client.as_key(new_key("webhooks:write")).get(path).status_code == 403
