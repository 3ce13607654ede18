"""F46: no key, e-mail, phone or payload gets into logs or metrics, whatever a request brings."""

from __future__ import annotations

import io
import json
import logging

import pytest

from churnguard.jobs.keys import SCOPES
from churnguard.serving.access_log import JsonLines
from churnguard.testing import FakeScorer, fake_shop

CANARIES = ("canary@example.com", "+972-50-5551234", "canary-payload", "canary-key")


class _Broken(FakeScorer):
    """Fail with what it was asked about in the message, as careless code does."""

    def __call__(self, shop, champion, customer_ids, **options):
        raise RuntimeError(f"cannot score {customer_ids}")


@pytest.fixture
def written():
    """Give back all that ChurnGuard's loggers write, down to debug, as its handler writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("churnguard")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(before)


def _requests(key):
    """Yield requests that carry a canary in every place there is."""
    mail, phone, payload, wrong = CANARIES
    yield "GET", f"/v1/customers/{mail}/score?explain=true&as_of={payload}", {}
    yield "GET", f"/v1/customers/{mail}/score", {}
    yield "GET", f"/v1/customers/{phone}/history", {}
    yield "GET", f"/nothing/{mail}?token={payload}", {}
    yield "GET", f"/v1/at-risk?segment={payload}&page_token={payload}", {}
    yield "POST", "/v1/scores", {"json": {"items": [{"customer_id": mail}]}}
    yield "POST", "/v1/scores", {"json": {"items": [{payload: mail}]}}
    yield "POST", "/v1/scores", {"content": f'{{"{payload}": '}
    yield "POST", f"/v1/actions/{mail}/outcome", {"json": {"outcome": "contacted", "note": phone}}
    event = {"customer_id": mail, "event": payload, "properties": {"email": mail, "phone": phone}}
    yield "POST", "/v1/events", {"json": {"events": [event, {"event_id": payload}, payload]}}
    yield "POST", "/v1/webhooks", {"json": {"url": f"http://{payload}/", "events": ["risk.raised"]}}
    yield "GET", "/v1/model", {"headers": {"Authorization": f"Bearer cg_live_{wrong}_{wrong}"}}
    yield "GET", "/v1/model", {"headers": {"X-Request-ID": mail, "User-Agent": mail}}
    yield "GET", f"/desk/customers/{mail}", {}
    yield "POST", "/desk/sign-in", {"data": {"key": f"cg_live_{key}"}}


def test_what_a_request_brings_is_in_no_log_and_no_metric(make_client, written):
    shop = fake_shop()
    _, text = shop.keys.create("canary", tuple(SCOPES), now=shop.clock())
    for options in ({}, {"scorer": _Broken()}):
        client = make_client(shop, key=text, **options)
        statuses = [client.request(*ask[:2], **ask[2]).status_code for ask in _requests(text)]
        metrics = client.get("/metrics").text
        for canary in (*CANARIES, text, text.rpartition("_")[2]):
            assert canary not in metrics
    assert 500 in statuses, "an unforeseen error is among what was asked for"
    lines = written.getvalue()
    for canary in (*CANARIES, text, text.rpartition("_")[2], "%40", "canary"):
        assert canary not in lines, canary
    told = [json.loads(line) for line in lines.splitlines()]
    requests = [line for line in told if line["event"] == "request"]
    assert len(requests) == 2 * (len(statuses) + 1)
    assert all(line["request_id"] for line in requests)
    assert any(line["event"] == "error" for line in told)


def test_the_servers_own_lines_are_off():
    """The server's line for each request would hold the path, and with it the customer's id."""
    from churnguard.serving.access_log import log_json_lines

    before = {name: logging.getLogger(name).handlers[:] for name in ("churnguard", "uvicorn")}
    log_json_lines()
    own = logging.getLogger("uvicorn.access")
    assert (own.handlers, own.propagate) == ([], False)
    for name, handlers in before.items():
        logging.getLogger(name).handlers[:] = handlers
        logging.getLogger(name).propagate = True
    own.propagate = True
