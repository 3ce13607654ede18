"""The documentation of the signals cannot drift from the signals."""

from __future__ import annotations

import re
import runpy

from churnguard.features.catalogue import Catalogue
from churnguard.features.document import signals_page
from churnguard.features.signal import Definition


def test_the_signals_page_is_current(repo_root):
    """docs/signals.md is what the code says; 'make docs' writes it."""
    assert (repo_root / "docs" / "signals.md").read_text(encoding="utf-8") == signals_page()


def test_the_worked_example_of_an_own_signal_works(repo_root, tmp_path):
    """The file shown in features/README.md is a signal that fits into the catalogue."""
    text = (repo_root / "features" / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(# features/gifts\.py.*?)```", text, re.DOTALL)
    assert example is not None
    file = tmp_path / "gifts.py"
    file.write_text(example.group(1), encoding="utf-8")
    made = [m for m in runpy.run_path(str(file)).values() if isinstance(m, Definition)]
    assert Catalogue.of(["orders"], own=made).names[-1] == "gift_share_180d"


def test_the_readme_names_every_method_of_event_rows(repo_root):
    """Whoever writes a signal finds each primitive in features/README.md."""
    from churnguard.features.rows import EventRows

    text = (repo_root / "features" / "README.md").read_text(encoding="utf-8")
    public = {name for name in vars(EventRows) if not name.startswith("_")} - {"bounds"}
    assert {name for name in public if f".{name}(" not in text} == set()
