"""Placement rules: on nodes with which labels, and how over the zones, a request wants its replicas."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column of rules; without one a request stands wherever there is room."""
    op.add_column("requests", Column("placement", JSON(none_as_null=True)))
