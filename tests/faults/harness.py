"""Real servers to be hurt: started as a user starts them, killed as machines kill them.

A test asks ``make_server`` (``conftest.py``) for a :class:`Server`, records in a :class:`History`
what it sent and what it was told, and lets the history be checked against what the store holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

import churnguard
from churnguard.jobs.keys import create_key

START_SECONDS = 180
"""How long a server may take to answer on a machine that does other things as well."""


def make_project(root: Path, *, scopes: Sequence[str] | None = None, **environ: str) -> str:
    """Make a project without events or model; return an API key with these scopes (all)."""
    churnguard.create_project(root)
    shop = churnguard.open_shop(root, environ=environ)
    return create_key(shop, "faults", scopes)[1]


def stored_ids(root: Path, **environ: str) -> list[str]:
    """Return the ids of all events in a project's store, each as often as it is there."""
    shop = churnguard.open_shop(root, environ=environ)
    ids: list[str] = shop.events.history()["event_id"].to_pylist()
    return ids


class Server:
    """``churnguard serve`` as a process of its own, on a free port of 127.0.0.1.

    Parameters
    ----------
    root : Path
        The project.
    key : str
        Sent with every request of :meth:`client`.
    environ : mapping
        Variables that the process is given beside those of the test.
    words : sequence of str
        Further words of the command.
    under : sequence of str
        A program that runs it, such as ``("strace", "-f", ...)``.
    """

    def __init__(
        self,
        root: Path,
        key: str,
        *,
        environ: Mapping[str, str] | None = None,
        words: Sequence[str] = (),
        under: Sequence[str] = (),
    ) -> None:
        self.root = root
        self.key = key
        self.environ = dict(environ or {})
        self.words = tuple(words)
        self.under = tuple(under)
        self.process: Process | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self, *, wait: bool = True) -> Self:
        """Start it, and wait until it answers (``wait``)."""
        assert self.process is None, "it runs already"
        folder = self.root / ".process"
        folder.mkdir(exist_ok=True)
        number = len(list(folder.glob("*.out"))) + 1
        self._told, self._log = folder / f"{number}.out", folder / f"{number}.err"
        words = ["serve", "--project", str(self.root), "--port", "0", "--json", *self.words]
        self.process = self._spawn(words)
        self.url = self._read_url()
        if wait:
            self._wait_until_live()
        return self

    def _spawn(self, words: Sequence[str]) -> Process:
        command = [*self.under, sys.executable, "-m", "churnguard.cli", *words]
        with self._told.open("wb") as out, self._log.open("wb") as err:
            return subprocess.Popen(
                command,
                stdout=out,
                stderr=err,
                env=os.environ | self.environ,
                start_new_session=True,  # what runs it, as strace, ends with it
            )

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, now."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self, *, seconds: float = 30) -> int:
        """Ask it to end (SIGTERM); return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=seconds)
        self.process = None
        return code

    def client(self, *, timeout: float = 30) -> httpx.Client:
        """Return a client that sends the key."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=timeout)

    @property
    def log(self) -> str:
        """What it wrote on stderr since its last start."""
        return self._log.read_text(errors="replace")

    def _read_url(self) -> str:
        for _ in _until(START_SECONDS):
            try:
                return str(json.loads(self._told.read_text())["api"]).removesuffix("/v1")
            except ValueError:
                assert self.process is not None
                assert self.process.poll() is None, f"it did not start: {self.log}"
        raise AssertionError(f"it told no address: {self.log}")

    def _wait_until_live(self) -> None:
        for _ in _until(START_SECONDS):
            try:
                if httpx.get(f"{self.url}/livez", timeout=START_SECONDS).status_code == 200:
                    return
            except httpx.TransportError:
                assert self.process is not None
                assert self.process.poll() is None, f"it ended: {self.log}"
        raise AssertionError(f"it does not answer: {self.log}")


class WarmServer(Server):
    """The same, started in a moment by ``warm_starter.py``: for tests that start many."""

    _starter: subprocess.Popen[str] | None = None

    def _spawn(self, words: Sequence[str]) -> Process:
        if self._starter is None:
            self._starter = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("warm_starter.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        order = {"words": list(words), "out": str(self._told), "err": str(self._log)}
        assert self._starter.stdin is not None
        assert self._starter.stdout is not None
        self._told.touch()
        self._starter.stdin.write(json.dumps(order | {"environ": self.environ}) + "\n")
        self._starter.stdin.flush()
        return Forked(int(self._starter.stdout.readline()))

    def retire(self) -> None:
        """End it, and what starts it."""
        self.kill()
        if self._starter is not None:
            self._starter.kill()
            self._starter.communicate()
            self._starter = None


class Forked:
    """A process that another one has started and buries."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """Return None for as long as it lives."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def wait(self, timeout: float = 30) -> int:
        """Wait until it is gone."""
        for _ in _until(timeout):
            if self.poll() is not None:
                return 0
        raise TimeoutError(f"process {self.pid} does not end")

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


Process = subprocess.Popen[bytes] | Forked


def _until(seconds: float) -> Iterable[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield None
        time.sleep(0.01)


class History:
    """What clients sent, and what they were told; checked when all is over.

    An id that was sent and not acknowledged is open: it may be stored or not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()

    def sending(self, ids: Iterable[str]) -> None:
        """Record ids before they leave."""
        with self._lock:
            self.sent |= set(ids)

    def told(self, ids: Iterable[str]) -> None:
        """Record ids that the service said it has."""
        with self._lock:
            self.acknowledged |= set(ids)

    def check(self, stored: Iterable[str]) -> None:
        """Hold acknowledged within stored within sent, and no id twice."""
        counts = Counter(stored)
        lost = self.acknowledged - counts.keys()
        invented = counts.keys() - self.sent
        twice = {one for one, times in counts.items() if times > 1}
        assert not lost, f"{len(lost)} of {len(self.acknowledged)} acknowledged events are lost"
        assert not invented, f"{len(invented)} events are stored that nobody sent"
        assert not twice, f"{len(twice)} events are stored more than once"
