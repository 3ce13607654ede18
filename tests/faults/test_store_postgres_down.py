"""PostgreSQL is not there, dies, hangs, or has no connection left: the service says so and goes on.

The quick tests hold the store's own promises in this process; those marked ``chaos`` hold them for
a server under load.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from harness import Server, stored_ids
from proxy import Proxy
from small_model import customers_of, make_bundle, make_shop, promote

import churnguard
from churnguard.errors import StoreError, StoreUnavailable
from churnguard.jobs.keys import create_key
from churnguard.store.database import open_database, reading, upgrade_database, writing
from churnguard.store.schema import demand_current
from churnguard.store.tables import meta
from churnguard.testing.postgres import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
def mortal() -> Iterator[PostgresServer]:
    """A PostgreSQL of one's own, to be stopped."""
    with PostgresServer() as server:
        yield server


def _through(url: str, server: PostgresServer, proxy: Proxy) -> str:
    return url.replace(f":{server.port}/", f":{proxy.port}/")


def _seconds(act: Callable[[], object]) -> float:
    start = time.monotonic()
    act()
    return time.monotonic() - start


# -- in this process ------------------------------------------------------------------------


def test_a_silent_server_is_waited_for_no_longer_than_agreed(postgres, postgres_url):
    """F8: whoever is first waits for the time-out, others are refused at once; then it recovers."""
    upgrade_database(postgres_url)
    with Proxy(postgres.port) as proxy:
        url = _through(postgres_url, postgres, proxy)
        engine = open_database(url, timeout=0.5, connections=2)
        proxy.set("blackhole")

        def refused() -> None:
            with pytest.raises(StoreUnavailable), reading(engine) as connection:
                connection.execute(sa.select(meta)).all()

        assert 1.0 < _seconds(refused) < 6.0
        assert _seconds(refused) < 0.1
        proxy.set("cut")
        proxy.set("pass")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with reading(engine) as connection:
                    assert connection.execute(sa.select(meta)).all() == []
                break
            except StoreUnavailable:
                time.sleep(0.1)
        else:
            pytest.fail("it did not recover")
        engine.dispose()


def test_a_writer_waits_for_another_no_longer_than_agreed(postgres_url):
    """F8: a lock that is never let go costs a writer the statement's time-out, and nothing more."""
    upgrade_database(postgres_url)
    engine = open_database(postgres_url, timeout=0.5, connections=3)

    def second() -> None:
        with pytest.raises(StoreUnavailable, match="timeout"), writing(engine):
            pytest.fail("two writers at once")

    with writing(engine) as connection:
        assert 0.4 < _seconds(second) < 3.0
        connection.execute(sa.insert(meta).values(name="a", value="1"))
    with reading(engine) as connection:
        assert connection.execute(sa.select(meta.c.value)).scalars().all() == ["1"]
    engine.dispose()


def test_shops_in_one_database_do_not_wait_for_each_other(postgres):
    """Each schema has a lock of its own, and sees nothing of the other."""
    engines = []
    for schema in ("lock_a", "lock_b"):
        upgrade_database(postgres.url(schema))
        engines.append(open_database(postgres.url(schema), timeout=0.5))
    with writing(engines[0]) as first, writing(engines[1]) as second:
        first.execute(sa.insert(meta).values(name="shop", value="a"))
        second.execute(sa.insert(meta).values(name="shop", value="b"))
    found = []
    for engine in engines:
        with reading(engine) as connection:
            found.append(connection.execute(sa.select(meta.c.value)).scalars().all())
        engine.dispose()
    assert found == [["a"], ["b"]]


def test_a_call_that_finds_no_connection_free_is_refused_within_a_second(postgres_url):
    """F9: not a queue of minutes."""
    upgrade_database(postgres_url)
    engine = open_database(postgres_url, connections=2)

    def refused() -> None:
        with pytest.raises(StoreUnavailable, match="in use"), reading(engine) as connection:
            connection.execute(sa.select(meta))

    with reading(engine) as one, reading(engine) as two:
        one.execute(sa.select(meta))
        two.execute(sa.select(meta))
        assert _seconds(refused) < 3.0
    with reading(engine) as connection:
        assert connection.execute(sa.select(meta)).all() == []
    engine.dispose()


