"""The ledger's tables as the present code speaks to them; how they came to be stands in `migrations/`.

Portable SQL: whole numbers, floats, texts and JSON only. `seq` of a request
is the order of arrival in this ledger, for paging.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata: Final = MetaData()
COUNT: Final = BigInteger().with_variant(Integer, "sqlite")
"""What grows with every request or event; SQLite's integers are wide, and its keys have to be INTEGER."""

teams: Final = Table(
    "teams",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("doc", JSON, nullable=False),
)

requests: Final = Table(
    "requests",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("seq", COUNT, nullable=False, unique=True),
    Column("team", String(64), nullable=False, index=True),
    Column("user", String(255), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("resources", JSON, nullable=False),
    Column("replicas", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("parent", String(128), index=True),
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
    Column("max_seconds", Float),
    Column("placement", JSON(none_as_null=True)),
    Column("start", JSON(none_as_null=True)),  # null: by itself, at any hour
)
Index("requests_live", requests.c.is_live, requests.c.seq)
_LIVE_SERVER: Final = requests.c.is_live & requests.c.server_name.is_not(None)
Index(
    "requests_one_live_server",
    requests.c.hub,
    requests.c.user,
    requests.c.server_name,
    unique=True,
    sqlite_where=_LIVE_SERVER,
    postgresql_where=_LIVE_SERVER,
)

allocations: Final = Table(
    "allocations",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("request_id", String(128), ForeignKey("requests.id"), nullable=False, index=True),
    Column("team", String(64), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("placements", JSON, nullable=False),
    Column("borrowed", JSON, nullable=False),
    Column("granted_at", Float, nullable=False),
    Column("started_at", Float),
    Column("gone_at", Float),
    Column("ends_at", Float),
    Column("warned_until", Float),
)

tasks: Final = Table(
    "tasks",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("allocation_id", String(160), ForeignKey("allocations.id"), nullable=False, index=True),
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

jobs: Final = Table(
    "jobs",
    metadata,
    Column("allocation_id", String(160), ForeignKey("allocations.id"), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("restarts_used", Integer, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("is_stopping", Text, nullable=False),
)

tokens: Final = Table(
    "team_tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("team", String(64), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("made_by", String(255), nullable=False),
    Column("made_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("last_used_at", Float),
)

kept: Final = Table(  # what the decision core asks to be kept beside the rows
    "kept",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("key", String(512), primary_key=True),
    Column("doc", JSON, nullable=False),
)

idempotency_keys: Final = Table(
    "idempotency_keys",
    metadata,
    Column("asker", String(320), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("subjects", JSON, nullable=False),
    Column("status", Integer),
    Column("location", Text),
    Column("answer", Text),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("seq", COUNT, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("who", String(255), nullable=False),
    Column("what", String(64), nullable=False),
    Column("subject", String(255), nullable=False, index=True),
    Column("why", Text, nullable=False),
    Column("data", JSON, nullable=False),
)

meta: Final = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
