"""Idempotency-Key on writes (F28): one effect and one answer, however often it is sent."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from starlette.responses import Response

from churnguard.errors import DataError
from churnguard.jobs.ports import ApiKey
from churnguard.serving.answers import Json
from churnguard.serving.auth import Caller
from churnguard.serving.door import Door
from churnguard.serving.idempotency import KeyMissing, Once, StillRunning, once
from churnguard.store.database import open_database
from churnguard.store.replies import SqlReplyStore
from churnguard.testing import NOON, FakeChampion, FakeReplyStore, FakeScorer, fake_shop

URL = "/v1/actions/d-C1/outcome"
CONTACTED = {"outcome": "contacted"}


def post(client, key='"k1"', body=CONTACTED, url=URL):
    return client.post(url, json=body, headers={"Idempotency-Key": key} if key else {})


def test_the_second_time_has_no_effect_and_the_same_answer(client, shop):
    first, second = post(client), post(client)
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len(shop.scores.outcomes_of("C1")) == 1


def test_without_a_key_every_request_counts(client, shop):
    post(client, None), post(client, None)
    assert len(shop.scores.outcomes_of("C1")) == 2


@pytest.mark.parametrize("other", [{"outcome": "dismissed"}, {"outcome": "contacted", "note": ""}])
def test_the_same_key_with_another_body_is_refused(client, other):
    post(client)
    answer = post(client, body=other)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/docs#idempotency-key-reused"


def test_the_same_key_on_another_route_is_refused(client):
    post(client)
    assert post(client, url="/v1/actions/d-C2/outcome").status_code == 422


def test_keys_of_two_callers_never_meet(client, new_key, shop):
    post(client)
    again = post(client.as_key(new_key("actions:write")))
    assert "idempotent-replayed" not in again.headers
    assert len(shop.scores.outcomes_of("C1")) == 2


def test_a_failed_request_leaves_nothing_behind(client):
    """An answer in the 400s is not kept: the same key may be used once the fault is mended."""
    assert post(client, url="/v1/actions/none/outcome").status_code == 404
    assert post(client).status_code == 200


@pytest.mark.parametrize("key", ["", '"', 'a"b', '"' + "x" * 256 + '"', "a b", "é".encode()])
def test_a_key_that_is_no_string_is_refused(client, key):
    answer = client.post(URL, json=CONTACTED, headers={"Idempotency-Key": key})
    assert answer.status_code == 400


def test_a_bare_key_is_the_same_as_a_quoted_one(client):
    post(client, '"k1"')
    assert post(client, "k1").headers["idempotent-replayed"] == "true"


def _caller(replies, clock=lambda: NOON):
    shop = fake_shop(replies=replies, clock=clock)
    key = ApiKey("k", "crm", (), NOON, None, None)
    return Caller(key, Door(shop, FakeChampion(), FakeScorer()))


def test_after_it_expired_a_key_begins_anew():
    now = [NOON]
    caller = _caller(FakeReplyStore(), lambda: now[0])
    effects = []

    def work() -> Response:
        effects.append(1)
        return Json({"number": len(effects)})

    for hours, effect in ((0, 1), (23, 1), (25, 2)):
        now[0] = NOON + timedelta(hours=hours)
        Once("k", b"same").answer(caller, work)
        assert len(effects) == effect


def test_a_request_that_raises_may_be_run_again():
    caller = _caller(FakeReplyStore())

    def fail() -> Response:
        raise DataError("No.")

    for _ in range(2):
        with pytest.raises(DataError):
            Once("k", b"same").answer(caller, fail)
    assert Once("k", b"same").answer(caller, lambda: Json({})).status_code == 200


@pytest.mark.parametrize("real", [False, True])
def test_fifty_at_once_have_one_effect(real, tmp_path):
    """F28: of 50 posts with one key one takes effect; others get 409 or its answer."""
    replies = FakeReplyStore()
    if real:
        replies = SqlReplyStore(open_database("sqlite:///shop.db", root=tmp_path))
    caller, effects, begun = _caller(replies), [], threading.Barrier(50)

    def work() -> Response:
        effects.append(1)
        return Json({"number": len(effects)})

    def send(_: int) -> bytes | None:
        begun.wait()
        try:
            return bytes(Once("k", b"same").answer(caller, work).body)
        except StillRunning:
            return None

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    assert len(effects) == 1
    assert set(answers) <= {b'{"number":1}', None}
    assert Once("k", b"same").answer(caller, work).body == b'{"number":1}'


def test_a_write_that_needs_a_key_says_so():
    import asyncio

    with pytest.raises(KeyMissing) as caught:
        asyncio.run(once(required=True)(None, None))
    assert "UUID" in caught.value.hint
