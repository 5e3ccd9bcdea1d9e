"""The whole decision core: time limits and warnings of what runs, and what it keeps beside the rows."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column, Float, String

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns of limits and warnings, and the table of what is kept."""
    op.add_column("requests", Column("max_seconds", Float))
    op.add_column("allocations", Column("ends_at", Float))
    op.add_column("allocations", Column("warned_until", Float))
    op.create_table(
        "kept",
        Column("kind", String(32), primary_key=True),
        Column("key", String(512), primary_key=True),
        Column("doc", JSON, nullable=False),
    )
