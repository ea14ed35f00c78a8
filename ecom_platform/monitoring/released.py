"""Samples from the kept state of releases: the phase of the newest one, since when, and whether it goes on. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ecom_platform.monitoring.samples import Sample
from ecom_platform.release.machine import Phase
from ecom_platform.release.state import State

NEVER = "none"
"""The state of a shop that had no release yet."""


def release_samples(shop: str, state: State) -> Iterator[Sample]:
    """Since: the newest line of its timeline, so that a release that gets on is not stuck."""
    journal = state.journal
    phase = journal.release.phase.value if journal else NEVER
    yield Sample("ecom_release_in_progress", state.unfinished, {"shop": shop})
    for each in (NEVER, *Phase):
        yield Sample("ecom_release_state", each == phase, {"shop": shop, "state": str(each)})
    if journal:
        since = journal.timeline[-1].at if journal.timeline else journal.started_at
        yield Sample("ecom_release_since_timestamp_seconds", since.timestamp(), {"shop": shop})
