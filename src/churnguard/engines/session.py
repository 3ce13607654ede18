"""Starts Spark, or says in a sentence what it lacks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from churnguard.errors import InvalidRequest

OLDEST_JAVA = 17


def start_session() -> Any:
    """Return the Spark session that there is, or start one.

    Raises
    ------
    InvalidRequest
        If pyspark or Java is missing or too old.
    """
    if find_spec("pyspark") is None:
        raise InvalidRequest(
            "The Spark engine needs pyspark, which is not installed.",
            hint="Install it with: pip install 'churnguard[spark]'",
        )
    if not os.environ.get("SPARK_REMOTE"):
        _refuse_old_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with quiet():
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.appName("churnguard")
        return builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Spark from warning of a pandas that is newer than it knows: tables go as Arrow only."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support", FutureWarning)
        yield


def java_version(java: str) -> int | None:
    """Return the major version of a ``java`` program; None where it cannot be told."""
    done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    return int(found.group(1)) if found else None


def _refuse_old_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    hint = "Install a JDK (apt-get install openjdk-17-jre-headless), or set JAVA_HOME to one."
    if java is None or not Path(java).is_file():
        where = f"JAVA_HOME ({home}) has none" if home else "there is none on the PATH"
        raise InvalidRequest(
            f"The Spark engine needs Java {OLDEST_JAVA} or later, and {where}.", hint=hint
        )
    version = java_version(java)
    if version is not None and version < OLDEST_JAVA:
        raise InvalidRequest(
            f"The Spark engine needs Java {OLDEST_JAVA} or later; {java} is Java {version}.",
            hint=hint,
        )
