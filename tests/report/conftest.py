"""Fixtures of the report's tests."""

from tests.browser import browser

__all__ = ["browser"]
