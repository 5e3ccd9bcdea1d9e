"""Teams get tokens, and what a request asked for is found by its parent."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Float, String

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table of tokens and the index of parents."""
    op.create_table(
        "team_tokens",
        Column("id", String(32), primary_key=True),
        Column("team", String(64), nullable=False),
        Column("name", String(64), nullable=False),
        Column("digest", String(64), nullable=False, unique=True),
        Column("made_by", String(255), nullable=False),
        Column("made_at", Float, nullable=False),
        Column("expires_at", Float, nullable=False),
        Column("last_used_at", Float),
    )
    op.create_index("ix_team_tokens_team", "team_tokens", ["team"])
    op.create_index("ix_requests_parent", "requests", ["parent"])
