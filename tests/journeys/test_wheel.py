"""What a shop installs is the wheel: it carries everything and does the main job by itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from churnguard.project.layout import ROOMS

pytestmark = pytest.mark.timeout(300)

_NOT_CARRIED = {".pyc", ".pem", ".nbi", ".nbc"}
_QUICK = """
[cutoffs]
step_days = 60
backtests = 1
[boosted]
trees = 20
seeds = 1
min_rows = 40
"""


@dataclass(frozen=True)
class Installed:
    """A copy of the package as an installer would unpack it, and a folder to work in."""

    site: Path
    work: Path

    @property
    def environ(self) -> dict[str, str]:
        """The installed copy first; the locked dependencies stay in reach."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CHURNGUARD_")}
        return kept | {"PYTHONPATH": str(self.site), "HOME": str(self.work)}

    def python(self, *words: str) -> str:
        """Run Python in the working folder and return what it prints."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.work,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def churnguard(self, *words: str) -> Any:
        """Run a command and return its JSON."""
        return json.loads(self.python("-m", "churnguard.cli", *words, "--json"))

    @contextmanager
    def serving(self, project: str) -> Iterator[str]:
        """Serve a project; gives the URL."""
        command = ["-m", "churnguard.cli", "serve", "--port", "0", "--project", project]
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=self.work,
            env=self.environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            found = (re.search(r"http://[\d.:]+", line) for line in process.stdout)
            yield next(filter(None, found))[0]
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """The wheel, built by the build backend itself: no index is asked."""
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=repo_root, check=True, capture_output=True)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Installed:
    root = tmp_path_factory.mktemp("installed")
    (root / "work").mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(root / "site")
    _take_what_is_compiled(repo_root / "src" / "churnguard", root / "site" / "churnguard")
    return Installed(root / "site", root / "work")


def test_the_wheel_carries_the_package_and_the_rooms(wheel: Path, repo_root: Path) -> None:
    """Every file of the package is there, presets, pages and translations too; so are the rooms."""
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if name.startswith("churnguard/")}
    package = repo_root / "src" / "churnguard"
    wanted = {f"churnguard/{name}" for name in _files(package)}
    for room in ROOMS:
        home = f"churnguard/project/template_rooms/{room}"
        wanted |= {f"{home}/{name}" for name in _files(repo_root / room)}
    assert wanted - carried == set()
    assert not {name for name in carried if Path(name).suffix in {".pem", ".pyc"}}
    kinds = {Path(name).suffix for name in wanted} | {Path(name).name for name in wanted}
    assert kinds >= {".toml", ".html", ".css", ".svg", ".po", "py.typed", "Containerfile"}


def test_the_wheel_names_its_command_and_nothing_of_the_workbench(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
    assert "churnguard = churnguard.cli:main" in entry_points
    assert {name.partition("/")[0] for name in names} == {"churnguard", info}


def test_from_an_empty_folder_to_a_served_score(installed: Installed) -> None:
    """The installed copy, not the checkout, goes from ``init`` to a score over HTTP."""
    home = installed.python("-c", "import churnguard; print(churnguard.__file__)").strip()
    assert Path(home).is_relative_to(installed.site)

    installed.churnguard("init", "garden", "--currency", "EUR")
    garden = ("--project", "garden")
    (installed.work / "garden" / "training" / "quick.toml").write_text(_QUICK, encoding="utf-8")
    simulated = installed.churnguard(
        *("simulate", "--customers", "300", "--days", "420", "--currency", "EUR"),
        *("--pace", "1.5", "--leaving", "0.6", "--out", "shop.parquet"),
    )
    taken_in = installed.churnguard("ingest", "shop.parquet", *garden)
    assert taken_in["accepted"] == taken_in["rows"] == sum(simulated["events"].values())

    trained = installed.churnguard("train", "--recipe", "quick", *garden)
    assert trained["promoted"]
    scored = installed.churnguard("score", "--out", "scores.csv", *garden)
    lines = (installed.work / "scores.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) - 1 == scored["customers"]
    risks = {row[0]: row[5] for row in (line.split(",") for line in lines[1:]) if row[5]}
    customer = next(iter(risks)).strip('"')

    key = installed.churnguard("keys", "create", "crm", *garden)["key"]
    with installed.serving("garden") as url:
        answer = httpx.get(
            f"{url}/v1/customers/{customer}/score", headers={"Authorization": f"Bearer {key}"}
        )
        desk = httpx.get(f"{url}/desk", follow_redirects=True)
    assert answer.status_code == 200
    assert 0 < answer.json()["churn_risk"] < 1
    assert answer.json()["model"]["version"] == trained["version"]
    assert "ChurnGuard" in desk.text


def _take_what_is_compiled(checkout: Path, copy: Path) -> None:
    """Spare the copy minutes of compiling the same lines again; numba goes by the files' times."""
    for compiled in checkout.rglob("*.nb[ic]"):
        target = copy / compiled.relative_to(checkout)
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(compiled, target)
    for source in checkout.rglob("*.py"):
        shutil.copystat(source, copy / source.relative_to(checkout))


def _files(folder: Path) -> set[str]:
    return {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and file.suffix not in _NOT_CARRIED and "__pycache__" not in file.parts
    }
