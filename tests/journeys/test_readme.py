"""What the README shows in Python is run as it stands there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.timeout(300)


def orders(customers: range) -> str:
    """Return four hundred days of orders, of which the newest are of the last weeks."""
    random, now = np.random.default_rng(3), datetime.now(UTC)
    lines = ["order_id,customer_id,ordered_at,total"]
    for customer in customers:
        gone = 0 if customer == 123 else random.choice([0, 0, 150])
        days = np.arange(1 + gone + random.integers(0, 30), 400, random.integers(12, 40))
        for number, day in enumerate(days):
            at = (now - timedelta(days=int(day))).isoformat()
            lines.append(f"{customer}-{number},C{customer:03},{at},{random.gamma(4, 10):.2f}")
    return "\n".join(lines) + "\n"


def test_the_python_of_the_readme(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """A project is made, filled, learned from and asked, with names as plain text."""
    (code,) = re.findall(r"```python\n(.*?)```", (repo_root / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text(orders(range(80, 130)), encoding="utf-8")
    exec(compile(code, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert "registered as version 1, champion now" in said
