"""Worked examples of own signals are found in a project, keep the contract, and hold."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import pytest

from churnguard.clock import to_us
from churnguard.errors import CatalogueError
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue
from churnguard.project.template import create_project
from churnguard.testing import NOON, build_events

PAGES = {"features/README.md": "gifts.py", "docs/own-signals.md": "gifts_for_others.py"}
EXAMPLE = re.compile(r"```python\n# features/(\w+\.py)\n(.*?)```", re.DOTALL)


def examples(repo_root, page):
    """Return the files that a page shows, by name."""
    return dict(EXAMPLE.findall((repo_root / page).read_text(encoding="utf-8")))


@pytest.fixture
def layout(tmp_path):
    return create_project(tmp_path / "shop")


@pytest.mark.parametrize("page", PAGES)
def test_an_example_is_one_file_and_no_other_is_touched(repo_root, layout, page):
    """Put into a new project's features/, it is found and keeps the contract."""
    before = load_catalogue(layout).names
    name = PAGES[page]
    (layout.features / name).write_text(examples(repo_root, page)[name], encoding="utf-8")
    added = load_catalogue(layout).names[len(before) :]
    assert added
    assert all(f"`{column}`" in (repo_root / page).read_text(encoding="utf-8") for column in added)


def test_the_worked_example_says_what_the_page_says(repo_root, layout):
    """One gift among four items, ten days ago."""
    text = examples(repo_root, "docs/own-signals.md")["gifts_for_others.py"]
    (layout.features / "gifts_for_others.py").write_text(text, encoding="utf-8")
    catalogue = load_catalogue(Layout(layout.root))
    bought = [
        {
            "event": "product_ordered",
            "event_id": f"e{place}",
            "occurred_at": NOON - timedelta(days=days),
            "category": category,
        }
        for place, (days, category) in enumerate(
            [(10, "gift"), (10, "garden"), (40, "garden"), (170, None)]
        )
    ]
    own = catalogue.subset(("gift_lines_180d", "gift_lines_365d", "days_since_gift"))
    timeline = Timeline.from_arrow(build_events(bought))
    rows = build_features(timeline, own, np.array([0]), np.array([to_us(NOON)]))
    assert rows.values.tolist() == [[0.25, 0.25, 10.0]]
    told = own.tell("days_since_gift", dict(zip(rows.names, rows.values[0], strict=True)), "en")
    page = " ".join((repo_root / "docs" / "own-signals.md").read_text(encoding="utf-8").split())
    assert f'"{told}"' in page


def test_the_bad_example_is_refused_as_the_page_says(repo_root, layout):
    page = (repo_root / "docs" / "own-signals.md").read_text(encoding="utf-8")
    text = examples(repo_root, "docs/own-signals.md")["peek.py"]
    (layout.features / "peek.py").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(layout)
    assert f"> {caught.value.message}\n{caught.value.hint}" in page
