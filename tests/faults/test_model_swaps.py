"""Models are swapped while clients score, and what scores tell: F12, F16, F17, F33, F34, F48."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Self

import httpx
import pytest
from harness import Server
from receiver import receiving, status
from small_model import NOW, customers_of, make_bundle, make_shop, promote

import churnguard
from churnguard.clock import system_clock
from churnguard.errors import StoreError
from churnguard.jobs import promote as promotions
from churnguard.jobs.champion import ChampionHolder
from churnguard.jobs.keys import create_key
from churnguard.jobs.models import list_models
from churnguard.jobs.ports import LedgerEntry, Shop
from churnguard.jobs.score_customer import CustomerScorer
from churnguard.jobs.timeline_cache import TimelineCache
from churnguard.project.layout import Layout
from churnguard.store.mlflow_registry import MlflowRegistry
from churnguard.testing import build_events

CLIENTS = 16
UNLIMITED = {"CHURNGUARD_REQUESTS_PER_MINUTE": "0"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Make a shop with a few customers and two models, the first of them champion."""
    shop = make_shop(tmp_path_factory.mktemp("swaps") / "shop", customers=12)
    promote(shop, make_bundle(shop, 1), version="1")
    make_bundle(shop, 2)
    return shop


@pytest.fixture(scope="module")
def bundles(shop: Shop) -> list[Path]:
    """Return both bundles, the champion's first."""
    first = shop.ledger.history()[-1].bundle.removeprefix("sha256:")
    folders = [one for one in (shop.root / "bundles").iterdir() if len(one.name) == 64]
    return sorted(folders, key=lambda folder: folder.name != first)


@pytest.fixture(scope="module")
def server(shop: Shop) -> Iterator[Server]:
    """Serve the shop."""
    key = create_key(shop, "faults", ["scores:read"])[1]
    with Server(shop.root, key, environ=UNLIMITED) as server:
        yield server


def without_canary(layout: Layout, entry: LedgerEntry) -> None:
    """Trust a bundle: the canary has tests of its own, and takes seconds."""


