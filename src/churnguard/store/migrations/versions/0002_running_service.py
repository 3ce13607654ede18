"""The running service: kept answers, webhooks, jobs, audit, privacy and the risk watch.

A published step stands on its own: it names its types itself and never imports the tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0002"
down_revision = "0001"

BIGINT = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
REAL: sa.types.TypeEngine[float] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
BLOB = sa.LargeBinary()

_REFUSAL = "The audit log is append-only."


def upgrade() -> None:
    """Create the tables, and let nobody change what was audited."""
    for create in (
        _create_promises,
        _create_webhooks,
        _create_work,
        _create_audit,
        _create_privacy,
        _create_watch,
    ):
        create()
    op.add_column("api_key", sa.Column("last_used_at", BIGINT))
    op.add_column("api_key", sa.Column("replaces", TEXT))
    generation = sa.Column("generation", BIGINT, nullable=False, server_default="0")
    op.add_column("history_export", generation)
    if op.get_context().dialect.name == "sqlite":
        _guard_audit_in_sqlite()
    else:
        _guard_audit_in_postgres()


def _number() -> sa.Column[object]:
    return sa.Column("seq", BIGINT, primary_key=True, autoincrement=True)


def _create_promises() -> None:
    op.create_table(
        "identity",
        sa.Column("alias_id", TEXT, primary_key=True),
        sa.Column("customer_id", TEXT, nullable=False, index=True),
        sa.Column("merged_at", BIGINT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "reply",
        sa.Column("key_digest", BLOB, primary_key=True),
        sa.Column("fingerprint", BLOB, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("status", BIGINT),
        sa.Column("headers", TEXT),
        sa.Column("body", BLOB),
        sa.Column("created_at", BIGINT, nullable=False),
        sa.Column("expires_at", BIGINT, nullable=False, index=True),
        sqlite_strict=True,
    )


def _create_webhooks() -> None:
    op.create_table(
        "endpoint",
        sa.Column("endpoint_id", TEXT, primary_key=True),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("events", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("secret_generation", BIGINT, nullable=False),
        sa.Column("rotated_at", BIGINT),
        sa.Column("created_at", BIGINT, nullable=False),
        sa.Column("disabled_at", BIGINT),
        sa.Column("disabled_reason", TEXT),
        sqlite_strict=True,
    )
    op.create_table(
        "message",
        _number(),
        sa.Column("message_id", TEXT, nullable=False, unique=True),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("customer_id", TEXT, index=True),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("created_at", BIGINT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "delivery",
        _number(),
        sa.Column("message_id", TEXT, sa.ForeignKey("message.message_id"), nullable=False),
        sa.Column("endpoint_id", TEXT, sa.ForeignKey("endpoint.endpoint_id"), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("attempts", BIGINT, nullable=False),
        sa.Column("next_at", BIGINT, nullable=False),
        sa.Column("last_status", BIGINT),
        sa.Column("last_error", TEXT),
        sa.Column("delivered_at", BIGINT),
        sa.UniqueConstraint("message_id", "endpoint_id"),
        sa.Index("delivery_due", "state", "next_at"),
        sqlite_strict=True,
    )


def _create_work() -> None:
    op.create_table(
        "job",
        _number(),
        sa.Column("job_id", TEXT, nullable=False, unique=True),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("arguments", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False, index=True),
        sa.Column("attempts", BIGINT, nullable=False),
        sa.Column("created_at", BIGINT, nullable=False),
        sa.Column("finished_at", BIGINT),
        sa.Column("answer", TEXT),
        sa.Column("error", TEXT),
        sqlite_strict=True,
    )
    op.create_table(
        "job_step",
        sa.Column("job_id", TEXT, sa.ForeignKey("job.job_id"), primary_key=True),
        sa.Column("step", TEXT, primary_key=True),
        sa.Column("done_at", BIGINT, nullable=False),
        sa.Column("answer", TEXT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "lease",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("token", BIGINT, nullable=False),
        sa.Column("until", BIGINT, nullable=False),
        sqlite_strict=True,
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("sequence", BIGINT, primary_key=True, autoincrement=False),
        sa.Column("at", BIGINT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False, index=True),
        sa.Column("subject", TEXT),
        sa.Column("details", TEXT, nullable=False),
        sa.Column("digest", BLOB, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "audit_day",
        sa.Column("day", TEXT, primary_key=True),
        sa.Column("last_sequence", BIGINT, nullable=False),
        sa.Column("digest", BLOB, nullable=False),
        sa.Column("signature", TEXT, nullable=False),
        sqlite_strict=True,
    )


def _create_privacy() -> None:
    op.create_table(
        "tombstone",
        sa.Column("subject", BLOB, primary_key=True),
        sa.Column("erased_at", BIGINT, nullable=False),
        sa.Column("receipt_id", TEXT, nullable=False),
        sa.Column("late_events", BIGINT, nullable=False, server_default="0"),
        sqlite_strict=True,
    )
    op.create_table(
        "receipt",
        sa.Column("receipt_id", TEXT, primary_key=True),
        sa.Column("at", BIGINT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("signature", TEXT),
        sqlite_strict=True,
    )
    op.create_table(
        "restriction",
        sa.Column("customer_id", TEXT, primary_key=True),
        sa.Column("objected_at", BIGINT),
        sa.Column("restricted_at", BIGINT),
        sa.Column("source", TEXT, nullable=False),
        sqlite_strict=True,
    )


def _create_watch() -> None:
    op.create_table(
        "standing",
        sa.Column("customer_id", TEXT, primary_key=True),
        sa.Column("as_of", BIGINT, primary_key=True),
        sa.Column("band", TEXT),
        sa.Column("margin", REAL),
        sa.Column("bundle", TEXT),
        sa.Column("frozen", BIGINT, nullable=False, server_default="0"),
        sa.Column("document", TEXT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "score_change",
        _number(),
        sa.Column("customer_id", TEXT, nullable=False),
        sa.Column("from_at", BIGINT, nullable=False),
        sa.Column("to_at", BIGINT, nullable=False),
        sa.Column("from_margin", REAL, nullable=False),
        sa.Column("to_margin", REAL, nullable=False),
        sa.Column("behaviour", REAL, nullable=False),
        sa.Column("time_passing", REAL, nullable=False),
        sa.Column("late_data", REAL, nullable=False),
        sa.Column("model_change", REAL, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.Index("score_change_by_customer", "customer_id", "to_at"),
        sqlite_strict=True,
    )


def _guard_audit_in_sqlite() -> None:
    for what in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{what.lower()} BEFORE {what} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )


def _guard_audit_in_postgres() -> None:
    op.execute(
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )
