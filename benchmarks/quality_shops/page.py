"""``docs/quality.md``: one page from everything that was judged, tried, tuned and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quality_shops.judge import FIGURES, OURS, average
from quality_shops.shops import DATASETS, ROOT
from quality_shops.words import CLOSING, OPENING, TRIED, UNUSABLE

PAGE = ROOT / "docs" / "quality.md"
RESULTS = Path(__file__).parent / "results"

_SHOWN = ("auc", "log_loss", "ece", "lift_10")
_THREE = ("auc", "log_loss", "ece")
_NO_MODEL = "Too few customers who returned to learn from, so no model: {}."
_VERDICTS = {
    "best": "best",
    "even": "within noise of the best",
    "worse": "worse than {names}",
    "not judged": "not judged",
}

Answer = Mapping[str, Any]


def keep_result(name: str, values: Any) -> None:
    """Write a result for the page into ``results/``."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def result(name: str) -> Any:
    """Return a kept result; an empty mapping where there is none."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def write_page() -> None:
    """Write the page from everything in ``results/``."""
    kept = result("judged")
    answers = {name: kept[name] for name in DATASETS if name in kept}
    counted = [one for name, one in answers.items() if not DATASETS[name].reported_only]
    parts = [
        OPENING,
        _in_short(counted),
        "## Every dataset, every model\n",
        *(_dataset(answer) for answer in answers.values()),
        _tries(result("tries")),
        _tuning(result("tuning")),
        _autogluon(result("autogluon"), answers),
        CLOSING,
    ]
    PAGE.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def text(answers: Sequence[Answer]) -> str:
    """Return the figures for a terminal."""
    lines = []
    for one in answers:
        lines.append(
            f"{one['dataset']}: log loss {verdict(one, 'log_loss')}, AUC {verdict(one, 'auc')}"
        )
        for model, mean in one["mean"].items():
            figures = "".join(f"{mean[name]:>9.4f}" for name in _SHOWN)
            lines.append(f"  {model:<24}{figures}")
    return "\n".join(lines)


def verdict(answer: Answer, metric: str) -> str:
    """Return what the paired comparison says, for a reader."""
    worse = [
        one["against"]
        for one in answer["against"]
        if one["metric"] == metric and one["verdict"] == "worse"
    ]
    return _VERDICTS[answer["verdict"][metric]].format(names=", ".join(worse))


def _in_short(answers: Sequence[Answer]) -> str:
    rows = []
    for one in answers:
        ours, best = one["mean"][OURS], _best_peer(one)
        rows.append(
            f"| {one['dataset']} | {ours['auc']:.3f} | {ours['log_loss']:.3f} "
            f"| {ours['ece']:.3f} | {best} {one['mean'][best]['log_loss']:.3f} "
            f"| {verdict(one, 'log_loss')} | {verdict(one, 'auc')} |"
        )
    means = [
        f"| {model} | " + " | ".join(f"{mean[name]:.3f}" for name in FIGURES) + " |"
        for model, mean in average(answers).items()
    ]
    return "\n".join(
        [
            "| dataset | AUC | log loss | ECE | best peer by log loss | log loss is | AUC is |",
            "|---|---:|---:|---:|---|---|---|",
            *rows,
            "",
            f"Mean over these {len(answers)} datasets:",
            "",
            "| model | " + " | ".join(FIGURES) + " |",
            "|---|" + "---:|" * len(FIGURES),
            *means,
            "",
        ]
    )


def _best_peer(answer: Answer) -> str:
    means: Mapping[str, Mapping[str, float]] = answer["mean"]
    return min(means.keys() - {OURS}, key=lambda name: means[name]["log_loss"])


def _dataset(answer: Answer) -> str:
    shop = DATASETS[answer["dataset"]]
    ours = [row for row in answer["per_cutoff"] if row["model"] == OURS]
    judged = [
        f"| {row['cutoff'][:10]} | {row['customers']:,} | {row['churn_rate']:.0%} | "
        + " | ".join(f"{row[name]:.3f}" for name in _THREE)
        + " |"
        for row in ours
    ]
    against = {(one["against"], one["metric"]): one for one in answer["against"]}
    rows = [_model_row(name, mean, against) for name, mean in answer["mean"].items()]
    left_out = ", ".join(day[:10] for day in answer["left_out"])
    return "\n".join(
        [
            f"### {answer['dataset']}",
            "",
            f"{shop.title}. Churn is no {shop.word} in {shop.horizon_days} days, for customers "
            f"with one in the last {shop.look_back_days}; {answer['signals']} signals.",
            "",
            *([UNUSABLE[answer["dataset"]], ""] if answer["dataset"] in UNUSABLE else []),
            *([_NO_MODEL.format(left_out), ""] if left_out else []),
            "| judged at | customers | churn | our AUC | log loss | ECE |",
            "|---|---:|---:|---:|---:|---:|",
            *judged,
            "",
            "| model | AUC | log loss | ECE | lift | ours less it: AUC | ours less it: log loss |",
            "|---|---:|---:|---:|---:|---|---|",
            *rows,
            "",
        ]
    )


def _model_row(name: str, mean: Mapping[str, float], against: Mapping[Any, Any]) -> str:
    figures = " | ".join(f"{mean[figure]:.3f}" for figure in _SHOWN)
    told = [_difference(against.get((name, metric))) for metric in ("auc", "log_loss")]
    return f"| {name} | {figures} | {told[0]} | {told[1]} |"


def _difference(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return ""
    return f"{one['mean']:+.4f} ({one['low']:+.4f} to {one['high']:+.4f}) {one['verdict']}"


def _tries(tries: Mapping[str, Any]) -> str:
    """Return what each change of the recipe brought, on the test cutoffs and on those before."""
    if not tries:
        return ""
    names = [name for name in DATASETS if any(name in one["datasets"] for one in tries.values())]
    head = "| change | " + " | ".join(names) + " |\n|---|" + "---|" * len(names)
    rows = [
        f"| `{name}`: {one['what']} | "
        + " | ".join(_try_cell(one["datasets"].get(dataset)) for dataset in names)
        + " |"
        for name, one in tries.items()
    ]
    return "\n".join([TRIED, head, *rows, ""])


def _try_cell(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return ""
    earlier = "" if one["earlier"] is None else f"; {one['earlier']:+.4f}"
    return f"{one['test']:+.4f}{earlier}"


def _tuning(found: Mapping[str, Any]) -> str:
    if not found:
        return ""
    rows = [
        f"| {name} | {one['trials']} "
        f"| {one['plain']['auc']:.4f} / {one['plain']['log_loss']:.4f} "
        f"| {one['tuned']['auc']:.4f} / {one['tuned']['log_loss']:.4f} | "
        f"{_difference(one['difference'])} | {one['seconds']:.0f} |"
        for name, one in found.items()
    ]
    return "\n".join(
        [
            "## What tuning brings",
            "",
            "`python benchmarks/quality.py --dataset NAME --tune N --write`: Optuna searches the "
            "recipe's numbers on cutoffs whose outcome was known before the first test cutoff, "
            "as `train --trials N` does; then both recipes are judged at the test cutoffs.",
            "",
            "| dataset | trials | AUC / log loss as it is | tuned | tuned less as it is: log loss "
            "| seconds |",
            "|---|---:|---|---|---|---:|",
            *rows,
            "",
        ]
    )


def _autogluon(found: Mapping[str, Any], answers: Mapping[str, Any]) -> str:
    if not found or found["dataset"] not in answers:
        return ""
    ours = {
        row["cutoff"][:10]: row
        for row in answers[found["dataset"]]["per_cutoff"]
        if row["model"] == OURS
    }
    rows = [
        f"| {one['cutoff']} | "
        + " | ".join(f"{side[name]:.3f}" for side in (one, ours[one["cutoff"]]) for name in _THREE)
        + " |"
        for one in found["cutoffs"]
    ]
    return "\n".join(
        [
            "## General AutoML",
            "",
            f"AutoGluon {found['version']} on {found['day']}, {found['seconds']} seconds a cutoff, "
            f"on the same rows of {found['dataset']}, with its own presets and folds, by "
            "`benchmarks/quality_autogluon.py` in an environment of its own.",
            "",
            "| cutoff | AUC | log loss | ECE | our AUC | our log loss | our ECE |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
        ]
    )
