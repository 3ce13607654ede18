"""Every route as a stranger, with the wrong key, with the wrong scope; and the walls round all."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest

from churnguard.serving import auth, create_app
from churnguard.serving.headers import SECURITY_HEADERS
from churnguard.testing import NOON, FakeChampion, FakeScorer, fake_shop

OPEN = {"/livez", "/readyz"}


def _routes() -> list[tuple[str, str]]:
    app = create_app(fake_shop(), FakeChampion(), scorer=FakeScorer())
    return [
        (method.upper(), path)
        for path, operations in app.openapi()["paths"].items()
        for method in operations
        if path not in OPEN
    ]


ROUTES = _routes()


def _ask(client, method, path):
    """Ask wrongly on purpose: who may not come in is told so before anything else."""
    return client.request(method, path.replace("{", "").replace("}", ""), json={"wrong": True})


def _assert_problem(answer, status):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "instance", "request_id"} <= body.keys()
    return body


def test_there_are_routes_to_ask():
    assert len(ROUTES) >= 5


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_stranger_is_asked_for_a_key(client, method, path):
    answer = _ask(client.as_key(None), method, path)
    _assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == 'Bearer realm="churnguard"'


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("key", ["cg_live_a_b", "x", "cg_live__", "é", "a b"])
def test_a_wrong_key_is_no_key(client, method, path, key):
    answer = client.as_key(None).request(
        method, path.format_map(_Any()), headers={"Authorization": f"Bearer {key}".encode()}
    )
    _assert_problem(answer, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(("method", "path"), [one for one in ROUTES if one[0] != "GET"])
@pytest.mark.parametrize(("key", "status"), [(None, 401), ("cg_live_a_b", 401)])
def test_who_asks_is_settled_before_what_is_asked_is_read(client, method, path, key, status):
    """A stranger learns nothing of what a body must be, broken or not."""
    headers = {"Content-Type": "application/json"}
    asked = {"content": b"{", "headers": headers}
    answer = client.as_key(key).request(method, path.format_map(_Any()), **asked)
    _assert_problem(answer, status)


class _Any(dict):
    def __missing__(self, key):
        return "C1"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_key_without_the_scope_may_not(client, new_key, method, path):
    answer = _ask(client.as_key(new_key("desk")), method, path)
    _assert_problem(answer, 403)
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_a_revoked_key_stops_within_two_seconds(shop):
    """A good key is trusted for a moment only."""
    now = [0.0]
    ring = auth.KeyRing(shop, monotonic=lambda: now[0])
    key, text = shop.keys.create("crm", ["scores:read"], now=NOON)
    ring.check(text)
    shop.keys.revoke(key.key_id, now=NOON)
    assert ring.trusted(text) == key
    now[0] = auth.TRUSTED_SECONDS
    assert ring.trusted(text) is None
    with pytest.raises(auth.NotAuthenticated):
        ring.check(text)


def test_a_trusted_key_is_looked_at_again_by_one_request_while_others_go_on(shop):
    """A crowd of requests never waits for the look-up of its key; a revoked one stops with it."""
    now = [0.0]
    ring = auth.KeyRing(shop, monotonic=lambda: now[0])
    key, text = shop.keys.create("crm", ["scores:read"], now=NOON)
    ring.check(text)
    assert not ring.claim_look(text)
    now[0] = auth.TRUSTED_SECONDS / 2
    assert [ring.claim_look(text) for _ in range(3)] == [True, False, False]
    assert ring.trusted(text) == key
    ring.check(text)
    now[0] = auth.TRUSTED_SECONDS
    assert ring.trusted(text) == key
    assert ring.claim_look(text)
    shop.keys.revoke(key.key_id, now=NOON)
    with pytest.raises(auth.NotAuthenticated):
        ring.check(text)
    assert ring.trusted(text) is None


def test_an_expired_key_is_no_key(client, new_key):
    key = new_key("scores:read", expires_at=NOON - timedelta(seconds=1))
    _assert_problem(client.as_key(key).get("/v1/model"), 401)


def test_no_such_route_and_no_such_method(client):
    assert _assert_problem(client.get("/v1/nothing"), 404)["type"] == "/docs#no-such-route"
    answer = client.request("DELETE", "/v1/model")
    _assert_problem(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"
    for path, methods in (
        ("webhooks", "GET, HEAD, POST"),
        ("events", "OPTIONS, POST"),
        ("quarantine", "GET, HEAD"),
    ):
        assert client.request("PUT", f"/v1/{path}").headers["allow"] == methods


@pytest.mark.parametrize(
    ("body", "headers", "status", "detail"),
    [
        (b'{"items": [], "items": []}', {}, 422, "The body names 'items' twice in one object."),
        (b"", {}, 422, "The body is missing."),
        (b"[1", {}, 422, "The body is no JSON: "),
        (b'{"items": []}', {"content-type": "text/plain"}, 415, "The body is no JSON: "),
        (b'{"items": []}', {"content-encoding": "gzip"}, 415, "The body is compressed."),
    ],
)
@pytest.mark.parametrize("path", ["/v1/scores", "/v1/identities"])
def test_a_body_is_strict_json_everywhere(
    make_client, shop, new_key, body, headers, status, detail, path
):
    """What is wrong is told of the body as a whole, not of fields that nobody could read."""
    client = make_client(shop, key=new_key("scores:read", "events:write"))
    answer = client.post(path, content=body, headers={"content-type": "application/json"} | headers)
    problem = _assert_problem(answer, status)
    told = problem["errors"][0] if "errors" in problem else problem
    assert told["detail"].startswith(detail)
    assert told.get("pointer", "#") == "#"


@pytest.mark.parametrize("as_of", ["0001-01-01T00:00+02:00", "9999-12-31T23:59-12:00"])
def test_an_instant_outside_the_calendar_is_told_as_one(client, as_of):
    answer = client.get("/v1/customers/C1/score", params={"as_of": as_of})
    assert "is not a date or time" in _assert_problem(answer, 400)["detail"]


def test_a_large_body_is_refused_announced_or_streamed(make_client, shop, new_key):
    client = make_client(shop, largest_body=100, key=new_key("webhooks:write"))
    _assert_problem(client.post("/v1/webhooks", content=b"x" * 101), 413)

    async def stream():
        for _ in range(11):
            yield b"[" * 10

    headers = {"Content-Type": "application/json"}
    _assert_problem(client.post("/v1/webhooks", content=stream(), headers=headers), 413)


@pytest.mark.parametrize(
    ("host", "status"),
    [("shop.example.com:8000", 200), ("SHOP.example.com", 200), ("evil.test", 421), ("", 421)],
)
def test_only_known_hosts_are_answered(make_client, host, status):
    client = make_client(allowed_hosts=["*.example.com"])
    answer = client.get("/livez", headers={"Host": host})
    assert answer.status_code == status
    if status != 200:
        _assert_problem(answer, status)


def test_the_open_desk_answers_loopback_only(make_client):
    """A page elsewhere cannot reach the demo by pointing its own name at this machine."""
    client = make_client(open_desk=True)
    assert client.get("/livez").status_code == 200
    assert client.get("/livez", headers={"Host": "rebind.evil.test"}).status_code == 421


@pytest.mark.parametrize("path", ["/livez", "/v1/model", "/nothing", "/openapi.json"])
def test_every_answer_carries_the_security_headers(client, path):
    answer = client.get(path, headers={"Origin": "https://evil.test"})
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert "access-control-allow-origin" not in answer.headers
    assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]


def test_a_sound_request_id_comes_back_and_another_is_replaced(client):
    assert client.get("/livez", headers={"X-Request-ID": "a-1"}).headers["x-request-id"] == "a-1"
    answer = client.get("/livez", headers={"X-Request-ID": "no spaces please"})
    assert len(answer.headers["x-request-id"]) == 32


class _Broken(FakeScorer):
    def __call__(self, *args, **options):
        raise RuntimeError("customer C1 lives at /secret/path")


def test_an_unforeseen_error_tells_and_logs_no_internals(make_client, shop, new_key, caplog):
    client = make_client(shop, scorer=_Broken(), key=new_key("scores:read"))
    answer = client.get("/v1/customers/C1/score")
    body = _assert_problem(answer, 500)
    (logged,) = [record for record in caplog.records if record.getMessage() == "error"]
    assert logged.facts["request_id"] == body["request_id"]
    assert logged.facts["error"] == "RuntimeError"
    for text in (answer.text, json.dumps(logged.facts)):
        assert "secret" not in text


def test_the_access_log_names_the_route_and_nobody(client, caplog):
    """The template of the route, never the id; no query, no key, no address."""
    caplog.set_level(logging.INFO, "churnguard.access")
    client.get("/v1/customers/C1/score?explain=true")
    client.get("/v1/nothing/C1")
    first, second = [record.facts for record in caplog.records if hasattr(record, "facts")]
    assert first["route"] == "/v1/customers/{customer_id}/score"
    assert first.keys() == {"request_id", "method", "route", "status", "duration_ms"}
    assert second["route"] == "unmatched"
    assert "C1" not in json.dumps([first, second])


def test_without_a_model_scores_are_a_503_that_says_what_to_do(make_client, shop, new_key):
    from churnguard.errors import ModelNotFound

    class NoModel(FakeScorer):
        def __call__(self, *args, **options):
            raise ModelNotFound("There is no champion yet.", hint="Run 'churnguard train'.")

    client = make_client(
        shop, scorer=NoModel(), champion=FakeChampion(None), key=new_key("scores:read")
    )
    body = _assert_problem(client.get("/v1/customers/C1/score"), 503)
    assert "churnguard train" in body["hint"]
    assert _assert_problem(client.get("/v1/model"), 503)["type"] == "/docs#no-model"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/webhooks", {"url": "https://a.example", "events": ["risk.raised"]}),
        ("GET", "/v1/at-risk?segment=%00", None),
        ("GET", "/v1/quarantine?reason=%00", None),
        ("DELETE", "/v1/webhooks/%00", None),
    ],
)
def test_what_no_store_can_hold_is_a_wrong_field(make_client, shop, new_key, method, path, body):
    """PostgreSQL's text has no NUL: it must not come as far as that."""
    client = make_client(shop, key=new_key("scores:read", "events:write", "webhooks:write"))
    body = body and body | {"description": "a\x00b"}
    assert _assert_problem(client.request(method, path, json=body), 422)["errors"]
