"""The advisor's plot, as files that stand alone: how many came back, by choice and by time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from churnguard.jobs.horizon_report import Choice, HorizonReport

_WINDOW, _RHYTHM, _BEST = "#35618f", "#b3672b", "#1b7f4b"


def write_horizon(report: HorizonReport, folder: Path) -> dict[str, str]:
    """Write ``horizon.svg``, ``horizon.png`` and ``horizon.json`` into a folder.

    Parameters
    ----------
    report : HorizonReport
        What was found.
    folder : Path
        Made when missing.

    Returns
    -------
    dict of str to str
        Path by kind of file.
    """
    from matplotlib import rc_context

    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: str(folder / f"horizon.{kind}") for kind in ("svg", "png", "json")}
    with rc_context({"svg.hashsalt": "churnguard", "svg.fonttype": "path"}):
        figure = _figure(report)
        figure.savefig(files["svg"], metadata={"Date": None})
        figure.savefig(files["png"], dpi=150)
    text = json.dumps(report.to_dict(), ensure_ascii=False, indent=1)
    Path(files["json"]).write_text(text + "\n", encoding="utf-8")
    return files


def _figure(report: HorizonReport) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _shares(left, report)
    _curves(right, report)
    return figure


def _shares(axes: Any, report: HorizonReport) -> None:
    """Draw the share that came back, with its interval, for each choice."""
    shown = [choice for choice in report.choices if choice.returned is not None]
    best = report.recommended
    for place, choice in enumerate(shown):
        assert choice.returned is not None
        below = choice.returned - (choice.returned_low or 0.0)
        above = (choice.returned_high or 1.0) - choice.returned
        colour = _BEST if choice is best else _colour(choice)
        axes.errorbar(
            place, choice.returned, yerr=[[below], [above]], fmt="o", color=colour, capsize=3
        )
    axes.axhline(report.accepted, color="0.6", linewidth=1, linestyle="--")
    axes.set_xticks(range(len(shown)), [choice.text for choice in shown], rotation=45, ha="right")
    axes.set_ylim(0, 1)
    axes.set_ylabel(f"came back within {report.follow_up_days} days")
    axes.set_title('Of those called "lost", how many came back', fontsize=11)


def _curves(axes: Any, report: HorizonReport) -> None:
    """Draw when they came back, window by window."""
    for choice in report.choices:
        if choice.window_days is not None and choice.curve:
            days, shares = zip(*choice.curve, strict=True)
            axes.step(days, shares, where="post", label=choice.text, linewidth=1.4)
    axes.set_ylim(0, 1)
    axes.set_xlabel("days since called lost")
    axes.set_title("When they came back", fontsize=11)
    if axes.lines:
        axes.legend(title="silent for", fontsize=8, title_fontsize=8)


def _colour(choice: Choice) -> str:
    return _WINDOW if choice.window_days is not None else _RHYTHM
