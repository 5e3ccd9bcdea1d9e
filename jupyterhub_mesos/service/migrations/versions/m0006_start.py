"""How a request wants to start: once its owner confirms, or at certain hours."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column of wishes; without one a request starts by itself, at any hour."""
    op.add_column("requests", Column("start", JSON(none_as_null=True)))
