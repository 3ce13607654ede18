"""Spark itself, on two cores of this machine: the same bits as a local run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnguard.bootstrap import ENGINES, open_engine
from churnguard.clock import to_us
from churnguard.engines.session import start_session
from churnguard.engines.spark import BUCKETS, SparkEngine
from churnguard.errors import DataError, InvalidRequest, SchemaError, StoreError
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.features.population import Population
from churnguard.jobs.build import build
from churnguard.jobs.build_on import build_on
from churnguard.jobs.champion import champion_for
from churnguard.jobs.score import score_everybody
from churnguard.jobs.tasks import CustomersSeen, Known, SnapshotRows
from churnguard.project.layout import Layout
from churnguard.project.parcel import Parcel
from churnguard.project.settings import read_settings
from churnguard.project.template import create_project
from churnguard.testing import (
    GOLDEN_ZONE,
    NOON,
    FakeScoreStore,
    build_events,
    fake_shop,
    golden_corpus,
    golden_cutoffs,
)

pytestmark = pytest.mark.spark

SUBMIT = (
    "--master local[2] --driver-memory 1g --conf spark.ui.enabled=false "
    "--conf spark.driver.bindAddress=127.0.0.1 --conf spark.driver.host=127.0.0.1 "
    "--conf spark.sql.shuffle.partitions=2 --conf spark.log.level=ERROR "
    f"--conf {BUCKETS}=3 "
    '--conf "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" pyspark-shell'
)
MILLION = 1_000_000


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_SUBMIT_ARGS", SUBMIT)
        patch.setenv("SPARK_LOCAL_DIRS", str(tmp_path_factory.mktemp("spark")))
        patch.chdir(tmp_path_factory.mktemp("here"))
        spark = start_session()
        yield spark
        spark.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Layout:
    return create_project(tmp_path_factory.mktemp("project") / "shop", timezone=GOLDEN_ZONE)


def stored(events: pa.Table, file: Path) -> str:
    pq.write_table(events, file)
    return file.as_uri()


def test_built_rows_have_the_same_bits(session, project, tmp_path):
    """Ties, nulls, late events and changed clocks: the folder reads as the local table."""
    events = golden_corpus()
    shop = fake_shop(events=events, root=project.root, settings=read_settings(project.root, {}))
    expected, left_out = build(shop, golden_cutoffs())
    engine = SparkEngine(stored(events, tmp_path / "events.parquet"), session=session)
    out = tmp_path / "rows.parquet"
    summary = build_on(engine, shop, cutoffs=golden_cutoffs(), out=str(out))
    found = pq.read_table(out)
    assert found.schema.equals(expected.schema)
    assert found.equals(expected)
    assert (summary["rows"], summary["left_out"]) == (len(expected), left_out)
    assert (out / "_SUCCESS").is_file()
    assert not list(tmp_path.glob(".*"))


def test_one_customer_with_a_million_events_survives(session, project, tmp_path):
    """All of them are one group: one table, one row, with the bits of this process."""
    events = million()
    names = ("orders_total", "spend_365d", "days_since_order", "orders_30d")
    task = SnapshotRows(
        known=Known(NOON, ()),
        rooms=Parcel.pack(project, project.features),
        names=names,
        cutoffs=(to_us(NOON),),
        population=Population(np.zeros(0, np.int64), (), np.zeros((0, 11))),
        horizon_days=90,
        look_back_days=365,
        data_end=to_us(NOON),
    )
    engine = SparkEngine(stored(events, tmp_path / "million.parquet"), session=session)
    found = engine.run(task)
    assert found.equals(task(events.select(list(task.columns))))
    assert found["orders_total"].to_pylist() == [MILLION]


def million() -> pa.Table:
    numbers = np.arange(MILLION)
    one = build_events()
    columns: dict[str, Any] = {
        name: pa.repeat(one[name][0], MILLION) for name in EVENT_SCHEMA.names
    }
    at = pa.array(to_us(NOON) - 60_000_000 * (1 + numbers)).cast(pa.timestamp("us", tz="UTC"))
    columns["event_id"] = pa.array(numbers).cast(pa.string())
    columns |= {"occurred_at": at, "received_at": at, "value": pa.array(numbers % 997 / 7)}
    return pa.table(columns, schema=EVENT_SCHEMA)


def test_a_table_of_the_catalogue_can_be_read(session, tmp_path):
    """``--format table`` names a table of Spark's catalogue instead of files."""
    events = stored(build_events([{}, {"customer_id": "C2"}]), tmp_path / "few.parquet")
    session.read.parquet(events).createOrReplaceTempView("shop_events")
    engine = SparkEngine("shop_events", format="table", session=session)
    found = engine.run(CustomersSeen(NOON)).sort_by("customer_id")
    assert found["customer_id"].to_pylist() == ["C1", "C2"]


