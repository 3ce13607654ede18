"""From a simulated shop to scores, by every door; and what happens when a bundle is not right."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import churnguard
from churnguard.errors import BundleMismatch, CustomerNotFound, InvalidRequest, ModelNotFound
from churnguard.jobs.champion import ChampionHolder, champion_for, load_champion
from churnguard.jobs.explain import explain
from churnguard.jobs.ledger import ledger_history
from churnguard.jobs.models import list_models, show_model
from churnguard.jobs.ports import Shop, silent
from churnguard.jobs.promote import promote
from churnguard.jobs.score import SCORE_SCHEMA, score_everybody, score_table
from churnguard.jobs.score_customer import score_customers
from churnguard.jobs.score_here import judge_here, sliced
from churnguard.scoring.bundle import load_bundle
from churnguard.scoring.signature import new_key_pair, read_trusted
from churnguard.training.metrics import auc

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def bundle(trained) -> Path:
    """The champion's bundle on disk."""
    return trained.root / "bundles" / trained.report.bundle.removeprefix("sha256:")


@pytest.fixture
def copy(trained, tmp_path: Path) -> Shop:
    """A copy of the trained project that a test may damage."""
    shutil.copytree(trained.root, tmp_path / "shop")
    return churnguard.open_shop(tmp_path / "shop", clock=trained.shop.clock, environ={})


def test_the_first_model_is_champion_and_was_judged_on_later_time(trained) -> None:
    report = trained.report
    assert report.promoted
    assert [entry.version for entry in trained.shop.ledger.history()] == [report.version]
    judged = report.to_dict()["backtest"]
    assert len(judged["cutoffs"]) >= 1
    assert judged["mean"]["churnguard"]["auc"] > 0.7
    assert {"recency", "rfm logistic", "bg/nbd", "default lightgbm"} <= judged["mean"].keys()


def test_mlflow_shows_the_run_and_gives_our_number(trained) -> None:
    """The registered pyfunc answers feature rows with the risk of every other door."""
    import mlflow

    for point in (mlflow.set_tracking_uri, mlflow.set_registry_uri):
        point(f"sqlite:///{trained.root / 'mlruns' / 'mlflow.db'}")
    run = mlflow.get_run(trained.report.run_id)
    assert run.data.params["boosted.trees"] == "40"
    assert run.data.metrics["auc"] == trained.report.backtest.mean()["auc"]
    model = mlflow.pyfunc.load_model(f"models:/{trained.shop.settings.name}@champion")
    as_of = datetime(2026, 9, 1, tzinfo=UTC)
    table, _ = churnguard.build(trained.shop, [as_of])
    names = model.metadata.get_input_schema().input_names()
    rows = pd.DataFrame({name: table[name].to_numpy(zero_copy_only=False) for name in names})
    ids = table["customer_id"].to_pylist()
    scores = {s.customer_id: s for s in churnguard.score(trained.shop, ids, as_of=as_of)}
    ours = [scores[customer].churn_risk for customer in ids]
    theirs = list(model.predict(rows.astype("float64")))
    assert [r for r in ours if r is not None] == [
        t for r, t in zip(ours, theirs, strict=True) if r is not None
    ]


def test_no_customer_s_row_is_in_the_bundle_or_in_mlflow(trained) -> None:
    """Ids of real customers occur in no file of either."""
    ids = trained.shop.events.history()["customer_id"].unique().to_pylist()
    needles = [customer.encode() for customer in ids[:50]]
    files = [f for room in ("bundles", "mlruns") for f in (trained.root / room).rglob("*")]
    for file in (f for f in files if f.is_file() and f.suffix != ".parquet"):
        text = file.read_bytes()
        assert not any(b'"' + needle + b'"' in text for needle in needles), file


