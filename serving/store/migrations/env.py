"""Run by alembic: migrate with the connection that ``serving.store.migrate`` brings."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
