"""What holds of any file: rows add up, a second time brings nothing, order does not matter."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnguard.jobs.ingest import ingest
from churnguard.jobs.quarantine import replay
from churnguard.store.database import open_database
from churnguard.store.events import SqlEventStore
from churnguard.testing import FakeEventStore, fake_shop

HEADER = ("order_id", "customer_id", "date", "sku", "qty", "price", "currency")
row = st.tuples(
    st.sampled_from(["1", "2", "3", "C4", ""]),
    st.sampled_from(["A", "B", "", "a@b.com"]),
    st.sampled_from(
        ["2026-01-01", "2026-03-27 02:30", "2026-10-25 01:30", "", "soon", "2099-01-01"]
    ),
    st.sampled_from(["X", "Y", ""]),
    st.sampled_from(["1", "2", "0.5", "-1", "", "x"]),
    st.sampled_from(["1.10", "0.1", "0", "-3", "1e13", ""]),
    st.sampled_from(["ILS", "", "EUR"]),
)
rows = st.lists(row, max_size=25)
presets = st.sampled_from(["order-lines", "orders", "events"])
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def write(folder, lines, name="f.csv"):
    file = Path(folder) / name
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*HEADER[:6], HEADER[6], "event"])
        writer.writerows([*line, "order_completed"] for line in lines)
    return file


def log(shop):
    return sorted(
        map(str, shop.events.history().drop_columns(["received_at", "clock"]).to_pylist())
    )


def run(shop, folder, lines, preset, name="f.csv"):
    own = Path(folder) / "own.toml"
    own.write_text(
        f'extends = "{preset}"\n[columns]\noccurred_at = "date"\nvalue = "total"\n'
        'product_id = "sku"\nquantity = "qty"\nprice = "price"\n'
    )
    return ingest(shop, [write(folder, lines, name)], mapping=own)


@quick
@given(rows, presets)
def test_rows_add_up_and_a_second_time_brings_nothing(lines, preset):
    """Accepted, duplicates, conflicts and quarantined are the rows; again, nothing is accepted."""
    with TemporaryDirectory() as folder:
        shop = fake_shop()
        first = run(shop, folder, lines, preset)
        assert first.rows == len(lines)
        assert first.rows == first.accepted + first.duplicates + first.conflicts + first.quarantined
        assert sum(first.reasons.values()) == first.quarantined
        before = log(shop)
        again = run(shop, folder, lines, preset)
        assert (again.accepted, again.quarantined) == (0, first.quarantined)
        assert log(shop) == before


@quick
@given(rows, presets, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(lines, preset, chance):
    """A shuffled file gives the same log, unless its rows contradict each other."""
    with TemporaryDirectory() as folder:
        one, other = fake_shop(), fake_shop()
        told = run(one, folder, lines, preset)
        shuffled = list(lines)
        chance.shuffle(shuffled)
        again = run(other, folder, shuffled, preset)
        assert again.reasons == told.reasons
        assert (again.accepted, again.duplicates) == (told.accepted, told.duplicates)
        if not told.conflicts:
            assert log(other) == log(one)


@quick
@given(rows, st.integers(0, 25))
def test_one_file_or_two_give_the_same_log(lines, cut):
    """Cut between two orders, a file may come in parts, overlapping or not."""
    with TemporaryDirectory() as folder:
        whole, parts = fake_shop(), fake_shop()
        run(whole, folder, lines, "order-lines")
        names = sorted({line[:2] for line in lines})
        first = {name for place, name in enumerate(names) if place < cut}
        run(parts, folder, [line for line in lines if line[:2] in first], "order-lines", "a.csv")
        run(
            parts, folder, [line for line in lines if line[:2] not in first], "order-lines", "b.csv"
        )
        run(parts, folder, lines, "order-lines", "c.csv")
        assert log(parts) == log(whole)


@quick
@given(rows)
def test_an_order_is_the_sum_of_its_lines(lines):
    """To the last 1/10,000: value and units of every order are those of its stored lines."""
    with TemporaryDirectory() as folder:
        shop = fake_shop()
        run(shop, folder, lines, "order-lines")
        totals: dict[str, list[int]] = {}
        orders = {}
        for event in shop.events.history().to_pylist():
            if event["event"] == "order_completed":
                orders[event["event_id"]] = [round(event["value"] * 10_000), event["quantity"]]
            else:
                total = totals.setdefault(event["event_id"].partition("#")[0], [0, 0])
                total[0] += round(event["value"] * 10_000)
                total[1] += event["quantity"]
        assert totals == orders


@settings(quick, max_examples=12)
@given(st.lists(rows, min_size=1, max_size=3), presets)
def test_the_real_store_agrees_with_the_fake(files, preset):
    """SQLite with its Parquet history counts and keeps what the store in memory does."""
    with TemporaryDirectory() as folder:
        fake = fake_shop()
        assert isinstance(fake.events, FakeEventStore)
        engine = open_database("sqlite:///shop.db", root=Path(folder))
        real = replace(fake, events=SqlEventStore(engine, Path(folder) / "events"))
        for number, lines in enumerate(files):
            told = run(real, folder, lines, preset, f"{number}.csv").to_dict()
            assert told == run(fake, folder, lines, preset, f"{number}.csv").to_dict()
            real.events.export()
        assert log(real) == log(fake)
        assert real.events.quarantine_counts() == dict(fake.events.quarantine_counts())
        assert replay(real).to_dict() == replay(fake).to_dict()
        engine.dispose()
