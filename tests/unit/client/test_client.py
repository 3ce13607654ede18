"""The client asks patiently, repeats nothing that counts, tells failures as the service does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from churnguard.client import (
    Client,
    HttpTransport,
    NotAllowed,
    NotFound,
    RateLimited,
    Reply,
    Request,
    Retries,
    Unavailable,
    WrongRequest,
)
from churnguard.testing import build_action, build_reason, build_score, fake_service

BUSY = Reply(503, {"retry-after": "7"}, b'{"type": "/docs#overloaded", "detail": "Busy."}')
OUTCOME = {"decision_id": "d", "customer_id": "C1", "outcome": "contacted"}
GOOD = Reply(200, {}, json.dumps({**OUTCOME, "at": "2026-11-21T08:00:00Z"}).encode())


class Script:
    """Answer with prepared replies, and keep what was asked."""

    def __init__(self, *replies):
        self.replies, self.asked = list(replies), []

    def __call__(self, request):
        self.asked.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def client_of(script, waits=None, **patience):
    sleep = (waits if waits is not None else []).append
    retries = Retries(sleep=sleep, jitter=lambda: 1.0, **patience)
    return Client("http://service", "cg_live_a_b", retries=retries, transport=script)


def test_a_write_is_repeated_with_the_same_key_and_body():
    script = Script(BUSY, ConnectionError("reset"), GOOD)
    client_of(script).report_outcome("d", "contacted")
    assert len(script.asked) == 3
    assert len({one.headers["Idempotency-Key"] for one in script.asked}) == 1
    assert len({one.body for one in script.asked}) == 1
    other = Script(GOOD)
    client_of(other).report_outcome("d", "contacted")
    assert other.asked[0].headers["Idempotency-Key"] != script.asked[0].headers["Idempotency-Key"]


def test_a_key_of_ones_own_is_sent_as_a_quoted_string():
    script = Script(GOOD)
    client_of(script).report_outcome("d", "contacted", idempotency_key="run-7")
    assert script.asked[0].headers["Idempotency-Key"] == '"run-7"'


def test_it_waits_as_long_as_the_service_asks_and_longer_each_time():
    waits = []
    plain = Reply(502, {}, b"<html>")
    client_of(Script(BUSY, plain, plain, GOOD), waits).report_outcome("d", "contacted")
    assert waits == [7.0, 0.5, 1.0]


def test_patience_ends_with_the_last_failure():
    with pytest.raises(Unavailable) as caught:
        client_of(Script(*[BUSY] * 3), attempts=3).model()
    assert (caught.value.status, caught.value.kind) == (503, "overloaded")
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, WrongRequest),
        (401, NotAllowed),
        (403, NotAllowed),
        (404, NotFound),
        (422, WrongRequest),
    ],
)
def test_what_will_not_get_better_is_not_repeated(status, kind):
    script = Script(Reply(status, {}, b"{}"), GOOD)
    with pytest.raises(kind):
        client_of(script).model()
    assert len(script.asked) == 1


def test_a_500_is_not_repeated():
    """An error inside the service is no reason to make it again."""
    script = Script(Reply(500, {}, b"{}"), GOOD)
    with pytest.raises(Unavailable):
        client_of(script).model()


def test_a_write_that_still_runs_is_asked_for_again():
    running = Reply(409, {"retry-after": "1"}, b'{"type": "/docs#still-running"}')
    client_of(Script(running, GOOD)).report_outcome("d", "contacted")
    with pytest.raises(WrongRequest):
        client_of(Script(Reply(409, {}, b"{}"))).report_outcome("d", "contacted")


def test_being_over_the_quota_is_waited_out_and_then_told():
    spent = Reply(429, {"retry-after": "3"}, b'{"type": "/docs#rate-limited"}')
    waits = []
    with pytest.raises(RateLimited):
        client_of(Script(*[spent] * 5), waits).model()
    assert waits == [3.0] * 4


def test_a_naive_instant_is_refused_before_it_is_sent():
    with pytest.raises(ValueError, match="time zone"):
        client_of(Script()).score("C1", as_of=datetime(2026, 11, 21))  # noqa: DTZ001


class TestAgainstTheApp:
    """With the real app, over a shop in memory."""

    def test_a_score_has_types(self):
        client = fake_service(
            [build_score("C/1", reasons=(build_reason(),), action=build_action("cart_reminder"))]
        )
        score = client.score("C/1", explain=True)
        assert score.as_of.tzinfo is UTC or score.as_of.utcoffset().total_seconds() == 0
        assert score.interval == (0.62, 0.79)
        assert score.reasons[0].text["he"]
        assert score.action.group == "treat"
        assert score.model.version == "12"
        assert client.score("C/1").reasons is None

    def test_fields_that_are_new_in_the_service_do_no_harm(self):
        from churnguard.client import Score

        told = build_score("C1").to_dict()
        assert Score.of(told | {"brand_new": 1}) == Score.of(told)

    def test_pages_are_followed_to_the_end(self):
        client = fake_service([build_score(f"C{n}") for n in range(25)])
        found = [score.customer_id for score in client.at_risk(page_size=10)]
        assert sorted(found) == sorted(f"C{n}" for n in range(25))
        assert len(list(client.at_risk(page_size=10, band="low"))) == 0

    def test_many_are_scored_in_batches_and_in_order(self):
        client = fake_service([build_score("C1")])
        ids = ["C1", *(f"n{n}" for n in range(1500)), "C1"]
        scores = list(client.scores(ids))
        assert [score.customer_id for score in scores] == ids
        assert [scores[0].status, scores[1].status, scores[-1].status] == [
            "scored",
            "unknown",
            "scored",
        ]

    def test_events_are_sent_in_batches_and_counted_together(self):
        client = fake_service()
        event = {"customer_id": "C1", "event": "signed_in", "occurred_at": "2026-11-20T08:00:00Z"}
        events = [event | {"event_id": f"e{n}"} for n in range(25)]
        sent = client.send_events(events, batch_size=10)
        assert (sent.rows, sent.accepted) == (25, 25)
        assert [one.index for one in sent.results] == list(range(25))
        assert client.send_events(events).duplicates == 25

    def test_a_customer_s_own_events_are_told_page_by_page(self):
        client = fake_service()
        event = {"customer_id": "C/1", "event": "signed_in", "occurred_at": "2026-11-20T08:00:00Z"}
        client.send_events([event | {"event_id": f"e{n}"} for n in range(5)])
        told = [one["event_id"] for one in client.timeline("C/1", page_size=2)]
        assert told == ["e4", "e3", "e2", "e1", "e0"]
        assert client.profile("C/1")["events"] == {"signed_in": 5}

    def test_wrong_fields_are_named(self):
        with pytest.raises(WrongRequest) as caught:
            list(fake_service().at_risk(band="purple"))
        assert caught.value.errors[0]["pointer"] == "#/query/band"
        assert caught.value.request_id


class _Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections: set = set()  # noqa: RUF012

    def do_GET(self):
        type(self).connections.add(self.client_address)
        body = json.dumps({"path": self.path, "key": self.headers["Authorization"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if "hang-up" in self.path:
            self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def url():
    _Service.connections = set()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_connection_is_kept_and_one_that_was_closed_is_opened_anew(url):
    transport = HttpTransport(url + "/behind/a/proxy")
    ask = Retries(sleep=lambda _: None).send
    for path in ("/v1/model", "/v1/model", "/hang-up", "/v1/model"):
        told = json.loads(ask(transport, Request("GET", path, {"Authorization": "k"})).body)
        assert told == {"path": "/behind/a/proxy" + path, "key": "k"}
    assert len(_Service.connections) == 2
    transport.close()


def test_nobody_there_is_a_plain_sentence():
    client = Client("http://127.0.0.1:9", "k", timeout=1, retries=Retries(attempts=1))
    with pytest.raises(Unavailable, match="cannot be reached"):
        client.model()


def test_the_key_is_not_shown():
    assert "secret" not in repr(Client("http://x", "cg_live_secret"))


def test_it_loads_nothing_of_the_service():
    """A program that only asks needs neither numpy nor a web framework."""
    program = (
        "import sys, churnguard.client\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'numpy', 'fastapi',"
        " 'pydantic', 'sqlalchemy', 'httpx', 'pyarrow', 'orjson'}),"
        " sorted(n for n in sys.modules if n.startswith('churnguard.') and '.client' not in n))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[] ['churnguard.errors']"
