"""Forgets a person: out of every store, with a tombstone, a receipt, and a word to the receivers.

The order is such that a crash anywhere leaves either the person or a tombstone: files of our own
first, then all tables in one transaction, then the Parquet history, which follows the store. A
receipt that is not finished is finished by the next look (:func:`finish_erasures`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq

from churnguard.clock import iso
from churnguard.errors import CustomerNotFound, DataError
from churnguard.jobs.audit import record
from churnguard.jobs.durable import sync
from churnguard.jobs.known_customer import owner_of
from churnguard.jobs.messages import SUBJECT_ERASED, message
from churnguard.jobs.ports import ErasureReceipt, Shop
from churnguard.project.layout import Layout

KEPT = {
    "audit": "Entries under a keyed pseudonym, as proof of what was done.",
    "tombstone": "A keyed digest of the id, so that late events do not bring the person back.",
    "models": "Weights and aggregates of at least 20 people; nobody's row.",
    "mlflow": "Digests, metrics and aggregates; nobody's row.",
    "exports": "Files that were handed out before; whoever has them must erase the person there.",
    "backups": "Copies made before; a restored one forgets the person before it serves.",
}
"""What an erasure leaves, and why."""


def erase(shop: Shop, customer_id: str, *, actor: str) -> ErasureReceipt:
    """Erase a person; asked again, it returns the receipt there is.

    Parameters
    ----------
    shop : Shop
        An opened project.
    customer_id : str
        Whom, by any of their ids; the others are found and erased as well.
    actor : str
        Who asks, for the audit log.

    Returns
    -------
    ErasureReceipt
        Signed.

    Raises
    ------
    CustomerNotFound
        If nothing is known of such a person.
    """
    customer_id = owner_of(shop, customer_id)
    known = shop.privacy.receipt_of(customer_id)
    about = shop.privacy.about(customer_id)
    if known is not None and known.state == "done" and not any(about.values()):
        return known
    known = None if any(about.values()) else known
    if known is None and not any(about.values()):
        raise CustomerNotFound(
            "Nothing is stored of a customer with this id.", hint="There is nobody to erase."
        )
    names = [customer_id, *(row["alias_id"] for row in about.get("aliases", ()))]
    files = _erase_files(shop, names)
    now = shop.clock()
    if known is None:
        receipt_id = f"er_{secrets.token_hex(12)}"
        with shop.audit.together():
            shop.privacy.erase(customer_id, receipt_id=receipt_id, at=now)
            told = {"customer_id": customer_id, "receipt_id": receipt_id}
            shop.outbox.put([message(SUBJECT_ERASED, told, now=now)])
            record(shop, actor, "subject.erased", subject=customer_id, receipt_id=receipt_id)
        _erase_files(shop, names)  # what was being written meanwhile
        known = shop.privacy.receipt(receipt_id)
        assert known is not None
    return _finish(shop, known, files=files, subject=shop.audit.pseudonym(customer_id))


def finish_erasures(shop: Shop) -> int:
    """Finish what a crash interrupted, and erase again whom an old copy of the store brought back.

    Called before a shop is served and every night. Returns for how many people there was work.
    """
    back = forget_again(shop, read_tombstones(Layout(shop.root).tombstones))
    running = [one for one in shop.privacy.receipts() if one.state == "running"]
    for begun in running:
        _finish(shop, begun, files={}, subject=None)
    return back + len(running)


def forget_again(shop: Shop, graves: Mapping[bytes, tuple[int, str]]) -> int:
    """Keep tombstones that were noted elsewhere, and erase whom they name and who is here.

    Parameters
    ----------
    graves : mapping of bytes to (int, str)
        When (microseconds) and by which receipt, by keyed digest. Made with another service key
        they name nobody.

    Returns
    -------
    int
        How many people were here.
    """
    known = shop.privacy.tombstones()
    if graves.keys() - known.keys():
        shop.privacy.keep_tombstones(graves)
    every = {**graves, **known}
    back = 0
    while every and (returned := shop.privacy.returned(every)):
        erase(shop, returned[0], actor="service")  # other ids of the same person go with it
        back += 1
    return back


def read_tombstones(file: Path) -> dict[bytes, tuple[int, str]]:
    """Return the tombstones in a file ``tombstones.json``; none where there is no such file.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    if not file.is_file():
        return {}
    try:
        rows = orjson.loads(file.read_bytes())
        return {bytes.fromhex(subject): (int(at), str(by)) for subject, at, by in rows}
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"The tombstones in {file.name} cannot be read.",
            hint="Bring the file back from a backup: it holds who must not come back.",
        ) from error