@pytest.mark.parametrize("setting", ["synchronous_commit"])
def test_a_database_that_confirms_before_the_disk_has_it_is_refused(postgres_url, setting):
    """F3: asked at the start, whoever set it."""
    upgrade_database(postgres_url)
    schema = postgres_url.partition("?")[2]
    options = f"{postgres_url.partition('?')[0]}?options=-c%20{setting}%3Doff&{schema}"
    with pytest.raises(StoreError, match=f"{setting}=off"):
        open_database(options)


def test_what_a_store_in_postgres_promises_is_asked_once_it_can_be(mortal):
    """F6: a patient opener gets its engine at once; the schema is looked at when it answers."""
    url = mortal.url("late")
    mortal.stop("immediate")
    with pytest.raises(StoreUnavailable):
        open_database(url)
    engine = open_database(url, patient=True)
    mortal.start()
    time.sleep(1.1)
    with pytest.raises(StoreError, match="empty") as caught, reading(engine) as connection:
        connection.execute(sa.select(meta))
    assert "db upgrade" in caught.value.hint
    upgrade_database(url)
    with reading(engine) as connection:
        demand_current(connection)
    engine.dispose()


# -- a server -------------------------------------------------------------------------------


def _post(client: httpx.Client, ids: list[str]) -> httpx.Response:
    events = [
        {"event_id": one, "customer_id": "C1", "event": "signed_in", "occurred_at": "2026-01-01"}
        for one in ids
    ]
    return client.post("/v1/events", json={"events": events})


