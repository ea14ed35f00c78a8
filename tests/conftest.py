"""Fixtures of all rooms."""

from tests.browser import browser

__all__ = ["browser"]
