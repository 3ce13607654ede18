"""The main job on real input: two sheets of a real shop become served scores.

They are judged by what really happened, and everything goes through the doors that a user has: the
command line, the HTTP API, Python and MLflow.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.data, pytest.mark.timeout(600)]

CUTOFF = "2011-09-11"
HORIZON_END = pd.Timestamp("2011-12-10", tz="UTC")


def churnguard(*words: object) -> Any:
    """Run a command with ``--json`` and return its answer."""
    command = [sys.executable, "-m", "churnguard.cli", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Journey:
    """A project made from the two sheets, trained and scored at the cutoff."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root = root
        self.sheets = sorted((data / "online_retail_ii").glob("*.parquet"))
        here = ("--project", root)
        churnguard("init", root, "--name", "retail", "--currency", "GBP")
        ingest = ("ingest", *self.sheets, "--preset", "online-retail", *here)
        self.ingested = churnguard(*ingest)
        self.again = churnguard(*ingest)
        self.trained = churnguard("train", "--until", CUTOFF, "--horizon", 90, *here)
        self.csv = root / "scores.csv"
        self.scored = churnguard("score", "--as-of", CUTOFF, "--out", self.csv, *here)
        self.scores = pd.read_csv(self.csv, dtype={"customer_id": str}).set_index("customer_id")
        self.key = churnguard("keys", "create", "journey", *here)["key"]


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Journey:
    return Journey(tmp_path_factory.mktemp("retail") / "shop", data_dir)


@pytest.fixture(scope="module")
def served(journey: Journey) -> Iterator[str]:
    """The API of the journey's project, in a process of its own."""
    command = [sys.executable, "-m", "churnguard.cli", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--project", str(journey.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "http://" in line:
                yield "http://" + line.split("http://")[1].split("/")[0]
                break
        else:
            pytest.fail("the server did not start")
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def ask(url: str, key: str | None, body: Any = None) -> tuple[int, Any]:
    """Call the API; return status and JSON."""
    headers = {"Content-Type": "application/json"} | (
        {"Authorization": f"Bearer {key}"} if key else {}
    )
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def what_happened(data: Path) -> set[str]:
    """The customers who ordered in the 90 days after the cutoff, by the raw files."""
    sheets = [
        pd.read_parquet(file) for file in sorted((data / "online_retail_ii").glob("*.parquet"))
    ]
    lines = pd.concat(sheets).dropna(subset=["Customer ID"])
    times = lines["InvoiceDate"].dt.tz_localize("UTC")
    after = (times >= pd.Timestamp(CUTOFF, tz="UTC")) & (times < HORIZON_END)
    bought = lines[after & ~lines["Invoice"].astype(str).str.startswith(("C", "A"))]
    bought = bought[(bought["Quantity"] > 0) & (bought["Price"] > 0)]
    return set(bought["Customer ID"].astype(int).astype(str))


def test_every_row_is_accounted_for(journey: Journey) -> None:
    """Accepted, duplicates, conflicts and quarantined add up to the rows read."""
    kinds = ("accepted", "duplicates", "conflicts", "quarantined")
    for counts in [*journey.ingested["files"], journey.ingested, *journey.again["files"]]:
        assert sum(counts[kind] for kind in kinds) == counts["rows"]
    assert journey.ingested["rows"] == 367_260 + 385_485
    assert sum(journey.ingested["reasons"].values()) == journey.ingested["quarantined"]


def test_the_same_files_again_bring_nothing(journey: Journey) -> None:
    assert journey.again["accepted"] == 0
    assert journey.again["quarantined"] == journey.ingested["quarantined"]


def test_scores_are_judged_by_what_really_happened(journey: Journey, data_dir: Path) -> None:
    """At the cutoff the ranking, the level and the top of the list hold against the truth."""
    from churnguard.training.metrics import auc, log_loss

    scored = journey.scores[journey.scores["status"] == "scored"]
    returned = what_happened(data_dir)
    gone = np.array([customer not in returned for customer in scored.index], dtype=np.int8)
    risk = scored["churn_risk"].to_numpy()
    assert 2_900 <= len(scored) <= 3_150
    assert auc(gone, risk) > 0.755
    assert log_loss(gone, risk) < 0.60
    top = np.argsort(-risk)[: len(risk) // 10]
    assert gone[top].mean() > 1.4 * gone.mean()
    inside = scored[(scored["risk_low"] <= risk) & (risk <= scored["risk_high"])]
    assert len(inside) == len(scored)


def test_ten_customers_by_every_door_are_the_same_to_the_last_digit(
    journey: Journey, served: str
) -> None:
    """CLI, API one by one, API in bulk, Python and MLflow's pyfunc give identical numbers."""
    import mlflow

    import churnguard as cg

    ids = list(journey.scores[journey.scores["status"] == "scored"].index[:400:40])
    by_cli = [float(journey.scores.loc[customer, "churn_risk"]) for customer in ids]
    url = f"{served}/v1/customers"
    one_by_one = [
        ask(f"{url}/{customer}/score?as_of={CUTOFF}", journey.key)[1]["churn_risk"]
        for customer in ids
    ]
    status, bulk = ask(
        f"{served}/v1/scores",
        journey.key,
        {"items": [{"customer_id": c} for c in ids], "as_of": CUTOFF},
    )
    assert status == 200, bulk
    shop = cg.open_shop(journey.root)
    from churnguard.clock import parse_instant

    by_python = [
        score.churn_risk for score in cg.score(shop, ids, as_of=parse_instant(CUTOFF, "UTC"))
    ]
    rows_file = journey.root / "rows.parquet"
    churnguard("build", "--cutoff", CUTOFF, "--out", rows_file, "--project", journey.root)
    rows = pd.read_parquet(rows_file).set_index("customer_id").loc[ids]
    for point in (mlflow.set_tracking_uri, mlflow.set_registry_uri):
        point(f"sqlite:///{journey.root / 'mlruns' / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model("models:/retail@champion")
    names = model.metadata.get_input_schema().input_names()
    by_mlflow = model.predict(rows[names].astype("float64"))
    assert one_by_one == by_cli
    assert [score["churn_risk"] for score in bulk["scores"]] == by_cli
    assert by_python == by_cli
    assert list(by_mlflow) == by_cli


def test_reasons_sum_exactly_and_speak_both_languages(journey: Journey, served: str) -> None:
    customer = journey.scores[journey.scores["band"] == "high"].index[0]
    _, score = ask(
        f"{served}/v1/customers/{customer}/score?as_of={CUTOFF}&explain=true", journey.key
    )
    total = score["base_margin"] + sum(reason["effect"] for reason in score["reasons"])
    assert total == pytest.approx(score["margin"], abs=1e-9)
    for reason in score["reasons"]:
        assert reason["text"]["en"]
        assert any("\u0590" <= letter <= "\u05ff" for letter in reason["text"]["he"])


def test_the_list_names_whom_to_save_and_how(journey: Journey, served: str) -> None:
    _, page = ask(f"{served}/v1/at-risk?page_size=25", journey.key)
    gains = [score["action"]["expected_gain"] for score in page["scores"]]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > 0


def test_strangers_and_unknown_customers_get_a_clear_answer(journey: Journey, served: str) -> None:
    url = f"{served}/v1/customers/nobody/score"
    status, problem = ask(url, journey.key)
    assert (status, problem["status"]) == (404, 404)
    assert "no customer with this id" in problem["detail"]
    for key in (None, "cg_live_wrong_key", journey.key[:-1] + "x"):
        assert ask(url, key)[0] == 401
