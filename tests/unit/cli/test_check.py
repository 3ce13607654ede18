"""What a shop with little or odd data is told, by the commands that it would use."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def orders(customers: int, *, every: int = 20, number: int = 12) -> str:
    """Orders with a value; some customers stop half way."""
    lines = ["order_id,customer_id,ordered_at,total"]
    for c in range(customers):
        for k in range(number // 2 if c % 3 == 0 else number):
            at = BEGIN + timedelta(days=every * k + c % every, hours=c % 24)
            lines.append(f"{c}-{k},C{c:03},{at.isoformat()},{10 + c % 7}")
    return "\n".join(lines) + "\n"


def logins(customers: int) -> str:
    lines = ["customer_id,event,occurred_at"]
    for c in range(customers):
        for k in range(10):
            at = BEGIN + timedelta(days=7 * k + c)
            lines.append(f"C{c:03},signed_in,{at.isoformat()}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def told(run, garden: Path):
    """Bring text in, then answer a command with JSON."""

    def ingest(text: str, preset: str = "events") -> None:
        (garden / "in.csv").write_text(text, encoding="utf-8")
        assert run("ingest", "in.csv", "--preset", preset).code == 0

    return ingest


def test_an_empty_shop_is_told_where_to_begin(run, garden: Path):
    """Readiness is an answer, not an error; what needs rows says that there are none."""
    answered = run("check", "--json")
    assert answered.code == 0
    assert answered.json["ready"] is False
    assert "churnguard ingest" in answered.json["wanting"][0]["hint"]
    assert run("check").out.startswith("NOT READY to train.")
    for words in (
        ("build", "--cutoff", "2025-06-01", "--out", "rows.parquet"),
        ("check", "--leakage"),
        ("train",),
    ):
        refused = run(*words)
        assert refused.code == 1
        assert refused.err.splitlines()[-2].startswith("error: Nothing was known before")


def test_logins_only(run, told, tmp_path: Path):
    """Login signals are carried; nobody is eligible, and that is said instead of a traceback."""
    told(logins(8))
    answer = run("check", "--json").json
    assert set(answer["families"]) == {"logins"}
    assert "the shop has no 'order_completed' events" in answer["left_out"]["orders"]
    assert answer["eligible_now"] == answer["buyers"] == 0
    assert answer["wanting"][0]["what"].startswith("There are no orders: nobody is eligible")
    built = run("build", "--cutoff", "2025-02-15", "--out", str(tmp_path / "r.parquet"), "--json")
    assert (built.code, built.json["rows"]) == (0, 0)
    assert "no customers with an order in the last 365 days" in built.json["nobody"]
    assert set(built.json["left_out"]) == set(answer["left_out"])
    proof = run("check", "--leakage")
    assert proof.code == 1
    assert "there is no row to check" in proof.err
    trained = run("train")
    assert trained.code == 1
    assert "has no order_completed events, only signed_in" in trained.err
    compared = run("horizon")
    assert compared.code == 1
    assert "has no order_completed events, only signed_in" in compared.err


def test_readiness_tells_whom_the_label_asks_about(run, told, garden: Path):
    """A shop that is looked at rather than bought from hears of its visitors, not of its buyers."""
    settings = garden / "churnguard.toml"
    text = settings.read_text(encoding="utf-8")
    assert 'label = "order_gap"' in text
    settings.write_text(text.replace('"order_gap"', '"activity"'), encoding="utf-8")
    told(logins(8))
    found = run("check")
    assert "0 eligible now: customers with a 'signed_in' in the last 365 days" in found.out
    assert "stands above" not in found.out  # there are no orders to count steps by


def test_orders_without_a_value(run, told, tmp_path: Path):
    """The column is named as the reason, by check and by build alike."""
    told(
        "customer_id,event,occurred_at\nA,order_completed,2025-01-05\nA,order_completed,2025-02-05\n"
    )
    answer = run("check", "--json").json
    assert "its 'order_completed' events have no 'value'" in answer["left_out"]["orders"]
    out = tmp_path / "r.parquet"
    built = run("build", "--cutoff", "2025-03-01", "--out", str(out), "--json").json
    assert built["rows"] == 1
    assert built["left_out"] == answer["left_out"]


def test_one_customer_can_be_built_and_proved(run, told, tmp_path: Path):
    told(orders(1), preset="orders")
    built = run("build", "--cutoff", "2025-03-01", "--out", str(tmp_path / "r.csv"), "--json")
    assert (built.code, built.json["nobody"]) == (0, None)
    assert (
        "All signals of 'lifetime' are empty: they want 20 customers"
        in built.json["empty"]["lifetime"]
    )
    proof = run("check", "--leakage", "--cutoff", "2025-03-01", "--json")
    assert (proof.code, proof.json["passed"], proof.json["rows"]) == (0, True, 1)
    assert proof.json["assumed_clock_share"] == 1.0
    answer = run("check", "--json").json
    assert answer["ready"] is False
    assert answer["wanting"][0]["what"].startswith("The history is too short")


def test_a_young_shop_is_told_the_day(run, told):
    """From when the history is long enough is computed, not guessed."""
    told(orders(30, every=5, number=6), preset="orders")
    answer = run("check", "--json").json
    assert answer["ready"] is False
    assert answer["enough_from"].startswith("2025-05-3")
    assert "The history will be long enough from 2025-05-3" in run("check").out


def test_a_thin_shop_is_told_what_is_missing(run, told):
    """How many customers there are and how many the recipe needs, and what the pace makes of it."""
    told(orders(20, every=25, number=20), preset="orders")
    answer = run("check", "--json").json
    assert answer["ready"] is False
    assert answer["enough_from"] is None
    assert answer["wanting"][0]["what"].startswith("There are 20 customers with a known outcome")
    step = answer["stages"][0]
    assert (step["there"], step["wanted"], step["reached"]) == (20, 40, False)
    assert f"20 of 40 {step['counted']}" in run("check").out


def test_a_shop_whose_past_cannot_be_judged_is_told_so(run, told):
    """It has enough to learn from today, and had too little a horizon before any past cutoff."""
    told(orders(45, every=25, number=14), preset="orders")
    answer = run("check", "--json").json
    assert answer["ready"] is True
    assert [lack["what"][:45] for lack in answer["wanting"]] == [
        "None of the past cutoffs can be judged; the g"
    ]
    judged = run("backtest")
    assert judged.code == 1
    assert "was enough known to fit a model: there is nothing to judge" in judged.err


def test_a_ready_shop_is_told_its_rows(run, told, tmp_path: Path):
    """Cutoff by cutoff; the page holds what the terminal says."""
    told(orders(150, every=25, number=20), preset="orders")
    answer = run("check", "--json", "--out", str(tmp_path / "readiness.md")).json
    assert answer["ready"] is True
    assert answer["repeat_buyers"] == 150
    assert all(count["rows"] >= count["churned"] > -1 for count in answer["cutoffs"])
    page = (tmp_path / "readiness.md").read_text(encoding="utf-8")
    assert page.startswith("# Readiness")
    assert answer["cutoffs"][0]["cutoff"][:10] in page


def test_the_proof_can_be_written_to_a_file(run, told, tmp_path: Path):
    told(orders(5), preset="orders")
    out = tmp_path / "verdicts" / "leakage.json"
    answered = run("check", "--leakage", "--cutoff", "2025-05-01", "--out", str(out), "--json")
    assert answered.code == 0
    assert json.loads(out.read_text(encoding="utf-8")) == answered.json


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cutoff", "2025-01-01"), "--cutoff is for the proof."),
        (("--leakage", "--cutoff", "2999-01-01"), "2999-01-01T00:00:00Z lies in the future"),
        (("--leakage", "--out", "verdict.pdf"), "'verdict.pdf' ends in neither .md nor .json."),
    ],
)
def test_wrong_words_are_told(run, told, words: tuple[str, ...], message: str):
    told(orders(3), preset="orders")
    answered = run("check", *words)
    assert answered.code == 2
    assert message in answered.err


@pytest.mark.parametrize(
    "words",
    [
        ("build", "--out", "rows.parquet", "--cutoff"),
        ("score", "--as-of"),
        ("explain", "C001", "--as-of"),
        ("drift", "--as-of"),
        ("retrain", "--as-of"),
        ("run", "daily", "--as-of"),
        ("train", "--until"),
        ("backtest", "--until"),
    ],
)
def test_what_has_not_come_yet_is_not_looked_back_from(run, told, words: tuple[str, ...]):
    told(orders(3), preset="orders")
    answered = run(*words, "2999-01-01")
    assert answered.code == 2
    assert "2999-01-01T00:00:00Z lies in the future" in answered.err


def test_a_file_that_could_not_be_written_is_refused_before_the_work(run, told):
    told(orders(3), preset="orders")
    answered = run("build", "--cutoff", "2025-03-01", "--out", "rows.txt")
    assert answered.code == 2
    assert "Name the file rows.csv or rows.parquet." in answered.err
    assert "building signals" not in answered.err


def test_who_is_not_looked_at_is_told(run, told, garden: Path):
    """Their events are missing from the counts, so the answer says of how many customers."""
    told(orders(5), preset="orders")
    (garden / "book.csv").write_text(
        "customer_id,opt_out_profiling,exclude\nC001,true,\nC002,,true\nC003,,\n", encoding="utf-8"
    )
    assert run("ingest", "book.csv", "--kind", "customers").code == 0
    answer = run("check", "--json").json
    assert (answer["customers"], answer["not_profiled"]) == (3, 2)
    assert "2 customers are not looked at" in run("check").out


def test_a_broken_signal_is_refused_by_every_command_that_builds(run, told, garden: Path):
    """The sentence names the signal, its file and what it does."""
    told(orders(5), preset="orders")
    (garden / "features" / "peek.py").write_text(
        "import numpy as np\n"
        "from churnguard.features.signal import signal\n"
        "from churnguard.features.units import DAYS\n\n"
        '@signal(unit=DAYS, needs=("order_completed",), en="x", he="x")\n'
        "def next_order(rows):\n"
        '    """Days to the next order."""\n'
        '    seen = rows.events("order_completed")\n'
        "    at = np.append(seen._track.occurred, 0)[seen.bounds()[1]]\n"
        "    return (at - rows.cutoffs) / 86_400e6\n",
        encoding="utf-8",
    )
    for words in (
        ("check",),
        ("check", "--leakage"),
        ("train",),
        ("build", "--cutoff", "2025-05-01", "--out", "r.parquet"),
    ):
        refused = run(*words)
        assert refused.code == 1
        assert "The signal 'next_order' in features/peek.py looks ahead" in refused.err
        assert "hint:  Read events only through the methods of rows.events(...)" in refused.err


def test_a_sound_signal_of_ones_own_is_found(run, told, garden: Path):
    """One file, no other touched: it is built, with the windows of the catalogue."""
    told(orders(5), preset="orders")
    catalogue = garden / "features" / "catalogue.py"
    text = catalogue.read_text(encoding="utf-8")
    catalogue.write_text(text.replace("(30, 90, 180, 365)", "(14, 60)"), encoding="utf-8")
    (garden / "features" / "big_orders.py").write_text(
        "from churnguard.features.signal import signal\n"
        "from churnguard.features.units import ORDERS\n\n"
        '@signal(unit=ORDERS, needs=("order_completed",), en="x", he="x")\n'
        "def big_orders(rows, days):\n"
        '    """Orders worth 12 in the last {days} days."""\n'
        '    return rows.events("order_completed").where("value", 12).count(days)\n',
        encoding="utf-8",
    )
    assert run("check", "--json").json["families"]["big_orders"] == 2
    assert run("build", "--cutoff", "2025-05-01", "--out", "r.csv").code == 0
    head = (garden / "r.csv").read_text(encoding="utf-8").splitlines()[0]
    assert '"big_orders_14d","big_orders_60d"' in head


def test_times_that_a_change_of_clocks_makes_odd_are_told_of(run, garden: Path):
    """To people as well as to programs: how many occur twice, and how many never were."""
    (garden / "in.csv").write_text(
        "customer_id,event,occurred_at\n"
        "A,signed_in,2025-03-28 02:30\n"
        "A,signed_in,2025-10-26 01:30\n"
        "A,signed_in,2025-10-26 01:40\n"
    )
    settings = (garden / "churnguard.toml").read_text()
    (garden / "churnguard.toml").write_text(settings.replace('"UTC"', '"Asia/Jerusalem"'))
    told = run("ingest", "in.csv").out
    assert "as clocks are put back: 2 (read as the first)" in told
    assert "as clocks are put forward: 1 (moved by the gap)" in told
