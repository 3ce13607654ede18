"""F36: servers of one store are replaced one after another, and nobody who asks notices."""

from __future__ import annotations

import itertools
import threading
import time

import httpx
import pytest
from harness import Server, stored_ids

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

CLIENTS = 6


class Balancer:
    """Ask the servers in turn, as a proxy does: one that takes no connection is passed over."""

    def __init__(self, servers):
        self.servers = servers
        self.failed, self.acknowledged = [], []
        self.over = threading.Event()
        self._numbers = itertools.count()

    def keep_asking(self):
        """Send an event and read it back, again and again, over kept connections."""
        headers = {"Authorization": f"Bearer {self.servers[0].key}"}
        with httpx.Client(headers=headers, timeout=30) as client:
            while not self.over.is_set():
                number = next(self._numbers)
                event_id, customer = f"e{number}", f"C{number}"
                body = {"event": "signed_in", "event_id": event_id, "customer_id": customer}
                body["occurred_at"] = "2026-11-20T08:00:00Z"
                told = self._ask(client, number, "POST", "/v1/events", json={"events": [body]})
                if told == 202:
                    self.acknowledged.append(event_id)
                self._ask(client, number + 1, "GET", f"/v1/customers/{customer}/history")

    def _ask(self, client, turn, method, path, **options):
        for place in range(turn, turn + 100):
            url = self.servers[place % len(self.servers)].url
            try:
                answer = client.request(method, f"{url}{path}", **options)
            except httpx.ConnectError:
                time.sleep(0.05)
                continue
            except httpx.TransportError as error:
                self.failed.append(repr(error))
                return 0
            if answer.status_code not in (200, 202):
                self.failed.append(f"{method} {answer.status_code} {answer.text[:200]}")
            return answer.status_code
        self.failed.append("nobody takes a connection")
        return 0


def test_a_rolling_restart_under_load_fails_no_request(make_server):
    """Two servers, each restarted twice: every request is answered, every event is there once."""
    environ = {"CHURNGUARD_REQUESTS_PER_MINUTE": "0", "CHURNGUARD_EVENTS_PER_MINUTE": "0"}
    first = make_server(environ=environ)
    second = Server(first.root, first.key, environ=environ)
    with first, second:
        balancer = Balancer([first, second])
        threads = [threading.Thread(target=balancer.keep_asking) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            for server in (first, second, first, second):
                before = len(balancer.acknowledged)
                assert server.stop() == 0
                server.start()
                while len(balancer.acknowledged) < before + 20:
                    time.sleep(0.1)
        finally:
            balancer.over.set()
            for thread in threads:
                thread.join()
    assert balancer.failed == []
    assert sorted(stored_ids(first.root)) == sorted(balancer.acknowledged)