def test_what_cannot_be_read_as_events_is_refused(session, tmp_path):
    """No such table, no such column, a naive clock: a sentence each, before any work."""
    events = build_events()
    naive = events["occurred_at"].cast(pa.timestamp("us"))
    tables = {
        "short": events.drop_columns("received_at"),
        "naive": events.set_column(3, "occurred_at", naive),
    }
    read = {
        name: SparkEngine(stored(table, tmp_path / f"{name}.parquet"), session=session)
        for name, table in tables.items()
    }
    with pytest.raises(SchemaError, match="no column 'received_at'"):
        read["short"].run(CustomersSeen(NOON))
    with pytest.raises(SchemaError, match="'occurred_at' is timestamp_ntz, not an instant"):
        read["naive"].run(CustomersSeen(NOON))
    with pytest.raises(StoreError, match="Spark cannot read"):
        SparkEngine("no_such_table", format="table", session=session).run(CustomersSeen(NOON))


def test_a_workers_own_error_is_told_as_here(session, project, tmp_path):
    """Money beyond what can be money: the sentence that a local run says, not a Java trace."""
    events = stored(build_events([{"value": 1e15}]), tmp_path / "rich.parquet")
    shop = fake_shop(root=project.root)
    engine = SparkEngine(events, session=session)
    with pytest.raises(DataError, match=r"^An event's 'value' is 1e\+15"):
        build_on(engine, shop, cutoffs=[NOON], out=str(tmp_path / "rows.parquet"))
    assert not (tmp_path / "rows.parquet").exists()


def test_a_folder_of_somebody_else_is_not_replaced(session, project, tmp_path):
    """``--out`` replaces a file or what Spark wrote; another folder is left alone."""
    (tmp_path / "mine").mkdir()
    engine = SparkEngine(stored(build_events(), tmp_path / "e.parquet"), session=session)
    with pytest.raises(InvalidRequest, match="that Spark has not written"):
        engine.write(CustomersSeen(NOON), str(tmp_path / "mine"), order_by=("customer_id",))


def test_scores_have_the_same_bits(session, trained, tmp_path):
    """A batch on Spark, over the shop's own history, writes the file of a batch in this process."""
    files = [tmp_path / "here.parquet", tmp_path / "spark.parquet"]
    as_of = trained.shop.clock() - timedelta(days=17)
    for file, name in zip(files, ENGINES, strict=True):
        engine = open_engine(name, trained.shop)
        shop = replace(trained.shop, scores=FakeScoreStore())
        report = score_everybody(shop, as_of=as_of, out=file, engine=engine)
        assert report.run.customers == 500
    here, there = (pq.read_table(file) for file in files)
    assert there.equals(here)
    assert here["reason_1"].null_count < len(here)


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
def test_the_registered_model_gives_our_number_as_a_udf(session, trained, tmp_path):
    """``mlflow.pyfunc.spark_udf`` of the champion, over built rows: the risks of this process."""
    import mlflow

    as_of = trained.shop.clock() - timedelta(days=17)
    rows, _ = build(trained.shop, [as_of])
    champion = champion_for(trained.shop, as_of).bundle
    X = np.column_stack([rows[name].to_numpy() for name in champion.catalogue.names])
    for point in (mlflow.set_tracking_uri, mlflow.set_registry_uri):
        point(f"sqlite:///{trained.root / 'mlruns' / 'mlflow.db'}")
    risk = mlflow.pyfunc.spark_udf(
        session,
        f"models:/{trained.shop.settings.name}@champion",
        result_type="double",
        env_manager="local",
    )
    table = session.read.parquet(stored(rows, tmp_path / "rows.parquet"))
    found = table.withColumn("risk", risk(*champion.catalogue.names)).select("customer_id", "risk")
    told = {row["customer_id"]: row["risk"] for row in found.collect()}
    expected = champion.model.risks(X).tolist()
    assert [told[customer] for customer in rows["customer_id"].to_pylist()] == expected
