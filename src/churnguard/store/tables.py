"""The store's tables, stated once for the adapters; ``migrations/`` says how a database gets there.

Instants are int64 microseconds UTC, flags 0/1. No table has a shop column: a store is one shop's,
so no query can forget it. Types stay within what SQLite's STRICT tables and PostgreSQL both know.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

METADATA = sa.MetaData()

BIGINT = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
REAL: sa.types.TypeEngine[float] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
BLOB = sa.LargeBinary()


def table(name: str, *parts: sa.Column[object] | sa.schema.SchemaItem) -> sa.Table:
    """Make a table whose column types SQLite enforces, as PostgreSQL does."""
    return sa.Table(name, METADATA, *parts, sqlite_strict=True)


def number() -> sa.Column[object]:
    """Make the column that numbers rows in the order in which they were stored."""
    return sa.Column("seq", BIGINT, primary_key=True, autoincrement=True)


event = sa.Table(
    "event",
    METADATA,
    number(),
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
    sqlite_strict=True,
    sqlite_autoincrement=True,
)
"""The log: the truth. ``event_key`` is kept for ever, so an id is accepted once for ever."""

tally = table(
    "tally",
    sa.Column("event", TEXT, primary_key=True),
    sa.Column("events", BIGINT, nullable=False),
    sa.Column("newest", BIGINT, nullable=False),
)
"""Events by name, and the newest ``occurred_at``; written with the events themselves."""

conflict = table(
    "conflict",
    number(),
    sa.Column("event_key", BLOB, nullable=False),
    sa.Column("payload_digest", BIGINT, nullable=False),
    sa.Column("customer_key", BIGINT, nullable=False, index=True),
    sa.Column("received_at", BIGINT, nullable=False),
    sa.Column("offered", TEXT, nullable=False),
    sa.UniqueConstraint("event_key", "payload_digest"),
)
"""Events whose id came again with another payload; each other payload is kept once."""

recipe = table(
    "recipe",
    number(),
    sa.Column("text", TEXT, nullable=False, unique=True),
)
"""How quarantined rows were read, as JSON; one row for thousands of quarantined ones."""

quarantine = table(
    "quarantine",
    number(),
    sa.Column("row_id", TEXT, nullable=False, unique=True),
    sa.Column("source", TEXT, nullable=False),
    sa.Column("row_number", BIGINT, nullable=False),
    sa.Column("reason", TEXT, nullable=False, index=True),
    sa.Column("detail", TEXT, nullable=False),
    sa.Column("payload", TEXT, nullable=False),
    sa.Column("recipe", BIGINT, sa.ForeignKey("recipe.seq"), nullable=False),
)

customer = table(
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
)

score_run = table(
    "score_run",
    number(),
    sa.Column("run_id", TEXT, nullable=False, unique=True),
    sa.Column("as_of", BIGINT, nullable=False),
    sa.Column("created_at", BIGINT, nullable=False),
    sa.Column("model_version", TEXT, nullable=False),
    sa.Column("customers", BIGINT, nullable=False),
)

score = table(
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
)
"""One score a customer and batch: what lists filter and sort by, and the whole record as JSON."""

decision = table(
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
)
"""What was suggested, to whom, with which group and propensity; ``closed`` follows the outcomes."""

outcome = table(
    "outcome",
    number(),
    sa.Column(
        "decision_id", TEXT, sa.ForeignKey("decision.decision_id"), nullable=False, index=True
    ),
    sa.Column("outcome", TEXT, nullable=False),
    sa.Column("at", BIGINT, nullable=False),
    sa.Column("actor", TEXT, nullable=False),
    sa.Column("note", TEXT, nullable=False),
)

ledger = table(
    "ledger",
    sa.Column("sequence", BIGINT, primary_key=True, autoincrement=False),
    sa.Column("at", BIGINT, nullable=False),
    sa.Column("version", TEXT, nullable=False),
    sa.Column("bundle", TEXT, nullable=False),
    sa.Column("approved_by", TEXT, nullable=False),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("trained_until", BIGINT, nullable=False),
    sa.Column("labels_through", BIGINT, nullable=False),
)
"""Champions, append-only: triggers refuse to change or delete an entry."""

api_key = table(
    "api_key",
    number(),
    sa.Column("key_id", TEXT, nullable=False, unique=True),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("scopes", TEXT, nullable=False),
    sa.Column("secret_digest", BLOB, nullable=False),
    sa.Column("created_at", BIGINT, nullable=False),
    sa.Column("expires_at", BIGINT),
    sa.Column("revoked_at", BIGINT),
    sa.Column("last_used_at", BIGINT),
    sa.Column("replaces", TEXT),
)

history_export = table(
    "history_export",
    sa.Column("last_seq", BIGINT, primary_key=True, autoincrement=False),
    sa.Column("first_seq", BIGINT, nullable=False),
    sa.Column("events", BIGINT, nullable=False),
    sa.Column("generation", BIGINT, nullable=False, server_default="0"),
)
"""Which stretches of the log stand in Parquet; the largest ``last_seq`` is the watermark. Files of
another ``generation`` than the one named here do not count."""

meta = table(
    "meta",
    sa.Column("name", TEXT, primary_key=True),
    sa.Column("value", TEXT, nullable=False),
)
