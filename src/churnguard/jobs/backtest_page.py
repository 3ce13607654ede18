"""The backtest's report: one HTML file that stands alone, readable without its plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import numpy as np

from churnguard.clock import iso
from churnguard.jobs.backtest_curves import QUANTILES, Worth, calibration, profit, reach, spreads
from churnguard.training.backtest import MODEL, Backtest
from churnguard.training.comparison import Comparison
from churnguard.training.slice_calibration import FEWEST_OF_AN_OUTCOME, FEWEST_ROWS, HEADS
from churnguard.training.slices import MEANINGS

COLUMNS = ("auc", "log_loss", "ece", "brier", "lift_10", "slope", "top_share")
_SHARES_TOLD = (0.05, 0.1, 0.2, 0.3, 0.5)
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1c1c1c;background:#fff;max-width:60rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}
table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}caption{text-align:start;color:#555;padding:.2rem 0}
th,td{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:end}
th:first-child,td:first-child{text-align:start}tr.ours{font-weight:600;background:#eef6f1}
svg{max-width:100%;height:auto}p.note{color:#555}
@media print{h2{break-after:avoid}table,svg{break-inside:avoid}}
"""


@dataclass(frozen=True)
class Told:
    """What a report says besides the backtest itself.

    Attributes
    ----------
    shop, recipe : str
        Names.
    until : datetime
        Nothing known later was used.
    worth : Worth
        What customers and actions are worth.
    """

    shop: str
    recipe: str
    until: datetime
    worth: Worth


