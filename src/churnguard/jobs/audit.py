"""What is written into the audit log, under one name each."""

from __future__ import annotations

from collections.abc import Mapping

from churnguard.errors import InvalidRequest
from churnguard.jobs.ports import AuditEntry, AuditVerdict, Detail, Shop

ACTIONS: Mapping[str, str] = {
    "key.created": "An API key was made.",
    "key.rotated": "An API key got a successor and an end.",
    "key.revoked": "An API key was revoked.",
    "model.promoted": "A model became champion.",
    "model.rolled_back": "An earlier champion became champion again.",
    "scores.exported": "A file of everybody's scores was written.",
    "scores.read_in_bulk": "The at-risk list was read beyond its first thousand.",
    "webhook.created": "A webhook endpoint was made.",
    "webhook.rotated": "A webhook endpoint got a new secret.",
    "webhook.removed": "A webhook endpoint was removed.",
    "subject.accessed": "All that is known of a person was read.",
    "subject.objected": "A person's objection to profiling was recorded or taken back.",
    "subject.restricted": "A person's data was restricted, or freed again.",
    "subject.erased": "A person was erased.",
    "customers.merged": "Ids were merged into the customers to whom they belong.",
    "suppression.imported": "A list of people not to be profiled was taken in.",
    "suppression.lifted": "Such a list was taken back.",
    "retention.applied": "What had reached its term was deleted.",
    "history.exported": "The event history was exported for other tools.",
    "backup.made": "A backup was made.",
    "backup.restored": "A backup was restored.",
}
"""Every act that is audited."""


def record(
    shop: Shop, actor: str, action: str, *, subject: str | None = None, **details: Detail
) -> AuditEntry:
    """Write one act into the audit log, as of now.

    Parameters
    ----------
    shop : Shop
        Whose log it is.
    actor : str
        Who did it: ``key:<id>``, ``desk:<id>``, ``cli:<user>`` or ``service``.
    action : str
        One of :data:`ACTIONS`.
    subject : str, optional
        The person concerned, by customer id; only a keyed pseudonym is kept.
    **details
        Further facts; nothing that is personal.

    Raises
    ------
    InvalidRequest
        If the action is not a known one.

    Examples
    --------
    >>> from churnguard.testing import fake_shop
    >>> record(fake_shop(), "cli:dana", "key.revoked", key_id="k1").sequence
    1
    """
    if action not in ACTIONS:
        raise InvalidRequest(
            f"'{action}' is not an act that is audited.", hint="Name it in jobs/audit.py."
        )
    return shop.audit.append(actor, action, at=shop.clock(), subject=subject, details=details)


def verify_audit(shop: Shop, *, noted: str | None = None) -> AuditVerdict:
    """Check the whole log, and that an end of it noted earlier is still part of it.

    Parameters
    ----------
    shop : Shop
        Whose log it is.
    noted : str, optional
        ``NUMBER:DIGEST`` as an earlier check told it. A log that was cut off, or written anew by
        somebody who has the key, does not hold it.

    Raises
    ------
    InvalidRequest
        If what was noted cannot be read.
    """
    verdict = shop.audit.verify()
    if noted is None or verdict.broken:
        return verdict
    number, _, digest = noted.partition(":")
    if not number.isdigit() or not digest:
        raise InvalidRequest(f"'{noted}' is not NUMBER:DIGEST.", hint="As 'audit verify' tells it.")
    found = shop.audit.entries(after=int(number) - 1, limit=1)
    if found and found[0].sequence == int(number) and found[0].digest.hex() == digest:
        return verdict
    return verdict.but(f"Entry {int(number)} is not the one that was noted.")


def entries_about(shop: Shop, subject: str | None, *, after: int, limit: int) -> list[AuditEntry]:
    """Return entries after a sequence, all or those that concern one person.

    Examples
    --------
    >>> from churnguard.testing import fake_shop
    >>> shop = fake_shop()
    >>> _ = record(shop, "cli:dana", "subject.accessed", subject="C1")
    >>> [len(entries_about(shop, who, after=0, limit=9)) for who in (None, "C1", "C2")]
    [1, 1, 0]
    """
    if subject is None:
        return shop.audit.entries(after=after, limit=limit)
    name, found = shop.audit.pseudonym(subject), list[AuditEntry]()
    while len(found) < limit and (some := shop.audit.entries(after=after)):
        found += [entry for entry in some if entry.subject == name]
        after = some[-1].sequence
    return found[:limit]
