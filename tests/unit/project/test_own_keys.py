"""A key that a project draws for itself is one key, however many processes draw it at once."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from churnguard.project.layout import Layout
from churnguard.project.secrets import holdout_key, service_key
from churnguard.project.template import write_secret_once

DRAW = """
import sys, time
from pathlib import Path
from churnguard.project.layout import Layout
from churnguard.project.secrets import service_key
layout = Layout(Path(sys.argv[1]))
while time.time() < float(sys.argv[2]):
    pass
print(service_key(layout, {}).decode())
"""


@pytest.mark.parametrize("key", [service_key, holdout_key])
def test_threads_that_draw_at_once_get_one_key(tmp_path, key):
    for turn in range(20):
        layout, together = Layout(tmp_path / str(turn)), Barrier(8)

        def draw(_: int, layout: Layout = layout, together: Barrier = together) -> bytes:
            together.wait()
            return key(layout, {})

        with ThreadPoolExecutor(8) as pool:
            drawn = set(pool.map(draw, range(8)))
        assert drawn == {key(layout, {})}
        assert len(drawn.pop()) == 64


def test_processes_that_draw_at_once_get_one_key(tmp_path):
    """They wait for the same instant, so that all find no file."""
    root, start = tmp_path / "shop", str(time.time() + 4.0)
    command = [sys.executable, "-c", DRAW, str(root), start]
    drawing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    drawn = {process.communicate(timeout=60)[0].strip() for process in drawing}
    assert drawn == {service_key(Layout(root), {}).decode()}
    assert [process.returncode for process in drawing] == [0] * 4


def test_a_key_that_is_there_stays_and_only_its_owner_reads_it(tmp_path):
    file = tmp_path / ".secrets" / "key"
    write_secret_once(file, "first")
    write_secret_once(file, "second")
    assert file.read_text() == "first"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["key"], "nothing half-made is left"
