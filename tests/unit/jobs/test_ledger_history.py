"""The ledger answers who was champion when, and what a rollback goes back to."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from churnguard.errors import InvalidRequest, ModelNotFound
from churnguard.jobs.ledger import champion_before, ledger_history
from churnguard.testing import fake_shop


def shop_of(*versions: str):
    """A shop whose champions changed at noon of 1 May, 2 May and so on."""
    shop = fake_shop()
    for number, version in enumerate(versions, start=1):
        shop.ledger.append(
            at=datetime(2026, 5, number, 12, tzinfo=UTC),
            version=version,
            bundle=f"sha256:{version}",
            approved_by="Dana",
            reason="",
            trained_until=datetime(2026, 4, 1, tzinfo=UTC),
            labels_through=datetime(2026, 1, 1, tzinfo=UTC),
        )
    return shop


def versions_at(shop, at):
    return [line["version"] for line in ledger_history(shop, at=at)]


@pytest.mark.parametrize(
    ("at", "versions"),
    [
        ("2026-04-30", []),
        ("2026-05-01", ["1"]),
        ("2026-05-02", ["2", "1"]),
        ("2026-05-02T11:59:59Z", ["1"]),
        ("2026-05-02T12:00:00Z", ["2"]),
        ("2026-05-03", ["3", "2"]),
        ("2026-05-04", ["3"]),
        ("2031-01-01", ["3"]),
    ],
)
def test_who_was_champion_then(at, versions):
    """A date means the whole day, on which there may have been two."""
    assert versions_at(shop_of("1", "2", "3"), at) == versions


def test_each_line_says_from_when_to_when():
    lines = ledger_history(shop_of("1", "2"))
    assert [(line["at"], line["until"]) for line in lines] == [
        ("2026-05-02T12:00:00Z", None),
        ("2026-05-01T12:00:00Z", "2026-05-02T12:00:00Z"),
    ]


def test_an_unreadable_day_is_refused():
    with pytest.raises(InvalidRequest, match="3 May"):
        ledger_history(shop_of("1"), at="3 May")


@pytest.mark.parametrize(
    ("versions", "before"),
    [
        (["1", "2"], "1"),
        (["1", "2", "3"], "2"),
        (["1", "2", "3", "2"], "1"),
        (["1", "2", "1", "4"], "1"),
    ],
)
def test_a_rollback_undoes_the_newest_change_that_stands(versions, before):
    """A second rollback goes further back, not forward to what was just undone."""
    assert champion_before(shop_of(*versions)).version == before


@pytest.mark.parametrize("versions", [[], ["1"], ["1", "2", "1"]])
def test_nothing_to_go_back_to_is_said(versions):
    with pytest.raises(ModelNotFound, match="nothing to go back to"):
        champion_before(shop_of(*versions))


def test_a_rollback_may_name_any_earlier_champion():
    shop = shop_of("1", "2", "3")
    assert champion_before(shop, to="1").version == "1"
    with pytest.raises(ModelNotFound, match="'9' has never been champion"):
        champion_before(shop, to="9")


def test_the_ledger_is_asked_without_the_packages_of_training():
    code = (
        "import sys, churnguard.bootstrap, churnguard.jobs.ledger\n"
        "print(sorted({'scipy', 'numba', 'lightgbm', 'sklearn', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
