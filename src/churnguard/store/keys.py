"""The real store of API keys: ``cg_live_<id>_<secret>``, of which only a digest is kept.

The secret has 256 random bits, so one SHA-256 is enough: slow hashes are for what people choose.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson
import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.store.database import reading, writing
from churnguard.store.records import ApiKey
from churnguard.store.tables import api_key

PREFIX = "cg_live_"


class SqlKeyStore:
    """API keys in SQL.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def create(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        now: datetime,
        expires_at: datetime | None = None,
        replaces: str | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; the second value is the full text, to be shown once."""
        key_id = secrets.token_hex(8)
        key = ApiKey(key_id, name, tuple(scopes), now, expires_at, None, None, replaces)
        secret = secrets.token_hex(32)
        with writing(self._engine) as connection:
            connection.execute(
                sa.insert(api_key).values(
                    key_id=key.key_id,
                    name=name,
                    scopes=orjson.dumps(list(scopes)).decode(),
                    secret_digest=_digest(secret),
                    created_at=to_us(now),
                    expires_at=None if expires_at is None else to_us(expires_at),
                    replaces=replaces,
                )
            )
        return key, f"{PREFIX}{key.key_id}_{secret}"

    def verify(self, text: str, *, now: datetime) -> ApiKey | None:
        """Return the key if the text is right, live and not expired; compare in constant time."""
        if not text.startswith(PREFIX):
            return None
        key_id, _, secret = text.removeprefix(PREFIX).partition("_")
        with reading(self._engine) as connection:
            found = connection.execute(sa.select(api_key).where(api_key.c.key_id == key_id)).first()
        kept = b"\0" * 32 if found is None else found.secret_digest
        right = hmac.compare_digest(_digest(secret), kept)
        if found is None or not right:
            return None
        key = _key(found)
        expired = key.expires_at is not None and key.expires_at <= now
        return None if key.revoked_at is not None or expired else key

    def keys(self) -> list[ApiKey]:
        """Return all keys, newest first."""
        with reading(self._engine) as connection:
            query = sa.select(api_key).order_by(api_key.c.seq.desc())
            return [_key(row) for row in connection.execute(query)]

    def revoke(self, key_id: str, *, now: datetime) -> bool:
        """Revoke a key; False when there is none. A key revoked before keeps its first date."""
        revoked = sa.func.coalesce(api_key.c.revoked_at, to_us(now))
        change = sa.update(api_key).where(api_key.c.key_id == key_id).values(revoked_at=revoked)
        with writing(self._engine) as connection:
            return connection.execute(change).rowcount > 0

    def expire(self, key_id: str, *, at: datetime) -> bool:
        """Let a key end at an instant, if it does not end before; False when there is none."""
        end = to_us(at)
        kept = api_key.c.expires_at
        change = sa.update(api_key).where(api_key.c.key_id == key_id)
        sooner = sa.case((kept < end, kept), else_=end)
        with writing(self._engine) as connection:
            return connection.execute(change.values(expires_at=sooner)).rowcount > 0

    def mark_used(self, used: Mapping[str, datetime]) -> None:
        """Keep when keys were last used; an older instant changes nothing."""
        last = api_key.c.last_used_at
        with writing(self._engine) as connection:
            for key_id, at in used.items():
                newer = sa.or_(last.is_(None), last < to_us(at))
                change = sa.update(api_key).where(api_key.c.key_id == key_id, newer)
                connection.execute(change.values(last_used_at=to_us(at)))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _key(row: sa.Row[tuple[object, ...]]) -> ApiKey:
    values = row._mapping  # noqa: SLF001 # SQLAlchemy's public name for it
    return ApiKey(
        key_id=values["key_id"],
        name=values["name"],
        scopes=tuple(orjson.loads(values["scopes"])),
        created_at=from_us(values["created_at"]),
        expires_at=_instant(values["expires_at"]),
        revoked_at=_instant(values["revoked_at"]),
        last_used_at=_instant(values["last_used_at"]),
        replaces=values["replaces"],
    )


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_us(microseconds)
