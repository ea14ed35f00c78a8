"""Alembic revisions, apart by what they may do: expand adds, contract takes away."""
