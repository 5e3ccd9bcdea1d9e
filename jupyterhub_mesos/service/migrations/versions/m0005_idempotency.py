"""Keys under which writes were asked for, so that a repeated one is done once."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column, Float, Integer, String, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table of keys."""
    op.create_table(
        "idempotency_keys",
        Column("asker", String(320), primary_key=True),
        Column("key", String(255), primary_key=True),
        Column("digest", String(64), nullable=False),
        Column("at", Float, nullable=False),
        Column("subjects", JSON, nullable=False),
        Column("status", Integer),
        Column("location", Text),
        Column("answer", Text),
    )
    op.create_index("ix_idempotency_keys_at", "idempotency_keys", ["at"])
