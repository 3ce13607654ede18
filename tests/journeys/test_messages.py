"""What one gets for a mistake, word for word: every answer here stands in docs/messages.md."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import churnguard
from churnguard.errors import ChurnGuardError
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.jobs.check import check
from churnguard.jobs.ingest import ingest
from churnguard.jobs.keys import create_key
from churnguard.jobs.leakage import check_leakage
from churnguard.jobs.ports import Shop
from churnguard.serving.server import Server
from churnguard.testing import FakeEventStore

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def page(repo_root: Path) -> str:
    """The documented messages, without line breaks and quotation marks."""
    text = (repo_root / "docs" / "messages.md").read_text(encoding="utf-8")
    return " ".join(text.replace("\n> ", "\n").split())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    churnguard.create_project(tmp_path / "shop")
    return churnguard.open_shop(tmp_path / "shop", environ={})


def documented(error: ChurnGuardError, page: str) -> bool:
    """Both sentences stand on the page."""
    missing = [text for text in (error.message, error.hint) if text not in page]
    assert missing == []
    return True


def orders(path: Path, lines: list[str]) -> Path:
    path.write_text("order_id,customer_id,ordered_at,total\n" + "\n".join(lines) + "\n")
    return path


def steady(customers: int, *, every: int = 30, number: int = 20) -> list[str]:
    """Orders of customers who all keep coming."""
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    return [
        f"{c}-{k},C{c},{(begin + timedelta(days=every * k + c % every)).isoformat()},{10 + c % 7}"
        for c in range(customers)
        for k in range(number)
    ]


def wrong_column(shop: Shop, folder: Path) -> object:
    file = folder / "orders.csv"
    file.write_text("order_id,costumer,ordered_at,total\n1,a,2026-01-01,5\n")
    return ingest(shop, [file], preset="orders")


def truncated_parquet(shop: Shop, folder: Path) -> object:
    file = folder / "orders.parquet"
    pq.write_table(pa.table({"a": list(range(10_000))}), file)
    file.write_bytes(file.read_bytes()[:9_000])
    return ingest(shop, [file])


def missing_file(shop: Shop, folder: Path) -> object:
    del folder
    return ingest(shop, [Path("orders.csv")], preset="orders")


def no_lag(shop: Shop, folder: Path) -> object:
    return ingest(shop, [orders(folder / "o.csv", [])], preset="orders", known_lag="soon")


def peeking(shop: Shop, folder: Path) -> object:
    del folder
    page = Path(__file__).parents[2] / "docs" / "own-signals.md"
    example = page.read_text(encoding="utf-8").partition("# features/peek.py")[2]
    (shop.root / "features" / "peek.py").write_text(example.partition("```")[0], encoding="utf-8")
    return check(shop)


def nothing_to_prove(shop: Shop, folder: Path) -> object:
    file = folder / "events.csv"
    file.write_text("customer_id,event,occurred_at\nA,signed_in,2026-01-01\n", encoding="utf-8")
    ingest(shop, [file])
    return check_leakage(shop, scratch=lambda _: FakeEventStore())


def one_class(shop: Shop, folder: Path) -> object:
    ingest(shop, [orders(folder / "o.csv", steady(300, every=10, number=60))], preset="orders")
    return churnguard.train(shop, until=datetime.fromisoformat("2026-08-10T00:00+00:00"))


def too_young(shop: Shop, folder: Path) -> object:
    lines = ["1,a,2026-01-01,5", "2,b,2026-01-03,5"]
    ingest(shop, [orders(folder / "o.csv", lines)], preset="orders")
    return churnguard.train(shop, until=datetime.fromisoformat("2026-03-01T00:00+00:00"))


def no_events(shop: Shop, folder: Path) -> object:
    del folder
    return churnguard.train(shop, until=datetime.fromisoformat("2026-03-01T00:00+00:00"))


def misspelt_rule(shop: Shop, folder: Path) -> object:
    del folder
    file = shop.root / "serving" / "playbook.toml"
    text = file.read_text(encoding="utf-8").replace("tickets_open >= 1", "tickets_opn >= 1")
    file.write_text(text, encoding="utf-8")
    try:
        return churnguard.train(shop)
    except ChurnGuardError as error:
        error.message = error.message.replace(str(file), "serving/playbook.toml")
        raise


def no_champion(shop: Shop, folder: Path) -> object:
    del folder
    return churnguard.score(shop, ["C1"])


@pytest.mark.parametrize(
    "mistake",
    [
        wrong_column,
        truncated_parquet,
        missing_file,
        no_lag,
        peeking,
        nothing_to_prove,
        one_class,
        too_young,
        no_events,
        misspelt_rule,
        no_champion,
    ],
)
def test_a_mistake_is_answered_as_documented(
    mistake: Callable[[Shop, Path], object], shop: Shop, tmp_path: Path, page: str
) -> None:
    """One sentence and a hint; nothing is stored by a file that cannot be read."""
    with pytest.raises(ChurnGuardError) as caught:
        mistake(shop, tmp_path)
    assert documented(caught.value, page)
    assert shop.ledger.champion() is None
    if mistake in (wrong_column, truncated_parquet, missing_file):
        assert not shop.events.event_counts()


def asked(url: str, key: str) -> tuple[int, str, dict[str, Any]]:
    """Return status, content type and body of a refused request."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    with caught.value as reply:
        return reply.code, reply.headers["content-type"], json.load(reply)


def test_the_api_answers_strangers_and_unknown_ids_as_documented(trained, page: str) -> None:
    _, key = create_key(trained.shop, "messages", ["scores:read"])
    with Server(trained.shop, host="127.0.0.1", port=0).in_background() as url:
        stranger = asked(f"{url}/v1/customers/C1/score", "wrong")
        unknown = asked(f"{url}/v1/customers/nobody/score", key)
    assert (stranger[0], unknown[0]) == (401, 404)
    for _, kind, problem in (stranger, unknown):
        assert kind.startswith("application/problem+json")
        assert problem["title"] in page
        assert problem["detail"] in page


def test_a_customer_with_one_event_gets_no_invented_number(trained, page: str) -> None:
    """One login and nothing else: abstained, with the reason, and no action."""
    event = dict.fromkeys(EVENT_SCHEMA.names) | {
        "event_id": "only-one",
        "customer_id": "one-event",
        "event": "signed_in",
        "occurred_at": trained.shop.clock() - timedelta(days=3),
        "received_at": trained.shop.clock() - timedelta(days=3),
        "clock": "true",
    }
    trained.shop.events.append(pa.Table.from_pylist([event], schema=EVENT_SCHEMA))
    (score,) = churnguard.score(trained.shop, ["one-event"])
    answer = score.to_dict()
    assert (answer["status"], answer["status_reason"]) == ("abstained", "no_order_yet")
    assert answer["churn_risk"] is answer["interval"] is answer["action"] is None
    told = {name: answer[name] for name in ("status", "status_reason", "churn_risk", "action")}
    assert json.dumps(told) in page