def backtest_page(
    judged: Backtest,
    comparisons: Sequence[Comparison],
    told: Told,
    *,
    plots: Mapping[str, str],
) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    judged : Backtest
        The recipe and the baselines at past cutoffs.
    comparisons : sequence of Comparison
        Our model against each baseline.
    told : Told
        Names, and what customers are worth.
    plots : mapping of str to str
        SVG by name, from :func:`churnguard.jobs.backtest_plots.backtest_plots`.

    Returns
    -------
    str
        A whole page: no script, nothing is loaded from anywhere, and no customer is named.
    """
    parts = [*_head(judged, told)]
    if judged.judged:
        parts += _figures(judged)
        parts += _compared(comparisons)
        parts += _calibrated(judged, plots["calibration"])
        parts += _reached(judged, plots)
        parts += _earned(judged, told.worth, plots.get("profit", ""))
        parts += _spread(judged, plots["scores"])
    title = escape(f"Backtest of {told.shop}")
    return (
        '<!doctype html>\n<html lang="en" dir="ltr">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _head(judged: Backtest, told: Told) -> list[str]:
    if not judged.judged:
        said = "There is no past cutoff at which a model could have been fitted and judged."
    else:
        counts = [len(one.y) for one in judged.judged]
        said = (
            f"At each of {len(counts)} past cutoffs the recipe was fitted on what was known then "
            f"and scored {min(counts):,} to {max(counts):,} customers once; what they did in the "
            f"{told.worth.horizon_days} days after it is the truth it is held against."
        )
    late = f"The recipe is <b>{escape(told.recipe)}</b>; nothing known after {iso(told.until)} "
    return [
        f"<h1>Backtest of {escape(told.shop)}</h1>",
        f"<p>{said} {late}was used. Baselines were fitted and judged on the same rows.</p>",
    ]


def _figures(judged: Backtest) -> list[str]:
    heads = ["model", *COLUMNS]
    means = [[name, *_cells(judged.mean(name))] for name in judged.models]
    rows = [
        [f"{row['cutoff'][:10]}, {row['model']}", str(row["customers"]), *_cells(row)]
        for row in judged.per_cutoff()
    ]
    return [
        "<h2>How good</h2>",
        _table(heads, reversed(means), caption=f"Mean of {len(judged.judged)} cutoffs"),
        "<p class=note>auc: share of churner and stayer pairs in the right order. log_loss, brier, "
        "ece: less is better. lift_10: churn rate among the riskiest tenth over that of all. "
        f"slope: 1 is calibrated. top_share: of the {judged.contacts} riskiest, the share of real "
        "churners.</p>",
        _table(["cutoff, model", "customers", *COLUMNS], rows, caption="By cutoff"),
    ]


def _compared(comparisons: Sequence[Comparison]) -> list[str]:
    rows = [
        [
            f"{MODEL} less {one.against}",
            one.metric,
            f"{one.mean:+.4f}",
            f"{one.low:+.4f} to {one.high:+.4f}",
            one.verdict,
        ]
        for one in comparisons
    ]
    return [
        "<h2>Better, or luckier?</h2>",
        _table(["", "metric", "difference", "95 % interval", MODEL], rows),
        "<p class=note>The same customers under both models, drawn again and again with all their "
        "rows; even means that the interval holds 0.</p>",
    ]


def _calibrated(judged: Backtest, plot: str) -> list[str]:
    promised, seen = calibration(judged, MODEL)
    rows = [
        [f"group {place}", f"{p:.3f}", f"{s:.3f}"]
        for place, (p, s) in enumerate(zip(promised, seen, strict=True), start=1)
    ]
    caption = f"{MODEL}: equal groups by rising risk, all cutoffs together"
    return [
        "<h2>Does a risk mean what it says?</h2>",
        plot,
        _table(["", "risk promised", "churn rate seen"], rows, caption=caption),
        *_by_slice(judged),
    ]


def _by_slice(judged: Backtest) -> list[str]:
    found = judged.by_slice()
    meant = "; ".join(f"{one.name}: {MEANINGS[one.name]}" for one in found if one.name in MEANINGS)
    return [
        "<h2>And of each kind of customer?</h2>",
        _table(HEADS, (one.cells() for one in found), caption=f"{MODEL}, all cutoffs together"),
        "<p class=note>Risk less rate over 0: more risk was promised than there was; its standard "
        "error draws whole customers. A slice is judged from "
        f"{FEWEST_ROWS} rows and {FEWEST_OF_AN_OUTCOME} of each outcome on. {escape(meant)}.</p>",
    ]


def _reached(judged: Backtest, plots: Mapping[str, str]) -> list[str]:
    found = reach(judged, MODEL)
    rows = []
    for share in _SHARES_TOLD:
        figures = [
            float(np.interp(share, found.share, each)) for each in (found.caught, found.bothered)
        ]
        lift = f"{figures[0] / share:.2f}"
        rows.append([f"{share:.0%}", f"{figures[0]:.1%}", f"{figures[1]:.1%}", lift])
    heads = ["contacted", "real churners reached", "others bothered", "lift"]
    return [
        "<h2>How far down the list?</h2>",
        plots["gain"],
        plots["lift"],
        _table(heads, rows, caption=f"{MODEL}, mean of the cutoffs"),
        "<h2>Whom I catch, whom I bother</h2>",
        plots["catch"],
        "<p class=note>Each point of a line is a length of the list; its numbers are in the table "
        "above.</p>",
    ]


def _earned(judged: Backtest, worth: Worth, plot: str) -> list[str]:
    found = profit(judged, worth)
    if found is None:
        return [
            "<h2>What it is worth</h2>",
            "<p>There is no spend in the shop's events, or no contact in its playbook.</p>",
        ]
    action = found.action
    rows = []
    for name in reversed(judged.models):
        share, money = found.best(name)
        at = [float(np.interp(part, found.share, found.by_model[name])) for part in (0.1, 0.3, 1.0)]
        rows.append([name, *(f"{each:,.2f}" for each in at), f"{money:,.2f}", f"{share:.0%}"])
    heads = ["model", "10 %", "30 %", "everybody", "at best", "contacted then"]
    return [
        "<h2>What it is worth</h2>",
        plot,
        _table(heads, rows, caption=f"{worth.currency}, sum of the cutoffs, by share contacted"),
        f"<p class=note>The playbook's action {escape(action.code)}: it keeps "
        f"{action.prevents:.1%} of the real churners it reaches, costs {action.cost:g} a contact, "
        f"and gives away {action.gives_away:.1%} of the value of those who stay anyway. A customer "
        "is worth the margin expected over the horizon. The action's own rule and consent are not "
        "looked at: the curve compares lists, it is no forecast of a campaign.</p>",
    ]


def _spread(judged: Backtest, plot: str) -> list[str]:
    rows = [
        [one.day, *(f"{q:.3f}" for q in one.quantiles), f"{one.mean:.3f}", f"{one.rate:.3f}"]
        for one in spreads(judged)
    ]
    heads = ["cutoff", *(f"{q:.0%}" for q in QUANTILES), "mean risk", "churn rate"]
    return [
        "<h2>Scores over time</h2>",
        plot,
        _table(heads, rows, caption=f"{MODEL}: quantiles of the risks at each cutoff"),
    ]


def _cells(values: object) -> list[str]:
    assert isinstance(values, dict)
    return [f"{values[name]:.3f}" for name in COLUMNS]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    lines = [
        ("<tr class=ours>" if MODEL in row[0].split(", ") else "<tr>")
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    ]
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f"<div class=wide><table>{told}<thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
