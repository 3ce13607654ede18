"""The example rules and dashboard ask for metrics that exist."""

from __future__ import annotations

import json
import re

import yaml

from churnguard.jobs import gauges
from churnguard.serving.metrics import Metrics
from churnguard.testing import FakeChampion, build_score, fake_shop

NAME = re.compile(r"\bchurnguard_[a-z_]+\b")
SUFFIXES = ("_total", "_bucket", "_count", "_sum")


def known(repo_root):
    """Return every metric's name, as told or as the source names it."""
    metrics = Metrics(fake_shop([build_score("C1")]), FakeChampion())
    metrics.refused("overloaded")
    told = set(re.findall(r"^# TYPE (\S+)", metrics.exposition().decode(), re.MULTILINE))
    source = (repo_root / "src/churnguard/jobs/gauges.py").read_text(encoding="utf-8")
    assert gauges.MOST_FEATURES
    return told | set(NAME.findall(source))


def bare(name, names):
    """Return a series' metric."""
    ends = [name.removesuffix(one) for one in SUFFIXES if name.endswith(one)]
    return next((one for one in [name, *ends] if one in names), None)


def test_rules_and_panels_ask_for_what_there_is(repo_root):
    names = known(repo_root)
    folder = repo_root / "serving" / "observability"
    rules = yaml.safe_load((folder / "alerts.yml").read_text(encoding="utf-8"))
    dashboard = json.loads((folder / "dashboard.json").read_text(encoding="utf-8"))
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    assert len(asked) >= 10
    asked += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    strange = [name for one in asked for name in NAME.findall(one) if not bare(name, names)]
    assert strange == []


def test_the_page_tells_of_every_metric(repo_root):
    page = (repo_root / "docs" / "observability.md").read_text(encoding="utf-8")
    assert [name for name in known(repo_root) if name not in page] == []
