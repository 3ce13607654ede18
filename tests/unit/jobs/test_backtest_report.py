"""The backtest's report stands alone, tells in tables what it draws, and names nobody."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from scipy.special import expit

from churnguard.jobs.backtest import BacktestReport, _write
from churnguard.jobs.backtest_curves import Worth, calibration, profit, reach, shares, spreads
from churnguard.jobs.backtest_page import Told
from churnguard.policy.playbook import read_playbook
from churnguard.training.backtest import MODEL, Backtest, Judged
from churnguard.training.comparison import compare_models
from churnguard.training.metrics import lift

IDS = np.array([f"secret-{number}" for number in range(400)])


def one_cutoff(number, *, signals=True):
    rng = np.random.default_rng(number)
    margin = rng.normal(0, 1.5, len(IDS))
    y = (rng.random(len(IDS)) < expit(margin)).astype(np.int8)
    risks = {"recency": expit(margin + rng.normal(0, 1.5, len(IDS))), MODEL: expit(margin)}
    kept = {"net_spend_365d": rng.gamma(2, 300, len(IDS)), "orders_365d": np.full(len(IDS), 3.0)}
    return Judged(number * 86_400_000_000, IDS, y, risks, 1.0, {}, kept if signals else {})


@pytest.fixture(scope="module")
def worth(repo_root: Path) -> Worth:
    return Worth(90, 0.3, "ILS", read_playbook(repo_root / "serving" / "playbook.toml"))


@pytest.fixture(scope="module")
def judged() -> Backtest:
    return Backtest(tuple(one_cutoff(number) for number in range(3)), 50)


@pytest.fixture(scope="module")
def report(judged, worth) -> BacktestReport:
    told = Told("Tea & <Spices>", "quick", datetime(2026, 5, 1, tzinfo=UTC), worth)
    return BacktestReport(judged, compare_models(judged, resamples=50), told)


@pytest.fixture(scope="module")
def text(report) -> str:
    return report.page()


class Page(HTMLParser):
    """Collects what a browser would go and fetch, and every open element."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.ids, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in ("script", "link", "img", "iframe", "object", "embed"):
            self.fetched.append(tag)
        self.fetched += [given[name] for name in ("src", "href") if name in given]
        self.fetched += [v for k, v in given.items() if k == "xlink:href" and v[0] != "#"]
        self.ids += [given["id"]] if "id" in given else []

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_stands_alone(text):
    """No script, no style sheet, no font, no picture from elsewhere; ids do not clash."""
    page = Page(text)
    assert page.fetched == []
    assert len(page.ids) == len(set(page.ids)) > 0
    assert not re.search(r"@import|url\((?!#)", text)
    assert '<html lang="en" dir="ltr">' in text
    assert "Tea &amp; &lt;Spices&gt;" in text


def test_every_plot_is_there_and_told_in_a_table(report, text, judged):
    assert text.count("<svg") == 6
    told = re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)
    for name in judged.models:
        assert f"{judged.mean(name)['auc']:.3f}" in told
    for one in spreads(judged):
        assert all(f"{q:.3f}" in told for q in one.quantiles)
    assert all(f"{seen:.3f}" in told for seen in calibration(judged, MODEL)[1])
    assert all(f"{one.mean:+.4f}" in told for one in report.comparisons)


def test_the_page_tells_calibration_of_each_slice(text, judged):
    for one in judged.by_slice():
        assert all(f"<td>{cell}</td>" in text for cell in one.cells())


def test_nobody_is_named(report, text):
    assert "secret-" not in text + str(report.to_dict())


def test_files_are_written_whole_and_the_same_each_time(report, text, tmp_path):
    again = BacktestReport(report.judged, report.comparisons, report.told)
    _write(again, tmp_path / "out")
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8") == text
    names = {file.name for file in (tmp_path / "out").iterdir()}
    plots = {f"{n}.svg" for n in ("calibration", "gain", "lift", "catch", "profit", "scores")}
    assert names == {"report.html", "backtest.json"} | plots
    for plot in plots:
        ET.fromstring((tmp_path / "out" / plot).read_text(encoding="utf-8"))


def test_a_list_reaches_everybody_in_the_end(judged):
    found = reach(judged, MODEL)
    assert (found.caught[0], found.caught[-1], found.bothered[-1]) == (0.0, 1.0, 1.0)
    assert found.lift[-1] == pytest.approx(1.0)
    tenth = np.mean([lift(one.y, one.risks[MODEL]) for one in judged.judged])
    assert found.lift[np.isclose(found.share, 0.1)] == pytest.approx(tenth)


def test_no_point_of_a_curve_stands_for_fewer_than_twenty(judged):
    assert round(np.diff(shares(judged)).min() * len(IDS), 6) >= 20


def test_profit_counts_churners_kept_and_stayers_paid(judged, worth):
    """Everybody contacted: the sum can be put together by hand."""
    found = profit(judged, worth)
    action, total = found.action, 0.0
    for one in judged.judged:
        value = one.signals["net_spend_365d"]
        value = 3 / 3.5 * value + 0.5 / 3.5 * value.mean()
        value = value * 90 / 365 * 0.3
        kept = action.prevents * value[one.y == 1].sum()
        total += kept - action.gives_away * value[one.y == 0].sum() - action.cost * len(value)
    assert found.by_model[MODEL][-1] == pytest.approx(total)
    assert found.by_model["recency"][-1] == pytest.approx(total)
    for name in judged.models:
        assert found.best(name)[1] == found.by_model[name].max()


def test_a_shop_without_spend_gets_its_report_without_profit(worth):
    poor = Backtest(tuple(one_cutoff(number, signals=False) for number in range(2)), 50)
    told = Told("shop", "quick", datetime(2026, 5, 1, tzinfo=UTC), worth)
    page = BacktestReport(poor, (), told).page()
    assert page.count("<svg") == 5
    assert "no spend" in page


def test_nothing_judged_is_said(worth):
    told = Told("shop", "quick", datetime(2026, 5, 1, tzinfo=UTC), worth)
    page = BacktestReport(Backtest((), 50), (), told).page()
    assert "no past cutoff" in page
    assert "<svg" not in page
