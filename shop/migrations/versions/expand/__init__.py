"""Revisions that only add: the version that runs now and the next one both work with the result."""
