"""``churnguard explain``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, AsOf, Project


class Language(StrEnum):
    """What the reasons are written in."""

    ENGLISH = "en"
    HEBREW = "he"


def explain(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    as_of: AsOf = None,
    language: Annotated[Language, typer.Option(help="Language of the reasons.")] = Language.ENGLISH,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Show one customer's score, reasons and last events.

    Example: churnguard explain C123
    """
    from churnguard.bootstrap import open_shop
    from churnguard.clock import parse_instant
    from churnguard.jobs.explain import explain as run

    shop = open_shop(project)
    instant = parse_instant(as_of, shop.settings.timezone) if as_of else None
    result = run(shop, customer, as_of=instant)
    answer(result.to_dict(), as_json=as_json, text=result.to_text(language.value))
