"""Revisions that take away what only older versions used; applied after their last instance is gone."""
