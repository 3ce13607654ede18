"""Answers go to stdout, talk to stderr; a mistake is one line and a hint, with its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from churnguard.cli.answers import table
from churnguard.cli.progress import progress


def test_json_parses_and_text_is_for_a_person(run, garden: Path):
    """Each quick command gives the same facts both ways."""
    for words in (
        ("config", "show"),
        ("keys", "list"),
        ("keys", "create", "crm"),
        ("models", "list"),
        ("models", "history"),
        ("quarantine", "list"),
        ("keys", "new-signing"),
    ):
        as_json, text = run(*words, "--json"), run(*words)
        assert as_json.code == text.code == 0
        assert isinstance(as_json.json, dict | list)
        with pytest.raises(json.JSONDecodeError):
            json.loads(text.out)


def test_settings_say_where_they_come_from(run, garden: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHURNGUARD_MARGIN", "0.45")
    shown = run("config", "show", "--json").json
    assert shown["currency"] == {"value": "EUR", "from": "churnguard.toml"}
    assert shown["margin"] == {"value": 0.45, "from": "CHURNGUARD_MARGIN"}
    assert shown["control_share"] == {"value": 0.1, "from": "default"}
    assert shown["CHURNGUARD_SIGNING_KEY"] == {"value": "set", "from": ".secrets/signing_key.pem"}
    lines = [line.split() for line in run("config", "show").out.splitlines()]
    assert ["margin", "0.45", "CHURNGUARD_MARGIN"] in lines
    assert ["bands", "[0.33,", "0.66]", "churnguard.toml"] in lines


def test_a_project_is_named_by_option_or_variable(
    run, garden: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(garden.parent)
    assert run("config", "show").code == 1
    assert run("config", "show", "--project", "garden").code == 0
    monkeypatch.setenv("CHURNGUARD_PROJECT", "garden")
    assert run("config", "show", "--json").json["name"]["value"] == "garden"


def test_init_makes_a_project_once(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    first = run("init", "shop", "--currency", "ILS")
    assert first.code == 0
    assert "cd shop && churnguard ingest" in first.out
    before = {f: f.read_bytes() for f in (tmp_path / "shop").rglob("*") if f.is_file()}
    again = run("init", "shop", "--currency", "USD")
    assert again.code == 1
    assert "nothing was changed" in again.err
    assert {f: f.read_bytes() for f in (tmp_path / "shop").rglob("*") if f.is_file()} == before


@pytest.mark.parametrize(
    "wrong", [("--timezone", "Mars/Base"), ("--currency", "shekel"), ("--currency", "eur")]
)
def test_init_checks_before_it_writes(run, tmp_path: Path, wrong: tuple[str, str]):
    answered = run("init", str(tmp_path / "shop"), *wrong)
    assert answered.code == 2
    assert wrong[1] in answered.err
    assert not (tmp_path / "shop").exists()


def test_any_name_survives_the_settings_file(run, tmp_path: Path):
    name = 'Gan "Eden" \\ גן\n2'
    assert run("init", str(tmp_path / "shop"), "--name", name, "--json").json["name"] == name


MISTAKES = {
    "an unknown option": (("score", "--foo"), 2, "UsageError"),
    "an unknown command": (("scroe",), 2, "UsageError"),
    "a missing argument": (("explain",), 2, "UsageError"),
    "a value that cannot be": (("simulate", "--out", "x.parquet", "--days", "3"), 2, "UsageError"),
    "a language we do not speak": (("explain", "C1", "--language", "fr"), 2, "UsageError"),
    "a date that is none": (("explain", "C1", "--as-of", "tomorrow"), 2, "InvalidRequest"),
    "a scope that is none": (("keys", "create", "x", "--scope", "all"), 2, "InvalidRequest"),
    "a file of a wrong kind": (("score", "--out", "scores.xls"), 2, "InvalidRequest"),
    "a key that is not there": (("keys", "revoke", "abc"), 1, "KeyNotFound"),
    "a customer that is not there": (("explain", "nobody"), 1, "CustomerNotFound"),
    "a model that is not there": (("score",), 1, "ModelNotFound"),
    "a file that is not there": (("ingest", "nothing.csv"), 1, None),
    "no project": (("keys", "list", "--project", "elsewhere"), 1, "ProjectError"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_line_and_a_hint(run, garden: Path, mistake: str):
    words, code, kind = MISTAKES[mistake]
    answered = run(*words)
    assert answered.code == code
    assert answered.out == ""
    error, hint = answered.err.splitlines()
    assert error.startswith("error: ")
    assert error.endswith((".", "?", ")"))
    assert hint.startswith("hint:  ")
    shape = run(*words, "--json").json["error"]
    assert set(shape) == {"type", "message", "hint"}
    assert kind in {None, shape["type"]}
    assert error == f"error: {shape['message']}"
    assert hint == f"hint:  {shape['hint']}"


def test_what_the_machine_refuses_is_a_line_too(run, garden: Path):
    """A disk or a permission in the way is no traceback."""
    (garden / "data").write_text("in the way")
    answered = run("keys", "list")
    assert answered.code == 1
    assert answered.err.startswith("error: ")
    assert "Traceback" not in answered.err


def test_debug_shows_the_traceback():
    """Wherever the word stands; without it there is none."""
    command = [sys.executable, "-m", "churnguard.cli", "config", "show", "--project", "/nowhere"]
    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=False)
    assert (plain.returncode, debug.returncode) == (1, 1)
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert "ProjectError: /nowhere is not a ChurnGuard project" in debug.stderr


def test_columns_are_aligned():
    """Words to the left, numbers to the right; no line ends in blanks."""
    rows = [["carts", 12, "5%", "a b"], ["orders, all", 1_234.5, "-0.25%", ""]]
    assert table(["event", "rows", "share", "note"], rows).splitlines() == [
        "event          rows   share  note",
        "carts            12      5%  a b",
        "orders, all  1234.5  -0.25%",
    ]
    assert table(["event", "rows"], []) == "event  rows"


def test_progress_is_silent_for_programs(capsys: pytest.CaptureFixture[str]):
    """With --json and no terminal nothing is said; for a log each step is named once."""
    for as_json, said in ((True, ""), (False, "reading ...\nwriting ...\n")):
        with progress(as_json=as_json) as report:
            for done in range(3):
                report("reading", done, 3)
            report("writing", 0, None)
        assert capsys.readouterr() == ("", said)


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress() as report:
        report("reading", 1, 2)
        report("reading", 2, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "reading" in err
    assert "2/2" in err


def test_the_quarantine_shows_counts_and_rows(run, garden: Path):
    """A reason that no row has is said plainly, not shown as an empty table."""
    (garden / "orders.csv").write_text(
        "order_id,customer_id,ordered_at,total\nO1,C1,2026-10-01,5\nO2,,2026-10-01,5\n"
    )
    taken_in = run("ingest", "orders.csv", "--preset", "orders")
    assert taken_in.code == 0
    assert "'churnguard quarantine list' shows the rows." in taken_in.out
    shown = run("quarantine", "list").out
    assert "missing_customer     1" in shown
    assert "orders.csv" in shown
    assert "No row has the reason 'nope'." in run("quarantine", "list", "--reason", "nope").out


def test_a_simulation_names_its_files(run, tmp_path: Path):
    file = tmp_path / "shop.parquet"
    words = ("simulate", "--customers", "20", "--days", "60", "--out", str(file))
    as_text, as_json = run(*words), run(*words, "--json").json
    for name in as_json["files"].values():
        assert Path(name).is_file()
        assert name in as_text.out
    assert as_json["rows"] == sum(as_json["events"].values())


def test_a_simulation_made_in_a_project_suits_it(run, garden: Path):
    """Its currency is the project's: otherwise all orders would be set aside."""
    assert run("simulate", "--customers", "8", "--days", "60", "--out", "shop.parquet").code == 0
    taken = run("ingest", "shop.parquet", "--json").json
    assert taken["quarantined"] == 0
    assert taken["accepted"] == taken["rows"] > 0


def test_a_list_that_was_the_wrong_file_is_taken_back(run, garden: Path):
    """Only what it brought: who objected by another list still does."""
    Path("crm.csv").write_text("C1\nC2\n", encoding="utf-8")
    Path("scores.csv").write_text("customer_id,risk\nC2,0.4\nC3,0.9\n", encoding="utf-8")
    assert run("suppress", "crm.csv", "--json").json["objected"] == 2
    assert run("suppress", "scores.csv", "--json").json == {"rows": 2, "objected": 1, "known": 1}
    undone = run("suppress", "scores.csv", "--undo", "--json").json
    assert undone == {"rows": 2, "lifted": 1, "kept": 1}
    assert run("suppress", "crm.csv", "--json").json == {"rows": 2, "objected": 0, "known": 2}
    assert run("suppress", "scores.csv", "--json").json["objected"] == 1


def test_a_reader_who_has_enough_ends_the_command_in_silence():
    """As ``| head`` does: no traceback, and an exit code that says the answer was not read."""
    words = [sys.executable, "-m", "churnguard.cli", "config", "--no-such-option", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        told = process.stderr.read().decode()
    assert process.returncode == 1
    assert "Traceback" not in told
    assert "BrokenPipe" not in told
