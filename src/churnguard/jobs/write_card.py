"""The model card: what a person should know before trusting a model, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from churnguard.clock import iso
from churnguard.labels import label_named
from churnguard.scoring.bundle import Facts


def write_card(
    *,
    shop: str,
    facts: Facts,
    backtest: str,
    recipe: str,
    signals: Sequence[str],
    rows: int,
    customers: int,
    cutoffs: Sequence[str],
    assumed_share: float,
    left_out: Mapping[str, str],
    choice: str | None = None,
) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    shop, recipe : str
        Names.
    facts : Facts
        What goes into the bundle.
    backtest : str
        The table of figures.
    signals, cutoffs : sequence of str
        What was learned from.
    rows, customers : int
        How much of it.
    assumed_share : float
        Share of events whose second clock was assumed.
    left_out : mapping of str to str
        Families that the shop's events cannot carry.
    choice : str, optional
        Which learners have a say, and why.
    """
    lines = [
        f"# Churn model of {shop}",
        "",
        "The risk is the calibrated probability of "
        f"{label_named(facts.label).told(facts.horizon_days, facts.look_back_days)} (the label "
        f"'{facts.label}').",
        "",
        "## What it learned from",
        "",
        f"- everything known before {iso(facts.trained_until)}; labels through "
        f"{iso(facts.labels_through)}",
        f"- {rows} rows of {customers} customers at {len(cutoffs)} cutoffs "
        f"({cutoffs[0]} to {cutoffs[-1]}), {len(signals)} signals, recipe '{recipe}'",
        f"- {assumed_share:.0%} of the events have an assumed second clock: for them, when they "
        "were known is not recorded",
        *(f"- {why}" for why in left_out.values()),
        *([f"- {choice}"] if choice else []),
        "",
        "## How good it is",
        "",
        "The recipe was fitted anew for each cutoff on labels that were mature then, and judged by "
        "what happened afterwards.",
        "",
        "```",
        backtest,
        "```",
        "",
        "## What it must not be used for",
        "",
        "It advises a person on retention offers. It is not made for refusing service, credit or a "
        "contract, and knows nothing of customers outside the look-back.",
    ]
    return "\n".join(lines) + "\n"
