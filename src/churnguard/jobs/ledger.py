"""Ask the ledger who was champion when; a light file, so that the question is answered at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from churnguard.clock import end_of_local_day, iso, parse_instant
from churnguard.errors import ModelNotFound
from churnguard.jobs.ports import LedgerEntry, Shop


def ledger_history(shop: Shop, *, at: str | None = None) -> list[dict[str, Any]]:
    """Return who was champion from when to when and who approved, newest first.

    Parameters
    ----------
    shop : Shop
        An opened project.
    at : str, optional
        Only those in charge then: an instant, or a date for the whole shop-local day, on which
        there may have been several. All when not given.

    Raises
    ------
    InvalidRequest
        If ``at`` cannot be read as a date or an instant.
    """
    entries = shop.ledger.history()
    ends = [None, *(entry.at for entry in entries)]
    lines = list(zip(entries, ends, strict=False))  # the oldest change ended nothing
    if at is not None:
        begin, end = _span(at, shop.settings.timezone)
        lines = [
            (entry, until)
            for entry, until in lines
            if entry.at <= end and (until is None or until > begin)
        ]
    return [_line(entry, until) for entry, until in lines]


def champion_before(shop: Shop, *, to: str | None = None) -> LedgerEntry:
    """Return the champion that a rollback goes back to.

    Going back undoes the newest change that is not undone yet: after 1, 2, 3 and a rollback to 2,
    a further one goes to 1.

    Parameters
    ----------
    shop : Shop
        An opened project.
    to : str, optional
        A version that was champion once; the one before the present champion when not given.

    Raises
    ------
    ModelNotFound
        If there is no such champion.
    """
    entries = shop.ledger.history()
    if to is not None:
        found = next((entry for entry in entries if entry.version == to), None)
    else:
        standing: list[LedgerEntry] = []
        for entry in reversed(entries):
            versions = [one.version for one in standing]
            if entry.version in versions:
                del standing[versions.index(entry.version) :]
            standing.append(entry)
        found = standing[-2] if len(standing) > 1 else None
    if found is None:
        which = f"Version '{to}' has never been champion" if to else "No champion was there before"
        raise ModelNotFound(
            f"{which}, so there is nothing to go back to.",
            hint="'churnguard models history' shows who was champion when.",
        )
    return found


def _span(at: str, timezone: str) -> tuple[datetime, datetime]:
    """Return first and last instant that are meant."""
    begin = parse_instant(at, timezone)
    is_day = ":" not in at and "T" not in at
    return begin, end_of_local_day(begin, timezone) if is_day else begin


def _line(entry: LedgerEntry, until: datetime | None) -> dict[str, Any]:
    return {
        "at": iso(entry.at.replace(microsecond=0)),
        "until": iso(until.replace(microsecond=0)) if until else None,
        "version": entry.version,
        "approved_by": entry.approved_by,
        "reason": entry.reason,
        "trained_until": iso(entry.trained_until),
        "bundle": entry.bundle,
    }
