"""Operates an online shop and proves that its backups restore.

The library: it knows how, and nothing of when. Its core does not import Dagster.
"""
