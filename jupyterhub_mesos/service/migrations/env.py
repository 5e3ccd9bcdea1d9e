"""What Alembic runs: the caller hands in an open connection, and we migrate in its transaction."""

from __future__ import annotations

from alembic import context

from jupyterhub_mesos.service.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
)
with context.begin_transaction():
    context.run_migrations()