def test_batch_request_python_and_explain_agree_to_the_last_bit(trained, tmp_path: Path) -> None:
    shop = trained.shop
    out = tmp_path / "scores.parquet"
    report = score_everybody(shop, out=out, progress=silent)
    table = pq.read_table(out)
    assert table.schema.names == SCORE_SCHEMA.names
    assert report.run.customers == table.num_rows == report.to_dict()["customers"]
    batch = {row["customer_id"]: row for row in table.to_pylist()}
    ids = [c for c, row in batch.items() if row["status"] == "scored"][::25]
    champion = champion_for(shop, None)
    for customer in ids:
        (one,) = score_customers(shop, champion, [customer])
        assert one.churn_risk == batch[customer]["churn_risk"]
        assert one.interval == (batch[customer]["risk_low"], batch[customer]["risk_high"])
        assert one.action is not None
        assert one.action.code == batch[customer]["action"]
        assert explain(shop, customer).score.churn_risk == one.churn_risk
        assert shop.scores.stored_score(customer).churn_risk == one.churn_risk


def test_a_partition_scored_in_slices_gives_the_same(trained, monkeypatch) -> None:
    """A large shop's partition is built a slice at a time, and no customer is cut in two."""
    shop, champion = trained.shop, champion_for(trained.shop, None)
    judged = partial(judge_here, shop, champion, as_of=shop.clock(), progress=silent)
    whole = judged().scores()
    monkeypatch.setitem(judge_here.__globals__, "sliced", partial(sliced, most=70))
    told: list[int] = []
    in_slices = judged(progress=lambda _, done, of: told.append(done))
    assert in_slices.scores() == whole
    assert max(told) > 20


def test_csv_and_parquet_hold_the_same(trained, tmp_path: Path) -> None:
    shop = trained.shop
    ids = shop.events.history()["customer_id"].unique().to_pylist()[:40]
    table = score_table(churnguard.score(shop, ids))
    from churnguard.jobs.write_table import write_table

    write_table(table, tmp_path / "s.csv")
    write_table(table, tmp_path / "s.parquet")
    read = pyarrow.csv.read_csv(tmp_path / "s.csv")
    parquet = pq.read_table(tmp_path / "s.parquet")
    assert read["churn_risk"].to_pylist() == parquet["churn_risk"].to_pylist()
    assert not list(tmp_path.glob(".*unfinished"))
    with pytest.raises(InvalidRequest, match=r"neither \.csv nor \.parquet"):
        write_table(table, tmp_path / "s.xls")


def test_scores_rank_what_happens_next(trained) -> None:
    """A score as of a past instant tells who orders afterwards, and knew nothing of it."""
    as_of = datetime(2026, 8, 1, tzinfo=UTC)
    rows, _ = churnguard.build(trained.shop, [as_of])
    churned = dict(zip(rows["customer_id"].to_pylist(), rows["churned"].to_pylist(), strict=True))
    scores = churnguard.score(trained.shop, list(churned), as_of=as_of)
    judged = [(churned[s.customer_id], s.churn_risk) for s in scores if s.churn_risk is not None]
    gone, risk = map(np.array, zip(*judged, strict=True))
    assert auc(gone.astype(np.int8), risk) > 0.75


def test_reasons_sum_to_the_margin(trained) -> None:
    ids = trained.shop.events.history()["customer_id"].unique().to_pylist()
    scored = [s for s in churnguard.score(trained.shop, ids, explain=True) if s.reasons]
    assert len(scored) > 100
    for score in scored:
        total = score.base_margin + sum(reason.effect for reason in score.reasons)
        assert total == pytest.approx(score.margin, abs=1e-9)


def test_who_has_no_number_gets_a_reason(trained) -> None:
    shop = trained.shop
    book = shop.events.customers().to_pylist()
    objected = next(row["customer_id"] for row in book if row["opt_out_profiling"])
    unknown, refused = churnguard.score(shop, ["nobody", objected])
    assert (unknown.status, unknown.status_reason) == ("unknown", "not_found")
    assert (refused.status, refused.status_reason) == ("objected", "opted_out")
    assert unknown.churn_risk is refused.churn_risk is refused.action is None
    with pytest.raises(CustomerNotFound, match="no customer with this id"):
        explain(shop, "nobody")