class Scoring:
    """Clients that ask for scores all the time, and remember which model answered each."""

    def __init__(self, server: Server, customers: list[str], clients: int = CLIENTS) -> None:
        self._server, self._customers = server, customers
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(clients)
        self.versions: list[list[int]] = [[] for _ in range(clients)]
        self.odd: list[object] = []
        self._asking = [self._pool.submit(self._ask, turn) for turn in range(clients)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for asking in self._asking:
            asking.result(timeout=60)
        self._pool.shutdown()

    def _ask(self, turn: int) -> None:
        draw = random.Random(turn)
        with self._server.client() as client:
            while not self._over.is_set():
                items = [{"customer_id": one} for one in draw.sample(self._customers, 3)]
                try:
                    answer = client.post("/v1/scores", json={"items": items})
                except httpx.TransportError as error:
                    self.odd.append(error)
                    continue
                if answer.status_code != 200:
                    self.odd.append((answer.status_code, answer.text))
                    continue
                named = {score["model"]["version"] for score in answer.json()["scores"]}
                if len(named) != 1:
                    self.odd.append(named)
                self.versions[turn].append(int(named.pop()))


def swap(server: Server, shop: Shop, bundles: list[Path], *, times: int, clients: int) -> Scoring:
    """Promote the two models in turn, each as soon as the one before serves."""
    first = int(shop.ledger.champion().version)
    with Scoring(server, customers_of(shop), clients) as scoring, server.client() as client:
        for number in range(first + 1, first + times + 1):
            promote(shop, bundles[number % 2 == 0], version=str(number))
            await_version(client, str(number))
    return scoring


def await_version(client: httpx.Client, version: str, *, seconds: float = 700) -> None:
    """Wait until a server says that a version serves."""
    end = time.monotonic() + seconds
    while client.get("/readyz").json().get("model_version") != version:
        assert time.monotonic() < end, f"version {version} does not serve"
        time.sleep(0.05)


def hold_swaps(scoring: Scoring) -> None:
    """Hold what is promised of every answer while models are swapped."""
    assert scoring.odd == []
    assert all(versions for versions in scoring.versions)
    assert all(versions == sorted(versions) for versions in scoring.versions)


def test_a_few_swaps_under_a_few_clients(shop, bundles, server):
    """F16: no error, one version an answer, and never back to an older one."""
    hold_swaps(swap(server, shop, bundles, times=2, clients=4))


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_two_hundred_swaps_under_sixteen_clients(shop, bundles, server):
    """F16: the same 200 times; memory comes back to where it was."""
    warm = swap(server, shop, bundles, times=5, clients=CLIENTS)
    hold_swaps(warm)
    before = memory_mb(server)
    hold_swaps(swap(server, shop, bundles, times=200, clients=CLIENTS))
    assert memory_mb(server) < before + 150


def memory_mb(server: Server) -> float:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


class Registry:
    """MLflow's part in a promotion: versions are copies of bundles, odd and even ones."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self.champion = ""

    def fetch_bundle(self, version: str, target: Path) -> Path:
        return Path(shutil.copytree(self._folders[int(version) % 2], target))

    def set_champion(self, version: str) -> None:
        time.sleep(random.uniform(0, 0.02))
        self.champion = version


@pytest.fixture
def registry(bundles: list[Path], tmp_path: Path) -> Registry:
    """Keep copies of both bundles where a training would have left them."""
    return Registry([shutil.copytree(one, tmp_path / f"run-{one.name}") for one in bundles])


def promote_and_go_back(shop: Shop, registry: Registry, first: int) -> None:
    """Promote eight versions from four threads, and go back four times meanwhile."""
    ours = replace(shop, registry=lambda: registry)
    promotions.promote(ours, str(first), approved_by="test")

    def act(turn: int) -> None:
        if turn % 3 == 2:
            promotions.rollback(ours, approved_by="test", to=str(first))
        else:
            promotions.promote(ours, str(first + 1 + turn), approved_by="test")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(act, range(12)))
    entries = shop.ledger.history()
    assert len({entry.sequence for entry in entries}) == len(entries)
    assert registry.champion == entries[0].version


def test_promotions_at_once_end_in_one_champion_everywhere(shop, registry):
    """F17: promotions and steps back at the same time; two workers agree on the last line.

    While they are made no worker ever finds a bundle missing or half there.
    """
    workers = [ChampionHolder(shop, canary=without_canary) for _ in range(2)]
    over = threading.Event()

    def follow(worker: ChampionHolder) -> None:
        while not over.is_set():
            worker.refresh()
            assert worker.error is None

    with ThreadPoolExecutor(2) as pool:
        following = [pool.submit(follow, worker) for worker in workers]
        try:
            promote_and_go_back(shop, registry, 9000)
        finally:
            over.set()
        for one in following:
            one.result(timeout=60)
    for worker in workers:
        worker.refresh()
        assert worker.current().entry == shop.ledger.champion()


def test_the_alias_ends_where_the_ledger_does(shop, registry, monkeypatch):
    """F17: another promotion comes between a promotion's line and its alias, and is told first."""
    ours = replace(shop, registry=lambda: registry)
    told = registry.set_champion

    def overtaken(version: str) -> None:
        monkeypatch.setattr(registry, "set_champion", told)
        promotions.promote(ours, "9051", approved_by="quicker")
        told(version)

    monkeypatch.setattr(registry, "set_champion", overtaken)
    promotions.promote(ours, "9050", approved_by="slower")
    assert registry.champion == shop.ledger.champion().version == "9051"


@pytest.mark.chaos
def test_two_servers_agree_on_the_champion_within_seconds(shop, server, registry):
    """F17: the same seen from outside, by two processes that serve one shop."""
    with Server(shop.root, server.key, environ=UNLIMITED) as other:
        promote_and_go_back(shop, registry, 9100)
        last = shop.ledger.champion().version
        for one in (server, other):
            with one.client() as client:
                await_version(client, last, seconds=30)


@pytest.mark.parametrize("seconds", [2, pytest.param(30, marks=pytest.mark.chaos)])
def test_threads_that_score_while_models_are_swapped(shop, bundles, seconds):
    """F48: no thread hangs, and each model gives its own numbers, the same in every thread."""
    holder = ChampionHolder(shop, canary=without_canary)
    assert holder.refresh()
    scorer = CustomerScorer(shop, TimelineCache(shop))
    customers = customers_of(shop)[:6]
    numbers: dict[tuple[str, str], set[float | None]] = {}
    end = time.monotonic() + seconds

    def storm(turn: int) -> int:
        asked = 0
        while time.monotonic() < end:
            who = customers[(turn + asked) % len(customers)]
            (score,) = scorer.scores(holder.current(), [who], as_of=NOW, explain=bool(asked % 2))
            numbers.setdefault((score.model.bundle, who), set()).add(score.churn_risk)
            asked += 1
        return asked

    with ThreadPoolExecutor(8) as pool:
        storming = [pool.submit(storm, turn) for turn in range(8)]
        swaps = 0
        while time.monotonic() < end:
            promote(shop, bundles[swaps % 2], version="77")
            swaps += holder.refresh()
        assert all(thread.result(timeout=60) for thread in storming)
    assert swaps > 1
    assert all(len(found) == 1 for found in numbers.values())


BROKEN = [
    status(500),
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<p/>",
    "hang",
    "huge",
    "reset",
]


def test_the_registry_is_never_needed(shop, server, bundles, tmp_path):
    """F12: whatever MLflow's server and store do, a start, a swap and scores go on without them.

    An MLflow that leaves a mark where it is loaded stands before the real one, and nobody calls.
    """
    mark = tmp_path / "loaded"
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    (shop.root / "mlruns").mkdir(exist_ok=True)
    (shop.root / "mlruns" / "mlflow.db").write_bytes(b"<html>502 Bad Gateway</html>")
    with receiving() as receiver:
        address = f"http://127.0.0.1:{receiver.port}"
        environ = UNLIMITED | {"MLFLOW_TRACKING_URI": address, "MLFLOW_REGISTRY_URI": address}
        environ["PYTHONPATH"] = str(tmp_path)
        with Server(shop.root, server.key, environ=environ) as other, other.client() as client:
            for mode in BROKEN:
                receiver.mode = mode
                assert client.get(f"/v1/customers/{customers_of(shop)[0]}/score").json()["model"]
            receiver.close()
            version = str(int(shop.ledger.champion().version) + 1)
            promote(shop, bundles[int(version) % 2], version=version)
            await_version(client, version)
        assert receiver.requests == []
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"<html>502 Bad Gateway</html>", bytes(range(256)) * 40])
def test_a_registry_that_cannot_be_read_is_one_clear_sentence(shop, tmp_path, content):
    """F12: who asks for a promotion is told; the champion stays."""
    (tmp_path / "mlflow.db").write_bytes(content)
    broken = replace(shop, registry=lambda: MlflowRegistry(tmp_path, "shop"))
    before = shop.ledger.history()
    for ask in (list_models, lambda it: promotions.promote(it, "1", approved_by="test")):
        with pytest.raises(StoreError, match=r"mlflow.db cannot be opened") as told:
            ask(broken)
        assert "go on with the champion" in told.value.hint
    assert shop.ledger.history() == before


