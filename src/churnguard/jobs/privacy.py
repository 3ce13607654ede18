"""What people may ask of a shop about themselves: to see it, to be left alone, to be forgotten.

Objection and restriction hold from the moment they are stored: the customer book tells of them, and
everything that is built, trained, scored, listed or sent looks into the book.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from churnguard.clock import iso
from churnguard.errors import CustomerNotFound, DataError
from churnguard.jobs.audit import record
from churnguard.jobs.known_customer import owner_of
from churnguard.jobs.ports import Restriction, Shop
from churnguard.project.settings import KEPT_DAYS

MOST_IDS = 100_000
"""Ids that one suppression list may hold; longer ones come in parts."""


def object_to_profiling(
    shop: Shop, customer_id: str, *, objected: bool = True, actor: str, source: str = "api"
) -> Restriction:
    """Record that a person objects to profiling, or takes it back.

    The person need not be known yet: what comes in for them later is not used either. An id that
    was merged into a customer stands for that customer.

    Returns
    -------
    Restriction
        What holds now.
    """
    return _change(shop, customer_id, "subject.objected", actor, objected=objected, source=source)


def restrict(
    shop: Shop, customer_id: str, *, restricted: bool = True, actor: str, source: str = "api"
) -> Restriction:
    """Keep a person's data without using it, or free it again; see :func:`object_to_profiling`."""
    return _change(
        shop, customer_id, "subject.restricted", actor, restricted=restricted, source=source
    )


def suppress(shop: Shop, file: Path, *, actor: str) -> dict[str, int]:
    """Take in a list of people who object to profiling: one id a line, or the first column.

    Parameters
    ----------
    file : Path
        Text or CSV; a first line ``customer_id`` is a heading.

    Returns
    -------
    dict
        ``rows``, ``objected`` (new) and ``known`` (they objected before, or were erased).

    Raises
    ------
    DataError
        If the file cannot be read, is empty, or holds a line without an id; nothing is stored.
    """
    ids = _ids_of(file)
    wanted = Restriction(objected_at=shop.clock(), source=file.name)
    with shop.audit.together():
        owners = shop.events.owners(ids)
        ids = list(dict.fromkeys(owners.get(name, name) for name in ids))
        changed = 0
        held = shop.privacy.restrictions(ids)
        kept = {name: one.restricted_at for name, one in held.items() if one.restricted_at}
        changed += shop.privacy.restrict([name for name in ids if name not in kept], wanted)
        for name, since in kept.items():
            both = Restriction(wanted.objected_at, since, wanted.source)
            changed += shop.privacy.restrict([name], both)
        record(shop, actor, "suppression.imported", rows=len(ids), objected=changed)
    return {"rows": len(ids), "objected": changed, "known": len(ids) - changed}


def lift_suppression(shop: Shop, file: Path, *, actor: str) -> dict[str, int]:
    """Take a suppression list back, one that was the wrong file, say.

    Parameters
    ----------
    file : Path
        The list, under the name that it had when it was taken in.

    Returns
    -------
    dict
        ``rows``, ``lifted``, and ``kept``: those who do not object, or did so otherwise.

    Raises
    ------
    DataError
        As :func:`suppress` does; nothing is changed.
    """
    ids = _ids_of(file)
    with shop.audit.together():
        owners = shop.events.owners(ids)
        ids = list(dict.fromkeys(owners.get(name, name) for name in ids))
        lifted = 0
        for name, held in shop.privacy.restrictions(ids).items():
            if held.objected_at is not None and held.source == file.name:
                still = Restriction(None, held.restricted_at, held.source)
                lifted += shop.privacy.restrict([name], still)
        record(shop, actor, "suppression.lifted", rows=len(ids), lifted=lifted)
    return {"rows": len(ids), "lifted": lifted, "kept": len(ids) - lifted}


def access_report(shop: Shop, customer_id: str, *, actor: str) -> dict[str, Any]:
    """Return everything that is known of a person, and what is done with it, JSON-ready.

    Raises
    ------
    CustomerNotFound
        If nothing is known.
    """
    customer_id = owner_of(shop, customer_id)
    found = shop.privacy.about(customer_id)
    if not any(found.values()):
        raise CustomerNotFound(
            "Nothing is stored of a customer with this id.",
            hint="Ids are those of your own events; an erased person has a receipt.",
        )
    record(shop, actor, "subject.accessed", subject=customer_id)
    entry = shop.ledger.champion()
    return {
        "customer_id": customer_id,
        "made_at": iso(shop.clock()),
        "purpose": (
            "The shop estimates how likely a customer is to stop buying, and suggests to its staff "
            "whether an offer is worth making. A person decides; nothing is refused to anybody."
        ),
        "logic": (
            "A statistical model compares the customer's own events of the last two years with "
            "what customers did who left. Each score below names its reasons and the model."
        ),
        "model": None if entry is None else {"version": entry.version, "since": iso(entry.at)},
        "retention_days": {**KEPT_DAYS, **shop.settings.retention},
        "your_rights": (
            "You may ask to have this corrected, restricted or erased, and object to profiling at "
            "any time; it ends at once."
        ),
        "records": {name: rows for name, rows in found.items() if rows},
    }


def _change(
    shop: Shop, customer_id: str, action: str, actor: str, *, source: str, **flags: bool
) -> Restriction:
    """Set or lift one of both, and leave the other as it is."""
    with shop.audit.together():
        customer_id = owner_of(shop, customer_id)
        held = shop.privacy.restrictions([customer_id]).get(customer_id, Restriction())
        now = shop.clock()
        objected, restricted = held.objected_at, held.restricted_at
        if "objected" in flags:
            objected = (objected or now) if flags["objected"] else None
        if "restricted" in flags:
            restricted = (restricted or now) if flags["restricted"] else None
        wanted = Restriction(objected, restricted, source)
        shop.privacy.restrict([customer_id], wanted)
        record(shop, actor, action, subject=customer_id, **flags)
    return shop.privacy.restrictions([customer_id]).get(customer_id, Restriction())


def _ids_of(file: Path) -> Sequence[str]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"The list {file.name} cannot be read.", hint="It is a text file in UTF-8."
        ) from error
    ids = [line.partition(",")[0].strip().strip('"') for line in lines]
    if ids and ids[0].lower() == "customer_id":
        ids = ids[1:]
    if not ids or "" in ids:
        raise DataError(
            f"The list {file.name} has no id in line {ids.index('') + 1 if ids else 1}.",
            hint="Write one customer id a line; nothing of the list was stored.",
        )
    if len(ids) > MOST_IDS:
        raise DataError(
            f"The list {file.name} has more than {MOST_IDS:,} ids.", hint="Bring it in in parts."
        )
    return list(dict.fromkeys(ids))


def told(found: Restriction) -> dict[str, Any]:
    """Return what holds for a person as JSON-ready values.

    Examples
    --------
    >>> from churnguard.clock import from_us
    >>> told(Restriction(objected_at=from_us(0), source="api"))["objected_at"]
    '1970-01-01T00:00:00Z'
    """
    return {
        "objected_at": None if found.objected_at is None else iso(found.objected_at),
        "restricted_at": None if found.restricted_at is None else iso(found.restricted_at),
        "source": found.source or None,
    }
