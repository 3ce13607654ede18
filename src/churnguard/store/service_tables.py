"""The tables of the running service: promises kept to callers, work to do, and what people ask.

They stand apart from ``tables.py``, which holds what the shop knows: these hold what the service
has still to do, or has to be able to prove. The same rules hold for both.
"""

from __future__ import annotations

import sqlalchemy as sa

from churnguard.store.tables import BIGINT, BLOB, REAL, TEXT, number, table

identity = table(
    "identity",
    sa.Column("alias_id", TEXT, primary_key=True),
    sa.Column("customer_id", TEXT, nullable=False, index=True),
    sa.Column("merged_at", BIGINT, nullable=False),
    sa.Column("source", TEXT, nullable=False),
)
"""Ids that turned out to be another customer; what comes in under an alias goes to that one."""

reply = table(
    "reply",
    sa.Column("key_digest", BLOB, primary_key=True),
    sa.Column("fingerprint", BLOB, nullable=False),
    sa.Column("state", TEXT, nullable=False),
    sa.Column("status", BIGINT),
    sa.Column("headers", TEXT),
    sa.Column("body", BLOB),
    sa.Column("created_at", BIGINT, nullable=False),
    sa.Column("expires_at", BIGINT, nullable=False, index=True),
)
"""Answers to requests with an Idempotency-Key: ``running``, then ``done`` with what was said."""

endpoint = table(
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
)
"""Webhook endpoints. Their secrets are derived from the service's own, and stand nowhere."""

message = table(
    "message",
    number(),
    sa.Column("message_id", TEXT, nullable=False, unique=True),
    sa.Column("type", TEXT, nullable=False),
    sa.Column("customer_id", TEXT, index=True),
    sa.Column("body", TEXT, nullable=False),
    sa.Column("created_at", BIGINT, nullable=False),
)
"""The outbox: written in the transaction of what it tells of."""

delivery = table(
    "delivery",
    number(),
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
)
"""One message to one endpoint: ``waiting``, ``delivered``, ``failed`` or ``cancelled``."""

job = table(
    "job",
    number(),
    sa.Column("job_id", TEXT, nullable=False, unique=True),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("arguments", TEXT, nullable=False),
    sa.Column("state", TEXT, nullable=False, index=True),
    sa.Column("attempts", BIGINT, nullable=False),
    sa.Column("created_at", BIGINT, nullable=False),
    sa.Column("finished_at", BIGINT),
    sa.Column("answer", TEXT),
    sa.Column("error", TEXT),
)
"""Work asked for: ``waiting``, ``running``, ``done`` or ``failed``; the same work is one job."""

job_step = table(
    "job_step",
    sa.Column("job_id", TEXT, sa.ForeignKey("job.job_id"), primary_key=True),
    sa.Column("step", TEXT, primary_key=True),
    sa.Column("done_at", BIGINT, nullable=False),
    sa.Column("answer", TEXT, nullable=False),
)
"""Steps of a job that are done, so that a killed one goes on where it was."""

lease = table(
    "lease",
    sa.Column("name", TEXT, primary_key=True),
    sa.Column("holder", TEXT, nullable=False),
    sa.Column("token", BIGINT, nullable=False),
    sa.Column("until", BIGINT, nullable=False),
)
"""Who may do a thing alone, and until when; ``token`` rises with each new holder."""

audit = table(
    "audit",
    sa.Column("sequence", BIGINT, primary_key=True, autoincrement=False),
    sa.Column("at", BIGINT, nullable=False),
    sa.Column("actor", TEXT, nullable=False),
    sa.Column("action", TEXT, nullable=False, index=True),
    sa.Column("subject", TEXT),
    sa.Column("details", TEXT, nullable=False),
    sa.Column("digest", BLOB, nullable=False),
)
"""Who did what, append-only; each entry's digest covers the one before it. ``subject`` is a keyed
pseudonym."""

audit_day = table(
    "audit_day",
    sa.Column("day", TEXT, primary_key=True),
    sa.Column("last_sequence", BIGINT, nullable=False),
    sa.Column("digest", BLOB, nullable=False),
    sa.Column("signature", TEXT, nullable=False),
)
"""The signed digest with which a day of the audit log ended."""

tombstone = table(
    "tombstone",
    sa.Column("subject", BLOB, primary_key=True),
    sa.Column("erased_at", BIGINT, nullable=False),
    sa.Column("receipt_id", TEXT, nullable=False),
    sa.Column("late_events", BIGINT, nullable=False, server_default="0"),
)
"""Erased people, as keyed digests: what comes in for them later is counted and dropped."""

receipt = table(
    "receipt",
    sa.Column("receipt_id", TEXT, primary_key=True),
    sa.Column("at", BIGINT, nullable=False),
    sa.Column("state", TEXT, nullable=False),
    sa.Column("body", TEXT, nullable=False),
    sa.Column("signature", TEXT),
)
"""What an erasure did in which store, signed when all of it is done."""

restriction = table(
    "restriction",
    sa.Column("customer_id", TEXT, primary_key=True),
    sa.Column("objected_at", BIGINT),
    sa.Column("restricted_at", BIGINT),
    sa.Column("source", TEXT, nullable=False),
)
"""People who object to profiling, or whose data may be kept but not used."""

standing = table(
    "standing",
    sa.Column("customer_id", TEXT, primary_key=True),
    sa.Column("as_of", BIGINT, primary_key=True),
    sa.Column("band", TEXT),
    sa.Column("margin", REAL),
    sa.Column("bundle", TEXT),
    sa.Column("frozen", BIGINT, nullable=False, server_default="0"),
    sa.Column("document", TEXT, nullable=False),
)
"""Where the risk watch last saw each customer: one a customer that is not ``frozen``, and those
whose outcome is known, which stay as they were."""

score_change = table(
    "score_change",
    number(),
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
)
"""Every move of a score, split into what moved it; the parts add up to the move."""
