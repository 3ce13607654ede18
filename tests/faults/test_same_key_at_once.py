"""F28 from outside: fifty clients send one write with one Idempotency-Key at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from churnguard.store.database import upgrade_database

pytestmark = pytest.mark.chaos

CLIENTS = 50


@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_fifty_clients_with_one_key_make_one_webhook(make_server, request, store):
    """Each is told the same 200, or that the first is still under way; there is one endpoint."""
    environ = {"CHURNGUARD_REQUESTS_PER_MINUTE": "0", "CHURNGUARD_REQUESTS_AT_ONCE": "200"}
    if store == "postgres":
        environ["CHURNGUARD_STORE"] = request.getfixturevalue("postgres_url")
        upgrade_database(environ["CHURNGUARD_STORE"])
    server = make_server(environ=environ).start()
    wanted = {"url": "https://crm.example/hook", "events": ["risk.raised"]}
    at_once = threading.Barrier(CLIENTS)

    def post(_: int = 0, **changes):
        with server.client() as client:
            if not changes:
                at_once.wait()
            headers = {"Idempotency-Key": '"one"'}
            return client.post("/v1/webhooks", json=wanted | changes, headers=headers)

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(post, range(CLIENTS)))
    made = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in made}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in made) == 1
    with server.client() as client:
        assert len(client.get("/v1/webhooks").json()["webhooks"]) == 1
    assert post(description="another").status_code == 422
    assert server.stop() == 0