def test_old_data_are_told_and_do_not_stop_anything(shop, server):
    """F33: the newest event is long ago: scores say so, and the server stays ready."""
    who = customers_of(shop)[0]
    with server.client() as client:
        score = client.get(f"/v1/customers/{who}/score").json()
        assert score["stale"] is True
        assert score["data_through"] < "2026-11-02"
        assert client.get("/readyz").status_code == 200
        fresh = build_events(
            [
                {
                    "event_id": f"fresh-{time.time_ns()}",
                    "customer_id": who,
                    "occurred_at": system_clock(),
                    "received_at": system_clock(),
                }
            ]
        )
        churnguard.open_shop(shop.root, environ={}).events.append(fresh)
        score = client.get(f"/v1/customers/{who}/score").json()
        assert score["stale"] is False, "another process told us of an event: the answer knows it"


def test_nobody_gets_an_invented_number(shop, server):
    """F34: unknown is 404 (a row in bulk); known without an order abstains, with its reason."""
    visit = {"event_id": "v1", "customer_id": "visitor", "event": "signed_in", "value": None}
    shop.events.append(build_events([visit | {"occurred_at": NOW, "received_at": NOW}]))
    with server.client() as client:
        assert client.get("/v1/customers/nobody/score").status_code == 404
        items = [{"customer_id": "nobody"}, {"customer_id": "visitor"}]
        rows = client.post("/v1/scores", json={"items": items}).json()["scores"]
    told = [(row["status"], row["status_reason"], row["churn_risk"]) for row in rows]
    assert told == [("unknown", "not_found", None), ("abstained", "no_order_yet", None)]
