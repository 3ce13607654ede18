"""``churnguard erase``."""

from __future__ import annotations

from typing import Annotated

import typer

from churnguard.cli.answers import answer, say
from churnguard.cli.options import HERE, AsJson, Project
from churnguard.cli.whoami import actor


def erase(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The shop's own id.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it: there is no way back.", show_default=False)
    ] = False,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Erase a person from every store.

    The signed receipt is printed.

    Example: churnguard erase C123 --yes
    """
    from churnguard.bootstrap import open_shop
    from churnguard.clock import iso
    from churnguard.jobs.erase import erase as erase_person
    from churnguard.jobs.known_customer import owner_of

    shop = open_shop(project)
    if not yes:
        rows = shop.privacy.about(owner_of(shop, customer))
        say("Would be removed: " + (_counted(rows) or "nothing is stored of this customer") + ".")
        say("Say --yes to do it; there is no way back.")
        raise typer.Exit(2)
    receipt = erase_person(shop, customer, actor=actor())
    lines = [
        f"{store['name']}: {store['removed']:,} removed"
        for store in receipt.body["stores"]
        if store["removed"]
    ]
    text = "\n".join([f"Receipt {receipt.receipt_id} of {iso(receipt.at)}", *lines])
    values = {**vars(receipt), "at": iso(receipt.at)}
    answer(values, as_json=as_json, text=text)


def _counted(rows: dict[str, list[object]]) -> str:
    return ", ".join(
        f"{len(some):,} {name.replace('_', ' ')}" for name, some in rows.items() if some
    )