def test_a_bundle_proves_itself(trained, bundle: Path) -> None:
    loaded = load_bundle(bundle, read_trusted(trained.root / "serving" / "trust"))
    assert loaded.digest == trained.report.bundle
    assert loaded.facts.horizon_days == 90


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a flipped bit in the trees": lambda b: _flip(b / "models" / "trees.txt"),
    "a flipped bit in the calibration": lambda b: _flip(b / "calibration.json"),
    "a truncated table": lambda b: _cut(b / "golden_rows.parquet"),
    "a changed manifest": lambda b: _flip(b / "manifest.json"),
    "a changed signature": lambda b: _flip(b / "manifest.sig"),
    "a missing file": lambda b: (b / "facts.json").unlink(),
    "a file too many": lambda b: (b / "model.pkl").write_bytes(b"\x80\x04."),
    "no signature": lambda b: (b / "manifest.sig").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_bundle_never_replaces_the_champion(copy: Shop, damage: str) -> None:
    """The old model goes on serving, and the holder says why."""
    holder = ChampionHolder(copy)
    assert holder.refresh()
    serving = holder.current()
    entry = copy.ledger.champion()
    folder = copy.root / "bundles" / entry.bundle.removeprefix("sha256:")
    DAMAGES[damage](folder)
    with pytest.raises(BundleMismatch):
        load_champion(copy, entry)
    copy.ledger.append(
        at=entry.at + timedelta(hours=1),
        version="99",
        bundle=entry.bundle,
        approved_by="somebody",
        reason="",
        trained_until=entry.trained_until,
        labels_through=entry.labels_through,
    )
    assert not holder.refresh()
    assert holder.current() is serving
    assert holder.error
    assert not holder.refresh()


def test_a_stranger_s_signature_is_refused(trained, bundle: Path) -> None:
    with pytest.raises(BundleMismatch, match="not signed by a key in serving/trust"):
        load_bundle(bundle, [new_key_pair()[1]])


def test_other_numbers_than_where_it_was_made_are_refused(
    trained, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle whose golden events give other bits here is refused by that."""
    from churnguard.training.model import TrainedModel

    honest = TrainedModel.margins
    monkeypatch.setattr(TrainedModel, "margins", lambda self, X: honest(self, X) + 1e-12)
    with pytest.raises(BundleMismatch, match="other numbers here"):
        load_bundle(bundle, read_trusted(trained.root / "serving" / "trust"))


def test_promotion_is_recorded_and_mirrored(copy: Shop) -> None:
    version = copy.ledger.champion().version
    again = promote(copy, version, approved_by="Dana")
    assert len(copy.ledger.history()) == 1
    assert again.approved_by == "churnguard train"
    with pytest.raises(ModelNotFound, match="no model version '7'"):
        promote(copy, "7", approved_by="Dana")
    with pytest.raises(InvalidRequest, match="needs a name"):
        promote(copy, version, approved_by=" ")


def test_the_registry_can_be_looked_at(trained) -> None:
    (row,) = list_models(trained.shop)
    assert row["champion"]
    assert float(row["auc"]) == pytest.approx(trained.report.backtest.mean()["auc"], abs=1e-4)
    shown = show_model(trained.shop)
    assert shown["warnings"] == []
    assert "# Churn model of" in shown["card"]
    assert [line["version"] for line in ledger_history(trained.shop)] == [trained.report.version]
    with pytest.raises(ModelNotFound, match="no model version '12'"):
        show_model(trained.shop, "12")


def test_a_mismatch_between_ledger_and_alias_is_told(copy: Shop) -> None:
    import mlflow

    for point in (mlflow.set_tracking_uri, mlflow.set_registry_uri):
        point(f"sqlite:///{copy.root / 'mlruns' / 'mlflow.db'}")
    copy.registry().champion_version()
    client = mlflow.MlflowClient()
    client.delete_registered_model_alias(copy.settings.name, "champion")
    (warning,) = show_model(copy)["warnings"]
    assert "MISMATCH" in warning


def test_without_a_champion_everything_says_how_to_get_one(tmp_path: Path) -> None:
    churnguard.create_project(tmp_path / "empty")
    shop = churnguard.open_shop(tmp_path / "empty", environ={})
    with pytest.raises(ModelNotFound, match="no champion yet") as caught:
        score_everybody(shop, progress=silent)
    assert "churnguard train" in caught.value.hint


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])
