"""The plots of a backtest, as SVG text that can stand inside a page.

Every plot has its numbers in a table of the report, so nothing is told by a picture alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

from churnguard.jobs.backtest_curves import (
    QUANTILES,
    Worth,
    calibration,
    profit,
    reach,
    spreads,
)
from churnguard.training.backtest import MODEL, Backtest

_COLOURS = ("#1b7f4b", "#35618f", "#b3672b", "#7a4a86", "#777777", "#a03a3a")
Axes = Any
"""A matplotlib ``Axes``; it is imported only when something is drawn."""


def backtest_plots(judged: Backtest, worth: Worth) -> dict[str, str]:
    """Draw every plot.

    Parameters
    ----------
    judged : Backtest
        At least one cutoff.
    worth : Worth
        What customers and actions are worth.

    Returns
    -------
    dict of str to str
        SVG by name: ``calibration``, ``gain``, ``lift``, ``catch``, ``profit``, ``scores``; without
        ``profit`` where the shop has no spend.
    """
    found = {name: _drawn(name, draw, judged, worth) for name, draw in PLOTS.items()}
    return {name: svg for name, svg in found.items() if svg}


def _drawn(
    name: str, draw: Callable[[Axes, Backtest, Worth], bool], judged: Backtest, worth: Worth
) -> str:
    """Return a plot as SVG, "" where there is nothing to draw."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    plain: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": f"churnguard-{name}",
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with rc_context(plain):
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        if not draw(figure.subplots(), judged, worth):
            return ""
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return _inline(written.getvalue(), name)


def _inline(svg: str, name: str) -> str:
    """Cut a file down to the element, with ids of its own, for a page that holds several."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r' id="', f' id="{name}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{name}"', 1)


def _calibration(axes: Axes, judged: Backtest, worth: Worth) -> bool:
    del worth
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    for name, colour in _models(judged).items():
        promised, seen = calibration(judged, name)
        axes.plot(promised, seen, marker="o", label=name, **_line(name, colour))
    axes.set_xlabel("risk promised")
    axes.set_ylabel("churn rate seen")
    axes.legend(frameon=False)
    return True


def _gain(axes: Axes, judged: Backtest, worth: Worth) -> bool:
    del worth
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    for name, colour in _models(judged).items():
        found = reach(judged, name)
        axes.plot(found.share, found.caught, label=name, **_line(name, colour))
    axes.set_xlabel("share of customers contacted, riskiest first")
    axes.set_ylabel("share of real churners reached")
    axes.legend(frameon=False)
    return True


def _lift(axes: Axes, judged: Backtest, worth: Worth) -> bool:
    del worth
    axes.axhline(1.0, color="0.7", linewidth=1, linestyle="--")
    for name, colour in _models(judged).items():
        found = reach(judged, name)
        axes.plot(found.share, found.lift, label=name, **_line(name, colour))
    axes.set_xlabel("share of customers contacted, riskiest first")
    axes.set_ylabel("churn rate among them / churn rate of all")
    axes.legend(frameon=False)
    return True


def _catch(axes: Axes, judged: Backtest, worth: Worth) -> bool:
    del worth
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    for name, colour in _models(judged).items():
        found = reach(judged, name)
        axes.plot(found.bothered, found.caught, label=name, **_line(name, colour))
    axes.set_xlabel("whom I bother: share of those who would have stayed")
    axes.set_ylabel("whom I catch: share of real churners")
    axes.legend(frameon=False)
    return True


def _profit(axes: Axes, judged: Backtest, worth: Worth) -> bool:
    found = profit(judged, worth)
    if found is None:
        return False
    axes.axhline(0.0, color="0.7", linewidth=1, linestyle="--")
    for name, colour in _models(judged).items():
        axes.plot(found.share, found.by_model[name], label=name, **_line(name, colour))
    axes.set_xlabel("share of customers contacted, riskiest first")
    axes.set_ylabel(f"brought in less cost, {worth.currency}")
    axes.legend(frameon=False)
    return True


def _scores(axes: Axes, judged: Backtest, worth: Worth) -> bool:
    del worth
    found = spreads(judged)
    places = range(len(found))
    for low, high, alpha in ((0, 4, 0.15), (1, 3, 0.3)):
        axes.bar(
            places,
            [one.quantiles[high] - one.quantiles[low] for one in found],
            bottom=[one.quantiles[low] for one in found],
            width=0.5,
            color=_COLOURS[1],
            alpha=alpha,
            label=f"{QUANTILES[high] - QUANTILES[low]:.0%} of the risks",
        )
    axes.plot(places, [one.mean for one in found], "o", color=_COLOURS[1], label="mean risk")
    axes.plot(places, [one.rate for one in found], "_", color="black", ms=24, label="churn rate")
    axes.set_xticks(places, [one.day for one in found])
    axes.set_ylim(0, 1)
    axes.set_ylabel("risk")
    axes.legend(frameon=False)
    return True


def _models(judged: Backtest) -> Mapping[str, str]:
    """Return each model's colour, ours first and drawn last so that it lies on top."""
    names = (MODEL, *(name for name in judged.models if name != MODEL))
    colours = {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(names)}
    return {name: colours[name] for name in reversed(names)}


def _line(name: str, colour: str) -> dict[str, Any]:
    ours = name == MODEL
    return {
        "color": colour,
        "linewidth": 2.4 if ours else 1.1,
        "markersize": 4 if ours else 2.5,
        "alpha": 1.0 if ours else 0.8,
    }


PLOTS: Mapping[str, Callable[[Axes, Backtest, Worth], bool]] = {
    "calibration": _calibration,
    "gain": _gain,
    "lift": _lift,
    "catch": _catch,
    "profit": _profit,
    "scores": _scores,
}
"""Every plot by name; each draws on an axes and tells whether there was something to draw."""
