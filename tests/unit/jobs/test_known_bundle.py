"""A bundle that names the shop's own signals is read by a process that never trained it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from small_model import FAMILIES, make_bundle, make_model, make_shop

from churnguard.features.catalogue import Catalogue
from churnguard.project.layout import Layout
from churnguard.project.loader import load_own_signals

SIGNAL = '''
from churnguard.features.signal import signal
from churnguard.features.units import NUMBER


@signal(unit=NUMBER, direction=-1, needs=("order_completed",), en="{posies}", he="{posies}")
def posies(rows):
    """Orders in the last 30 days."""
    return rows.events("order_completed").count(30)
'''

PROMOTE = """
import shutil, sys
from dataclasses import replace
import churnguard
from churnguard.jobs.promote import keep_bundle

class Registry:
    def fetch_bundle(self, version, target):
        return shutil.copytree(sys.argv[2], target)

shop = replace(churnguard.open_shop(sys.argv[1], environ={}), registry=Registry)
print(keep_bundle(shop, "1").catalogue.names[-1])
"""


def test_a_fresh_process_finds_the_shop_s_own_signal(tmp_path: Path) -> None:
    """Promoting, rolling back and serving each begin in a process that knows nothing yet."""
    shop = make_shop(tmp_path / "shop", customers=1)
    layout = Layout(shop.root)
    (layout.features / "posies.py").write_text(SIGNAL, encoding="utf-8")
    own = [one for found in load_own_signals(layout) for one in found.signals(())]
    catalogue = Catalogue((*Catalogue.of(FAMILIES).signals, *own))
    model = make_model(1, names=catalogue.names)
    folder = make_bundle(shop, 1, model=model, catalogue=catalogue)
    words = [sys.executable, "-c", PROMOTE, str(shop.root), str(folder)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert ended.stdout.strip() == "posies", ended.stderr
