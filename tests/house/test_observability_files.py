"""The example rules and dashboard ask for metrics that exist."""

from __future__ import annotations

import json
import re

import yaml

NAME = re.compile(r"\bchurnguard_[a-z_]+\b")
SUFFIXES = ("_bucket", "_count", "_sum")


def known(repo_root):
    """Return every metric of the page; that each is told and moves is tried in test_metrics.py."""
    page = (repo_root / "docs" / "observability.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `(churnguard_\w+)` \|", page, re.MULTILINE))


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


def test_the_page_tells_of_every_metric_that_the_code_names(repo_root):
    rooms = ("src/churnguard/jobs/gauges.py", "src/churnguard/serving/metrics.py")
    named = {name for room in rooms for name in NAME.findall((repo_root / room).read_text("utf-8"))}
    assert len(named) >= 14
    strange = {name for name in named if not {name, f"{name}_total"} & known(repo_root)}
    assert strange == set()


PROMISED = {
    "churnguard_http_request_duration_seconds",
    "churnguard_scores_total",
    "churnguard_batch_last_success_timestamp_seconds",
    "churnguard_feature_drift_ratio",
    "churnguard_webhook_deliveries_total",
    "churnguard_build_info",
}


def test_the_names_that_others_build_on_stay(repo_root):
    assert known(repo_root) >= PROMISED
