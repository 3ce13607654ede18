"""``churnguard merge``."""

from __future__ import annotations

from typing import Annotated

import typer

from churnguard.cli.answers import answer, say
from churnguard.cli.options import HERE, AsJson, Project
from churnguard.cli.whoami import actor


def merge(
    alias: Annotated[
        str, typer.Argument(metavar="ALIAS", help="An id that turned out to be another customer's.")
    ],
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="Whose it is.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it: there is no way back.", show_default=False)
    ] = False,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Merge an id into the customer to whom it belongs.

    Everything under the alias moves to the customer, now and later; asking by the alias goes on
    working.

    Example: churnguard merge guest-7 C123 --yes
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.merge_customers import merge_customers, would_move

    shop = open_shop(project)
    if not yes:
        rows = would_move(shop, alias, customer)
        counted = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in rows.items())
        say(f"Would be moved to {customer}: {counted or 'nothing is stored under ' + alias}.")
        say("Say --yes to do it; there is no way back.")
        raise typer.Exit(2)
    (told,) = merge_customers(shop, [(alias, customer)], actor=actor())
    answer(told, as_json=as_json, text=_SAID[told["status"]].format(**told))
    if told["status"] == "conflict":
        raise typer.Exit(1)


_SAID = {
    "linked": "{alias_id} is {customer_id} from now on.",
    "duplicate": "{alias_id} was {customer_id} before; nothing has changed.",
    "conflict": "{alias_id} cannot be {customer_id}: it belongs to somebody else, or was erased.",
}
