"""The first schema: the log, its quarantine, customers, scores, decisions, ledger and keys.

A published step stands on its own: it names its types itself and never imports ``tables.py``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0001"
down_revision = None

BIGINT = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
REAL: sa.types.TypeEngine[float] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
BLOB = sa.LargeBinary()

_REFUSAL = "The ledger is append-only."


def upgrade() -> None:
    """Create everything; the ledger refuses to be changed."""
    _create_events()
    _create_scores()
    _create_the_rest()
    if op.get_context().dialect.name == "sqlite":
        _guard_ledger_in_sqlite()
    else:
        _guard_ledger_in_postgres()


def _number() -> sa.Column[object]:
    return sa.Column("seq", BIGINT, primary_key=True, autoincrement=True)


def _create_events() -> None:
    op.create_table(
        "event",
        _number(),
        sa.Column("event_key", BLOB, nullable=False, unique=True),
        sa.Column("customer_key", BIGINT, nullable=False),
        sa.Column("payload_digest", BIGINT, nullable=False),
        sa.Column("event_id", TEXT, nullable=False),
        sa.Column("customer_id", TEXT, nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("occurred_at", BIGINT, nullable=False),
        sa.Column("received_at", BIGINT, nullable=False),
        sa.Column("clock", TEXT, nullable=False),
        sa.Column("value", REAL),
        sa.Column("quantity", BIGINT),
        sa.Column("order_id", TEXT),
        sa.Column("cart_id", TEXT),
        sa.Column("session_id", TEXT),
        sa.Column("product_id", TEXT),
        sa.Column("category", TEXT),
        sa.Column("currency", TEXT),
        sa.Column("kind", TEXT),
        sa.Column("discount", REAL),
        sa.Column("properties", TEXT),
        sa.Index("event_by_customer", "customer_key", "occurred_at"),
        sa.Index("event_by_time", "occurred_at"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "tally",
        sa.Column("event", TEXT, primary_key=True),
        sa.Column("events", BIGINT, nullable=False),
        sa.Column("newest", BIGINT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "conflict",
        _number(),
        sa.Column("event_key", BLOB, nullable=False),
        sa.Column("payload_digest", BIGINT, nullable=False),
        sa.Column("customer_key", BIGINT, nullable=False, index=True),
        sa.Column("received_at", BIGINT, nullable=False),
        sa.Column("offered", TEXT, nullable=False),
        sa.UniqueConstraint("event_key", "payload_digest"),
        sqlite_strict=True,
    )
    op.create_table(
        "recipe",
        _number(),
        sa.Column("text", TEXT, nullable=False, unique=True),
        sqlite_strict=True,
    )
    op.create_table(
        "quarantine",
        _number(),
        sa.Column("row_id", TEXT, nullable=False, unique=True),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("row_number", BIGINT, nullable=False),
        sa.Column("reason", TEXT, nullable=False, index=True),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("payload", TEXT, nullable=False),
        sa.Column("recipe", BIGINT, sa.ForeignKey("recipe.seq"), nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "history_export",
        sa.Column("last_seq", BIGINT, primary_key=True, autoincrement=False),
        sa.Column("first_seq", BIGINT, nullable=False),
        sa.Column("events", BIGINT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "customer",
        sa.Column("customer_id", TEXT, primary_key=True),
        sa.Column("created_at", BIGINT),
        sa.Column("locale", TEXT),
        sa.Column("consent_email", BIGINT),
        sa.Column("consent_sms", BIGINT),
        sa.Column("consent_phone", BIGINT),
        sa.Column("consent_push", BIGINT),
        sa.Column("consent_at", BIGINT),
        sa.Column("opt_out_profiling", BIGINT),
        sa.Column("exclude", BIGINT),
        sqlite_strict=True,
    )


def _create_scores() -> None:
    op.create_table(
        "score_run",
        _number(),
        sa.Column("run_id", TEXT, nullable=False, unique=True),
        sa.Column("as_of", BIGINT, nullable=False),
        sa.Column("created_at", BIGINT, nullable=False),
        sa.Column("model_version", TEXT, nullable=False),
        sa.Column("customers", BIGINT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "score",
        sa.Column("run", BIGINT, sa.ForeignKey("score_run.seq"), primary_key=True),
        sa.Column("customer_id", TEXT, primary_key=True),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("churn_risk", REAL),
        sa.Column("band", TEXT),
        sa.Column("segment", TEXT),
        sa.Column("expected_value", REAL),
        sa.Column("action", TEXT),
        sa.Column("expected_gain", REAL),
        sa.Column("action_group", TEXT),
        sa.Column("decision_id", TEXT),
        sa.Column("document", TEXT, nullable=False),
        sa.Index("score_by_gain", "run", "expected_gain", "customer_id"),
        sa.Index("score_by_risk", "run", "churn_risk", "customer_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "decision",
        sa.Column("decision_id", TEXT, primary_key=True),
        sa.Column("customer_id", TEXT, nullable=False, index=True),
        sa.Column("decided_at", BIGINT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("basis", TEXT, nullable=False),
        sa.Column("action_group", TEXT, nullable=False),
        sa.Column("propensity", REAL, nullable=False),
        sa.Column("expected_gain", REAL, nullable=False),
        sa.Column("cost", REAL, nullable=False),
        sa.Column("closed", BIGINT, nullable=False, server_default="0", index=True),
        sqlite_strict=True,
    )
    op.create_table(
        "outcome",
        _number(),
        sa.Column(
            "decision_id", TEXT, sa.ForeignKey("decision.decision_id"), nullable=False, index=True
        ),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("at", BIGINT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=False),
        sqlite_strict=True,
    )


def _create_the_rest() -> None:
    op.create_table(
        "ledger",
        sa.Column("sequence", BIGINT, primary_key=True, autoincrement=False),
        sa.Column("at", BIGINT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("bundle", TEXT, nullable=False),
        sa.Column("approved_by", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("trained_until", BIGINT, nullable=False),
        sa.Column("labels_through", BIGINT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "api_key",
        _number(),
        sa.Column("key_id", TEXT, nullable=False, unique=True),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("secret_digest", BLOB, nullable=False),
        sa.Column("created_at", BIGINT, nullable=False),
        sa.Column("expires_at", BIGINT),
        sa.Column("revoked_at", BIGINT),
        sqlite_strict=True,
    )
    op.create_table(
        "meta",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("value", TEXT, nullable=False),
        sqlite_strict=True,
    )


def _guard_ledger_in_sqlite() -> None:
    for what in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER ledger_no_{what.lower()} BEFORE {what} ON ledger "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )


def _guard_ledger_in_postgres() -> None:
    op.execute(
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER ledger_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
    )
