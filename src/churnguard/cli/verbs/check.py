"""``churnguard check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, Project

if TYPE_CHECKING:
    from churnguard.jobs.leakage_report import LeakageReport
    from churnguard.jobs.ports import EventStore
    from churnguard.jobs.readiness import Readiness


def check(
    leakage: Annotated[
        bool,
        typer.Option("--leakage", help="Prove that no row knows anything from after its cutoff."),
    ] = False,
    cutoff: Annotated[
        list[str] | None,
        typer.Option(
            "--cutoff",
            metavar="T",
            help="With --leakage: instant to look back from; may be repeated.",
            show_default="four, a horizon apart",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Also write the answer: .md or .json."),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Tell what the data can carry; --leakage proves no look-ahead.

    The proof plants late and future events beside the shop's own, shuffles, doubles and rebuilds,
    and compares every cell. Exit code 0 only if it passes.

    Example: churnguard check --leakage --out verdict.md
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.progress import progress
    from churnguard.clock import parse_instant
    from churnguard.errors import InvalidRequest
    from churnguard.jobs.check import check as run
    from churnguard.jobs.leakage import check_leakage
    from churnguard.jobs.write_verdict import check_verdict_ending, write_verdict

    if cutoff and not leakage:
        raise InvalidRequest("--cutoff is for the proof.", hint="Say --leakage as well.")
    if out is not None:
        check_verdict_ending(out)
    shop = open_shop(project)
    cutoffs = [parse_instant(text, shop.settings.timezone) for text in cutoff or []]
    found: LeakageReport | Readiness
    with progress(as_json=as_json) as report:
        if leakage:
            found = check_leakage(shop, scratch=_scratch, cutoffs=cutoffs, progress=report)
        else:
            found = run(shop, progress=report)
    if out is not None:
        write_verdict(found, out)
    answer(found.to_dict(), as_json=as_json, text=found.to_text())
    if leakage and not found.passed:
        raise typer.Exit(1)


def _scratch(folder: Path) -> EventStore:
    """Return the event store of an empty project in a folder."""
    from churnguard.bootstrap import open_shop
    from churnguard.project.template import create_project

    create_project(folder / "scratch")
    return open_shop(folder / "scratch", environ={}).events
