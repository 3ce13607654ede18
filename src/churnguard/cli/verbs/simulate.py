"""``churnguard simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from churnguard.cli.answers import answer, table
from churnguard.cli.options import HERE, AsJson


def simulate(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Parquet file to write.")],
    customers: Annotated[int, typer.Option(min=1, help="How many customers.")] = 5000,
    days: Annotated[int, typer.Option(min=30, help="How many days of history.")] = 730,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    end: Annotated[
        str | None,
        typer.Option(metavar="T", help="Instant at which the history ends.", show_default="now"),
    ] = None,
    pace: Annotated[float, typer.Option(help="How often customers order; 1 is a gift shop.")] = 1.0,
    leaving: Annotated[float, typer.Option(help="How readily they leave; 1 is a gift shop.")] = 1.0,
    timezone: Annotated[
        str | None,
        typer.Option(help="The shop's IANA time zone.", show_default="the project's here, or UTC"),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(help="ISO 4217.", show_default="the project's here, or USD"),
    ] = None,
    misspecified: Annotated[
        bool, typer.Option(help="Dynamics that no signal names, to keep models honest.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make up a shop whose truth is known.

    Writes its events, and beside them its customers, its offers, and the truth.

    Example: churnguard simulate --customers 5000 --days 730 --seed 7 --out shop.parquet
    """
    from churnguard.cli.progress import progress
    from churnguard.clock import parse_instant, system_clock
    from churnguard.events.simulation import SimulationPlan
    from churnguard.jobs.simulate import simulate_to
    from churnguard.project.settings import SETTINGS_FILE, check_settings, read_settings

    here = read_settings(HERE) if (HERE / SETTINGS_FILE).is_file() else check_settings()
    timezone, currency = timezone or here.timezone, currency or here.currency
    until = parse_instant(end, timezone) if end else system_clock()
    plan = SimulationPlan(
        customers=customers,
        days=days,
        seed=seed,
        end=until,
        pace=pace,
        leaving=leaving,
        timezone=timezone,
        currency=currency,
        misspecified=misspecified,
    )
    with progress(as_json=as_json) as report:
        summary = simulate_to(out, plan, progress=report)
    counts = table(["event", "rows"], summary["events"].items())
    answer(summary, as_json=as_json, text=f"{counts}\n\n{_files(summary)}")


def _files(summary: dict[str, Any]) -> str:
    lines = [f"{summary['customers']:,} customers, {summary['rows']:,} events:"]
    return "\n".join(lines + [f"  {name:<9}  {file}" for name, file in summary["files"].items()])
