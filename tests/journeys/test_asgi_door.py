"""A project's own ``serving/app.py`` serves it under any ASGI server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import churnguard
from churnguard.jobs.keys import create_key

pytestmark = pytest.mark.timeout(120)

_UVICORN = ("-m", "uvicorn", "--app-dir", "serving", "app:app", "--port", "0")


@contextmanager
def served_by_uvicorn(project: Path) -> Iterator[tuple[httpx.Client, list[str]]]:
    """Give a client of the running server, and the lines of its log, whole once it has stopped."""
    process = subprocess.Popen(
        [sys.executable, *_UVICORN], cwd=project, stderr=subprocess.PIPE, text=True
    )
    lines: list[str] = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"running on (http://[\d.:]+)", line):
                break
        else:
            pytest.fail("".join(lines))
        with httpx.Client(base_url=found[1], timeout=30) as client:
            yield client, lines
    finally:
        process.terminate()
        lines += process.communicate(timeout=30)[1].splitlines()
    assert process.returncode in {0, -15}


def test_uvicorn_serves_the_project_that_the_door_stands_in(trained, tmp_path: Path) -> None:
    project = shutil.copytree(trained.root, tmp_path / "shop")
    customer = trained.shop.events.history()["customer_id"][0].as_py()
    _, key = create_key(churnguard.open_shop(project), "asgi door", ["scores:read"])
    with served_by_uvicorn(project) as (client, lines):
        assert client.get("/readyz").json()["status"] == "ready"
        assert client.get(f"/v1/customers/{customer}/score").status_code == 401
        client.headers["Authorization"] = f"Bearer {key}"
        score = client.get(f"/v1/customers/{customer}/score")
        assert score.status_code == 200
        assert score.json()["customer_id"] == customer
        assert score.json()["model"]["version"] == trained.report.version
    log = "".join(lines)
    assert '"route":"/v1/customers/{customer_id}/score"' in log
    assert customer not in log