def _finish(
    shop: Shop, begun: ErasureReceipt, *, files: Mapping[str, int], subject: str | None
) -> ErasureReceipt:
    """Let history and database follow, note the tombstone beside the store, and sign."""
    shop.events.export()
    shop.privacy.scrub()
    _note(Layout(shop.root).tombstones, shop.privacy.tombstones())
    tables: Mapping[str, int] = begun.body.get("tables", {})
    body = {
        "receipt_id": begun.receipt_id,
        "subject": subject,
        "erased_at": iso(begun.at),
        "finished_at": iso(shop.clock()),
        "stores": [{"name": name, "removed": rows} for name, rows in sorted(tables.items())]
        + [{"name": f"files: {name}", "removed": rows} for name, rows in sorted(files.items())]
        + [{"name": "files: history", "removed": tables.get("event", 0)}],
        "kept": KEPT,
        "models": _models(shop),
    }
    return shop.privacy.finish(begun.receipt_id, body)


def _models(shop: Shop) -> list[dict[str, Any]]:
    """Return the models that may have learned from the person: the champion and those before it."""
    return [
        {"version": entry.version, "trained_until": iso(entry.trained_until)}
        | ({"retires": "with the next promotion"} if place == 0 else {"retires": "retired"})
        for place, entry in enumerate(shop.ledger.history())
    ]


def _erase_files(shop: Shop, names: Sequence[str]) -> dict[str, int]:
    return {kind: remove(shop, names) for kind, remove in FILES.items()}


def _shadow_scores(shop: Shop, names: Sequence[str]) -> int:
    return sum(_from_parquet(file, names) for file in _shadow(shop).glob("*.parquet"))


def _night_scores(shop: Shop, names: Sequence[str]) -> int:
    files = Layout(shop.root).nights.glob("*/*.jsonl")
    return sum(_from_lines(file, names) for file in files)


FILES: Mapping[str, Callable[[Shop, Sequence[str]], int]] = {
    "shadow scores": _shadow_scores,
    "unfinished night": _night_scores,
}
"""Files of our own that name customers, besides the history, and how a person leaves them."""


def _shadow(shop: Shop) -> Path:
    return Layout(shop.root).data / "shadow"


def _from_parquet(file: Path, names: Sequence[str]) -> int:
    table = pq.read_table(file, partitioning=None)
    mine = pc.is_in(table["customer_id"], value_set=pc.cast(names, "string"))
    removed = int(pc.sum(mine).as_py() or 0)
    if removed:
        unfinished = file.with_suffix(".unfinished")
        pq.write_table(table.filter(pc.invert(mine)), unfinished, compression="zstd")
        _replace(unfinished, file)
    return removed


def _from_lines(file: Path, names: Sequence[str]) -> int:
    lines = file.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if orjson.loads(line)["customer_id"] not in names]
    if len(kept) < len(lines):
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_bytes(b"".join(kept))
        _replace(unfinished, file)
    return len(lines) - len(kept)


def _replace(unfinished: Path, file: Path) -> None:
    sync(unfinished)
    unfinished.replace(file)
    sync(file.parent)


def _note(file: Path, graves: Mapping[bytes, tuple[int, str]]) -> None:
    """Keep tombstones beside the store too: a database restored from before does not have them."""
    every = {**read_tombstones(file), **graves}
    rows = [[digest.hex(), at, receipt_id] for digest, (at, receipt_id) in sorted(every.items())]
    unfinished = file.with_suffix(".unfinished")
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    _replace(unfinished, file)
