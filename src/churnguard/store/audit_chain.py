"""What makes the audit log tamper-evident: keyed digests in a chain, and a signature a day.

All keys are derived from the service's own key, which no store holds: whoever can write the
database but has no key can neither make up an entry nor mend the chain after changing one. Nothing
in the log says who a person is without the key, either.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from churnguard.clock import to_us
from churnguard.store.records import AuditDay, AuditEntry, AuditVerdict

FIRST = b"\0" * 32
"""What the first entry's digest covers in place of an entry before it."""


@dataclass(frozen=True)
class AuditKey:
    """The keys of one shop's audit log.

    Parameters
    ----------
    service_key : bytes
        The service's own key.

    Examples
    --------
    >>> key = AuditKey(b"k" * 32)
    >>> key.pseudonym("C1") == key.pseudonym("C1") != key.pseudonym("C2")
    True
    """

    service_key: bytes

    def pseudonym(self, subject: str) -> str:
        """Return the name of a person in the log: HMAC-SHA256, its first 16 bytes in hex."""
        return "p_" + self._mac("audit subject", subject.encode()).hex()[:32]

    def digest(self, before: bytes, entry: AuditEntry) -> bytes:
        """Return the 32-byte digest of an entry, which covers the one before it."""
        told = [entry.sequence, to_us(entry.at), entry.actor, entry.action, entry.subject]
        text = orjson.dumps([*told, dict(entry.details)], option=orjson.OPT_SORT_KEYS)
        return self._mac("audit chain", before + text)

    def sign(self, day: str, last_sequence: int, digest: bytes) -> str:
        """Return the Ed25519 signature over a day's end, in base64."""
        signature = self._signer().sign(_day_text(day, last_sequence, digest))
        return base64.b64encode(signature).decode()

    def signed(self, day: AuditDay) -> bool:
        """Tell whether a day's signature is right."""
        try:
            signature = base64.b64decode(day.signature, validate=True)
            text = _day_text(day.day, day.last_sequence, day.digest)
            self._signer().public_key().verify(signature, text)
        except (ValueError, InvalidSignature):
            return False
        return True

    def attest(self, text: bytes) -> str:
        """Return the Ed25519 signature over a text of the shop's own, in base64."""
        return base64.b64encode(self._signer().sign(b"receipt\n" + text)).decode()

    def attested(self, text: bytes, signature: str) -> bool:
        """Tell whether :meth:`attest` signed a text."""
        try:
            sealed = base64.b64decode(signature, validate=True)
            self._signer().public_key().verify(sealed, b"receipt\n" + text)
        except (ValueError, InvalidSignature):
            return False
        return True

    @property
    def public(self) -> str:
        """The public key of the days' signatures: 32 bytes in base64, for an auditor."""
        key = self._signer().public_key()
        return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def _signer(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._mac("audit signature", b""))

    def _mac(self, purpose: str, text: bytes) -> bytes:
        key = hmac.digest(self.service_key, f"churnguard {purpose}".encode(), hashlib.sha256)
        return hmac.digest(key, text, hashlib.sha256)


def day_of(at: datetime) -> str:
    """Return the UTC day of an instant, by which the log is sealed.

    Examples
    --------
    >>> day_of(datetime(2026, 11, 21, 23, 59, tzinfo=UTC))
    '2026-11-21'
    """
    return at.astimezone(UTC).date().isoformat()


def judge(key: AuditKey, entries: Iterable[AuditEntry], days: Iterable[AuditDay]) -> AuditVerdict:
    """Recompute the chain and check the days; name the first thing that is wrong.

    Parameters
    ----------
    key : AuditKey
        The log's keys.
    entries : iterable of AuditEntry
        All of them, by sequence; read once.
    days : iterable of AuditDay
        All sealed days, oldest first.

    Examples
    --------
    >>> judge(AuditKey(b"k"), [], []).broken
    ''
    """
    ends = {day.last_sequence: day for day in days}
    before, count, checked = FIRST, 0, 0
    for entry in entries:
        wrong = _wrong(key, entry, before, count + 1)
        if wrong:
            return AuditVerdict(count, checked, before.hex(), wrong, key.public)
        before, count = entry.digest, count + 1
        if count in ends:
            wrong = _wrong_day(key, ends.pop(count), entry)
            if wrong:
                return AuditVerdict(count, checked, before.hex(), wrong, key.public)
            checked += 1
    wrong = "".join(_missing(ends.values()))
    return AuditVerdict(count, checked, before.hex(), wrong, key.public)


def _wrong(key: AuditKey, entry: AuditEntry, before: bytes, due: int) -> str:
    if entry.sequence != due:
        return f"Entry {due} is missing: the next one is {entry.sequence}."
    if not hmac.compare_digest(key.digest(before, entry), entry.digest):
        return f"Entry {due} is not what was written: its digest does not fit."
    return ""


def _wrong_day(key: AuditKey, day: AuditDay, last: AuditEntry) -> str:
    if day.digest != last.digest or day.day != day_of(last.at):
        return f"Entry {last.sequence} is not the one with which {day.day} was sealed."
    return "" if key.signed(day) else f"The signature of {day.day} is not ours."


def _missing(unmet: Iterable[AuditDay]) -> Iterator[str]:
    """Tell of the first sealed day whose last entry is not there."""
    for day in sorted(unmet, key=lambda day: day.last_sequence)[:1]:
        yield f"Entry {day.last_sequence} is missing, with which {day.day} was sealed."


def _day_text(day: str, last_sequence: int, digest: bytes) -> bytes:
    date.fromisoformat(day)
    return f"churnguard audit day\n{day}\n{last_sequence}\n{digest.hex()}\n".encode()
