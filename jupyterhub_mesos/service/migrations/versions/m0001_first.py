"""The first tables of the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, ForeignKey, Integer, String, Text

revision = "0001"
down_revision = None
COUNT = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    """Create everything."""
    _create_requests()
    _create_allocations()
    _create_records()


def _create_requests() -> None:
    op.create_table(
        "requests",
        Column("id", String(128), primary_key=True),
        Column("seq", COUNT, nullable=False, unique=True),
        Column("team", String(64), nullable=False),
        Column("user", String(255), nullable=False),
        Column("kind", String(16), nullable=False),
        Column("resources", JSON, nullable=False),
        Column("replicas", Integer, nullable=False),
        Column("priority", Integer, nullable=False),
        Column("parent", String(128)),
        Column("submitted_at", Float, nullable=False),
        Column("rank", COUNT, nullable=False),
        Column("status", String(16), nullable=False),
        Column("is_live", Boolean, nullable=False),
        Column("is_ending", Boolean, nullable=False),
        Column("allocations", Integer, nullable=False),
        Column("name", Text, nullable=False),
        Column("payload", JSON, nullable=False),
        Column("hub", String(255), nullable=False),
        Column("server_name", String(255)),  # null unless it is a notebook
        Column("outcome", String(16)),
        Column("message", Text, nullable=False),
        Column("ended_at", Float),
    )
    op.create_index("ix_requests_team", "requests", ["team"])
    op.create_index("ix_requests_user", "requests", ["user"])
    live_server = sa.text("is_live AND server_name IS NOT NULL")
    op.create_index("requests_live", "requests", ["is_live", "seq"])
    op.create_index(
        "requests_one_live_server",
        "requests",
        ["hub", "user", "server_name"],
        unique=True,
        sqlite_where=live_server,
        postgresql_where=live_server,
    )


def _create_allocations() -> None:
    op.create_table(
        "allocations",
        Column("id", String(160), primary_key=True),
        Column("request_id", String(128), ForeignKey("requests.id"), nullable=False),
        Column("team", String(64), nullable=False),
        Column("state", String(16), nullable=False),
        Column("placements", JSON, nullable=False),
        Column("borrowed", JSON, nullable=False),
        Column("granted_at", Float, nullable=False),
        Column("started_at", Float),
        Column("gone_at", Float),
    )
    op.create_index("ix_allocations_request_id", "allocations", ["request_id"])
    op.create_index("ix_allocations_state", "allocations", ["state"])
    op.create_table(
        "tasks",
        Column("id", String(255), primary_key=True),
        Column("allocation_id", String(160), ForeignKey("allocations.id"), nullable=False),
        Column("role", String(64), nullable=False),
        Column("index", Integer, nullable=False),
        Column("generation", Integer, nullable=False),
        Column("node", String(255), nullable=False),
        Column("phase", String(16), nullable=False),
        Column("host", String(255), nullable=False),
        Column("ports", JSON, nullable=False),
        Column("exit_code", Integer),
        Column("message", Text, nullable=False),
        Column("checkpoint", JSON, nullable=False),
        Column("at", Float, nullable=False),
    )
    op.create_index("ix_tasks_allocation_id", "tasks", ["allocation_id"])
    op.create_table(
        "jobs",
        Column("allocation_id", String(160), ForeignKey("allocations.id"), primary_key=True),
        Column("generation", Integer, nullable=False),
        Column("restarts_used", Integer, nullable=False),
        Column("not_before", Float, nullable=False),
        Column("is_stopping", Text, nullable=False),
    )


def _create_records() -> None:
    op.create_table(
        "teams",
        Column("revision", Integer, primary_key=True, autoincrement=False),
        Column("at", Float, nullable=False),
        Column("doc", JSON, nullable=False),
    )
    op.create_table(
        "audit",
        Column("seq", COUNT, primary_key=True, autoincrement=True),
        Column("at", Float, nullable=False),
        Column("who", String(255), nullable=False),
        Column("what", String(64), nullable=False),
        Column("subject", String(255), nullable=False),
        Column("why", Text, nullable=False),
        Column("data", JSON, nullable=False),
    )
    op.create_index("ix_audit_subject", "audit", ["subject"])
    op.create_table(
        "meta",
        Column("key", String(64), primary_key=True),
        Column("value", Text, nullable=False),
    )
