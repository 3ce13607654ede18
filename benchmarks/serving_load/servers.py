"""Starts what is measured: our server, and MLflow's with the same model; each bounded in time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_SECONDS = 180
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@contextmanager
def ours(root: Path, **settings: object) -> Iterator[tuple[str, int]]:
    """Serve a project with one worker; give its address and process id."""
    environ = {f"CHURNGUARD_{name.upper()}": str(value) for name, value in settings.items()}
    words = [sys.executable, "-m", "churnguard.cli", "serve"]
    words += ["--project", str(root), "--port", "0", "--json"]
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told"
        with _running(words, told, environ) as process:
            url = _wait(lambda: json.loads(told.read_text())["api"].removesuffix("/v1"))
            _wait(lambda: urllib.request.urlopen(f"{url}/readyz", timeout=5).status)
            yield url, process.pid


@contextmanager
def mlflow_serving(root: Path, name: str, version: str) -> Iterator[tuple[str, int]]:
    """Serve a registered model by ``mlflow models serve`` with one worker."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{root.resolve() / 'mlruns' / 'mlflow.db'}"
    environ = {
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_REGISTRY_URI": store,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    words = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{name}/{version}"]
    words += ["--env-manager", "local", "-h", "127.0.0.1", "-p", str(port), "-w", "1"]
    url = f"http://127.0.0.1:{port}"
    with (
        tempfile.TemporaryDirectory() as folder,
        _running(words, Path(folder) / "told", environ) as process,
    ):
        _wait(lambda: urllib.request.urlopen(f"{url}/ping", timeout=5).status)
        yield url, process.pid


@contextmanager
def _running(words: list[str], told: Path, environ: dict[str, str]) -> Iterator[Any]:
    with told.open("wb") as out, told.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            words,
            stdout=out,
            stderr=log,
            env=os.environ | ONE_THREAD | environ,
            start_new_session=True,
        )
    try:
        yield process
    except TimeoutError as error:
        raise SystemExit(told.with_suffix(".log").read_text()[-2000:]) from error
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait(look: Any) -> Any:
    """Return what a look finds, once it finds something."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            return look()
        except (OSError, ValueError, KeyError) as error:
            if time.monotonic() > end:
                raise TimeoutError from error
            time.sleep(0.1)
