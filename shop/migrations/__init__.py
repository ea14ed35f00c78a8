"""The schema's history: Alembic revisions, in two branches that never mix.

`versions/expand` only adds; a running version of the shop keeps working while it runs.
`versions/contract` takes away what no running version uses any more.
"""
