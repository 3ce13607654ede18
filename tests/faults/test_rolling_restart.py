"""F36: servers of one store are replaced one after another, and nobody who asks notices."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
from harness import Server, stored_ids

from churnguard.store.database import open_database, upgrade_database, writing

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

CLIENTS = 6
UNLIMITED = {"CHURNGUARD_REQUESTS_PER_MINUTE": "0", "CHURNGUARD_EVENTS_PER_MINUTE": "0"}


class Balancer:
    """Ask the servers in turn, as a proxy does: one that takes no connection is passed over."""

    def __init__(self, servers):
        self.servers = servers
        self.failed, self.acknowledged = [], []
        self.over = threading.Event()
        self._numbers = itertools.count()

    @contextmanager
    def asked_all_the_while(self):
        """Ask from several threads for as long as the block runs."""
        threads = [threading.Thread(target=self.keep_asking) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()

    def await_more(self, events):
        """Wait until so many more events are acknowledged."""
        before, end = len(self.acknowledged), time.monotonic() + 60
        while len(self.acknowledged) < before + events:
            assert time.monotonic() < end, self.failed
            time.sleep(0.1)

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
    first = make_server(environ=UNLIMITED)
    second = Server(first.root, first.key, environ=UNLIMITED)
    with first, second:
        balancer = Balancer([first, second])
        with balancer.asked_all_the_while():
            for server in (first, second, first, second):
                assert server.stop() == 0
                server.start()
                balancer.await_more(20)
    assert balancer.failed == []
    assert sorted(stored_ids(first.root)) == sorted(balancer.acknowledged)


NEXT_VERSION = (
    "ALTER TABLE event ADD COLUMN of_the_next_version TEXT",
    "ALTER TABLE api_key ADD COLUMN of_the_next_version INTEGER DEFAULT 7 NOT NULL",
    "CREATE TABLE of_the_next_version (name TEXT PRIMARY KEY)",
    "CREATE INDEX ix_of_the_next_version ON event (of_the_next_version)",
    "UPDATE alembic_version SET version_num = 'next'",
)


@pytest.mark.postgres
def test_an_upgrade_under_the_feet_of_a_server_fails_no_request(make_server, postgres_url):
    """What a migration may do is done, in its one transaction, while the code of before serves."""
    upgrade_database(postgres_url)
    environ = UNLIMITED | {"CHURNGUARD_STORE": postgres_url}
    with make_server(environ=environ) as server:
        engine, balancer = open_database(postgres_url), Balancer([server])
        with balancer.asked_all_the_while():
            balancer.await_more(40)
            with writing(engine) as connection:
                for statement in NEXT_VERSION:
                    connection.exec_driver_sql(statement)
                    time.sleep(0.1)
            balancer.await_more(40)
        with writing(engine) as connection:
            stored = connection.exec_driver_sql("SELECT event_id FROM event").scalars().all()
        engine.dispose()
    assert balancer.failed == []
    assert sorted(stored) == sorted(balancer.acknowledged)