def _until_taken(client: httpx.Client, one: str, *, seconds: float = 30) -> float:
    """Post an event until it is taken; return how long that took."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if _post(client, [one]).status_code == 202:
            return time.monotonic() - start
        time.sleep(0.2)
    pytest.fail("the service did not recover")


def _environ(url: str, **more: str) -> dict[str, str]:
    return {"CHURNGUARD_STORE": url, "CHURNGUARD_STORE_TIMEOUT_SECONDS": "1", **more}


def _threads(server: Server) -> int:
    assert server.process is not None
    return len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))


@pytest.mark.chaos
def test_a_server_starts_without_its_database_and_is_ready_when_it_comes(mortal, tmp_path):
    """F6: it lives, says what is missing, refuses quickly, and recovers without a restart."""
    url = mortal.url("shop")
    with _a_server_with_a_model(url, tmp_path) as server, server.client() as client:
        server.kill()
        mortal.stop("immediate")
        server.start()
        client.base_url = server.url
        assert client.get("/livez").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert "store" in [item["what"] for item in ready.json()["missing"]]
        start = time.monotonic()
        refused = [_post(client, [f"early-{turn}"]) for turn in range(20)]
        assert time.monotonic() - start < 10
        assert {answer.status_code for answer in refused} == {503}
        assert all(answer.headers["retry-after"] for answer in refused)
        mortal.start()
        assert _until_taken(client, "late") < 10
        end = time.monotonic() + 60
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < end, client.get("/readyz").text
            time.sleep(0.2)
        assert server.stop() == 0
        ids = stored_ids(server.root, **_environ(url))
    assert [one for one in ids if one.startswith(("early", "late"))] == ["late"]


def _a_server_with_a_model(url: str, folder: Path) -> Server:
    upgrade_database(url)
    shop = make_shop(folder / "shop", customers=6, environ=_environ(url))
    promote(shop, make_bundle(shop, 1))
    return Server(shop.root, create_key(shop, "faults", None)[1], environ=_environ(url))


@pytest.mark.chaos
def test_scores_go_on_and_say_so_while_the_database_is_away(mortal, tmp_path):
    """F7: of customers that were asked about lately, from what was known; of others, a 503."""
    with _a_server_with_a_model(mortal.url("shop"), tmp_path) as server, server.client() as client:
        shop = churnguard.open_shop(server.root, environ=_environ(mortal.url("shop")))
        asked, other = customers_of(shop)[:2]
        before = client.get(f"/v1/customers/{asked}/score").json()
        assert before["degraded"] is False
        mortal.stop("immediate")
        time.sleep(3)  # longer than a key is trusted without a look
        for _ in range(3):
            answer = client.get(f"/v1/customers/{asked}/score")
            assert answer.status_code == 200, answer.text
            assert answer.json()["degraded"] is True
            assert answer.json()["churn_risk"] == before["churn_risk"]
            refused = client.get(f"/v1/customers/{other}/score")
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
        mortal.start()
        _until_taken(client, "late")
        for one in (asked, other):
            assert client.get(f"/v1/customers/{one}/score").json()["degraded"] is False


@pytest.mark.chaos
def test_nothing_confirmed_is_lost_when_the_database_dies_under_load(mortal, make_server, history):
    """F7: requests fail quickly with 503 while it is away; dead connections are dropped."""
    url = mortal.url("shop")
    upgrade_database(url)
    server = make_server(environ=_environ(url)).start()
    stop = threading.Event()
    slowest = [0.0]

    def send(worker: int) -> None:
        turn = 0
        with server.client() as client:
            while not stop.is_set():
                turn += 1
                ids = [f"{worker}-{turn}-{place}" for place in range(5)]
                history.sending(ids)
                start = time.monotonic()
                answer = _post(client, ids)
                slowest[0] = max(slowest[0], time.monotonic() - start)
                assert answer.status_code in (202, 503), answer.text
                if answer.status_code == 202:
                    history.told(ids)

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(send, worker) for worker in range(4)]
        for _ in range(3):
            time.sleep(1.5)
            mortal.stop("immediate")
            time.sleep(1.5)
            mortal.start()
        with server.client() as client:
            history.sending(["last"])
            _until_taken(client, "last")
            history.told(["last"])
        time.sleep(1)
        stop.set()
        for worker in workers:
            worker.result()
    assert slowest[0] < 8
    assert len(history.acknowledged) > 100
    assert server.stop() == 0
    history.check(stored_ids(server.root, **_environ(url)))


@pytest.mark.chaos
@pytest.mark.parametrize("mode", ["blackhole", "delay"])
def test_a_database_that_hangs_costs_each_request_little(mortal, make_server, mode):
    """F8: 503 within a bound, threads do not pile up, and it recovers when the network does."""
    upgrade_database(mortal.url("shop"))
    with Proxy(mortal.port) as proxy:
        environ = _environ(_through(mortal.url("shop"), mortal, proxy))
        server = make_server(environ=environ).start()
        with server.client() as client:
            assert _post(client, ["first"]).status_code == 202

            def ask(turn: int) -> tuple[int, float]:
                start = time.monotonic()
                answer = client.get("/v1/at-risk", params={"page_size": 1 + turn % 50})
                return answer.status_code, time.monotonic() - start

            assert ask(0)[0] == 200
            proxy.set(mode)
            with ThreadPoolExecutor(32) as pool:
                answers = list(pool.map(ask, range(300)))
            assert {status for status, _ in answers} == {503}
            assert sorted(took for _, took in answers)[-3] < 8
            threads = _threads(server)
            with ThreadPoolExecutor(32) as pool:
                list(pool.map(ask, range(300)))
            assert _threads(server) <= threads + 2
            assert client.get("/livez").status_code == 200
            proxy.set("cut")
            proxy.set("pass")
            _until_taken(client, "second")
        assert server.stop() == 0


@pytest.mark.chaos
def test_slow_queries_do_not_make_a_queue_of_minutes(mortal, make_server):
    """F9: two connections, fifty callers, a table that is locked: all are answered in seconds."""
    import psycopg

    url = mortal.url("shop")
    upgrade_database(url)
    environ = _environ(url, CHURNGUARD_STORE_CONNECTIONS="2")
    server = make_server(environ=environ).start()
    plain = f"postgresql://postgres@127.0.0.1:{mortal.port}/postgres"
    with server.client() as client, psycopg.connect(plain) as locker:
        assert client.get("/v1/at-risk").status_code == 200
        locker.execute("LOCK TABLE shop.score_run IN ACCESS EXCLUSIVE MODE")
        start = time.monotonic()
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: client.get("/v1/at-risk"), range(50)))
        assert time.monotonic() - start < 20
        assert {answer.status_code for answer in answers} <= {429, 503}
        assert all(answer.headers["retry-after"] for answer in answers)
        locker.rollback()
        assert client.get("/v1/at-risk").status_code == 200
    assert server.stop() == 0
