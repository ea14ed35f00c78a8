"""Alembic's entry: runs revisions on the connection that shop.migrate hands over, in one transaction each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection

connection = context.config.attributes.get("connection")
if not isinstance(connection, Connection):
    raise TypeError("run `python -m shop.migrate`, which holds the lock and the connection")


def note(ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]) -> None:
    """Tells shop.migrate which revisions ran; Alembic calls it by these names."""
    del ctx, heads, run_args
    context.config.attributes["applied"].append(step.up_revision_id)


context.configure(connection=connection, target_metadata=None, transaction_per_migration=True, on_version_apply=note)
with context.begin_transaction():
    context.run_migrations()
