"""Which revision of the tables a ledger has, and which ones this version knows."""

from __future__ import annotations

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from jupyterhub_mesos.errors import Conflict
from jupyterhub_mesos.service.store import MIGRATIONS

TABLE = "alembic_version"


def newest() -> str:
    """Return the revision that this version writes."""
    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def check_known(revision: str, what: str) -> None:
    """Raise `Conflict` for tables of a version that is newer than this one."""
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if revision not in known:
        raise Conflict(
            f"{what} has tables of revision {revision}, this version knows those up to {newest()}: "
            "install the version that wrote it, or a newer one"
        )


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the ledger's tables; None where there are none."""
    if not inspect(connection).has_table(TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {TABLE}")).scalar()  # noqa: S608 - a constant
    return None if found is None else str(found)
