"""All sides over several numbers of cutoffs and events: table, plot, and what one more costs."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from feature_peers.measure import measured
from feature_peers.side_by_side import compared, write_events

_LIMIT = 60.0
_OURS_45 = "ours, 45 columns by binary search"


def sweep(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Return every measurement, and write ``features.json``, ``.md`` and ``.png`` to ``--out``.

    It ends soon after ``--budget``: a peer that took longer than ``--limit`` is not tried with more
    cutoffs of the same events, and once the budget is spent only our side is run.
    """
    runs: list[dict[str, Any]] = []
    unlike: dict[str, Any] = {}
    began, limit = time.perf_counter(), options.limit or _LIMIT
    for events in _numbers(options.sweep_events):
        chosen = argparse.Namespace(
            **(vars(options) | {"events": events, "customers": max(events // 50, 1)})
        )
        table = write_events(chosen, work / "events.arrow")
        skipped: dict[str, str] = {}
        for cutoffs in _numbers(options.sweep_cutoffs):
            if time.perf_counter() - began > options.budget:
                skipped |= dict.fromkeys(_peers(options), "not run")
            found = compared(chosen, table, cutoffs=cutoffs, limit=limit, skipped=skipped)
            told = {
                name: side["failed"][0] for name, side in found["sides"].items() if "failed" in side
            }
            skipped |= {name: why for name, why in told.items() if name != "ours"}
            seconds = {name: side.get("best_s") for name, side in found["sides"].items()}
            seconds[_OURS_45] = _alone(chosen, table, cutoffs, work).get("best_s")
            runs.append({"events": events, "cutoffs": cutoffs, "seconds": seconds, "failed": told})
            if found["differences"]:
                unlike[f"{events} events, {cutoffs} cutoffs"] = found["differences"]
    answer: dict[str, Any] = {
        "runs": runs,
        "one_more_cutoff": one_more(runs),
        "differences": unlike,
    }
    answer["took_s"] = round(time.perf_counter() - began)
    if options.out:
        _write(answer, Path(options.out))
    return answer


def _alone(options: argparse.Namespace, table: Path, cutoffs: int, work: Path) -> dict[str, Any]:
    """Measure our side with the 45 columns by binary search alone."""
    out, repeats = work / "alone.arrow", options.repeats
    return measured("ours", table, cutoffs=cutoffs, repeats=repeats, out=out, columns="searched")


def _peers(options: argparse.Namespace) -> list[str]:
    return [side for side in options.sides.split(",") if side != "ours"]


def one_more(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return, by side and events, a further cutoff's time as a share of the first one's.

    The slope of a least-squares line over cutoffs, to the time at the fewest of them.
    """
    shares: dict[str, dict[str, float]] = {}
    for events in sorted({run["events"] for run in runs}):
        own = [run for run in runs if run["events"] == events]
        at = [run["cutoffs"] for run in own]
        for side in own[0]["seconds"]:
            times = [run["seconds"][side] for run in own]
            if len(at) > 1 and None not in times:
                slope = np.polyfit(at, times, 1)[0]
                shares.setdefault(side, {})[str(events)] = round(float(slope / times[0]), 4)
    return shares


def as_text(answer: dict[str, Any]) -> str:
    """Return seconds by side as a table in Markdown, and what one more cutoff costs."""
    sides = list(answer["runs"][0]["seconds"])
    lines = [f"| events | cutoffs | {' | '.join(sides)} | best other, times ours |"]
    lines.append("|---" * (len(sides) + 3) + "|")
    for run in answer["runs"]:
        times = run["seconds"]
        others = [t for name, t in times.items() if not name.startswith("ours") and t]
        ratio = f"{min(others) / times['ours']:.1f}" if others and times.get("ours") else ""
        told = {s: run["failed"].get(s, "failed") for s in sides if times[s] is None}
        cells = " | ".join(told.get(s) or f"{times[s]:.2f}" for s in sides)
        lines.append(f"| {run['events']:,} | {run['cutoffs']} | {cells} | {ratio} |")
    lines.append("\nOne more cutoff, as a share of the first:\n")
    for side, shares in answer["one_more_cutoff"].items():
        each = ", ".join(f"{share:.1%} at {int(n):,} events" for n, share in shares.items())
        lines.append(f"- {side}: {each}")
    lines.append(f"\nDifferent numbers: {answer['differences'] or 'none'}")
    lines.append(f"\nTook {answer['took_s']} s.")
    return "\n".join(lines)


def _write(answer: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "features.json").write_text(json.dumps(answer, indent=1) + "\n")
    (folder / "features.md").write_text(as_text(answer) + "\n")
    _plot(answer["runs"], folder / "features.png")


def _plot(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw seconds over cutoffs, one panel for each number of events."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    sizes = sorted({run["events"] for run in runs})
    figure, panels = plt.subplots(1, len(sizes), figsize=(5 * len(sizes), 4), squeeze=False)
    for panel, events in zip(panels[0], sizes, strict=True):
        own = [run for run in runs if run["events"] == events]
        for side in own[0]["seconds"]:
            pairs = [(run["cutoffs"], run["seconds"][side]) for run in own]
            known = [pair for pair in pairs if pair[1] is not None]
            if known:
                panel.plot(*zip(*known, strict=True), marker="o", label=side)
        panel.set(xlabel="cutoffs", ylabel="seconds", title=f"{events:,} events", yscale="log")
        panel.grid(alpha=0.3)
    panels[0][0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]
