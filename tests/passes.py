"""How the suite uses two cores: rooms of tests beside each other, and what needs the machine to itself alone.

A room is what shares an expensive fixture (a whole shop): its tests run in one worker, one after the other, so that
the fixture is made once. Most rooms are one file. `python -m tests` runs the two passes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

SHARED = {
    # Its processes of Dagster make it as slow as all others of its folder together: a shop of its own costs less.
    "dagster": ("tests/pipeline/test_with_dagster.py",),
    "pipeline": ("tests/pipeline/",),
    "release": ("tests/release/",),
    "recovery": ("tests/recovery/",),
    "contract": tuple(f"tests/platforms/test_{each}.py" for each in ("contract", "data", "replacement")),
    "shop": ("tests/shop/",),
    "inside": ("tests/cluster/test_operated_",),
    # Both charts, installed once.
    "charts": tuple(
        f"tests/cluster/test_{each}.py" for each in ("accounts", "hardening", "platform", "shop", "store", "walls")
    ),
}
"""Files that share one whole shop, by the beginnings of their paths."""

FIRST = (
    "inside",
    "charts",
    "pipeline",
    "dagster",
    "tests/platforms/test_local_life.py",
    "tests/platforms/test_local_dagster.py",
    "release",
    "recovery",
    "shop",
    "contract",
    "tests/training/test_on_a_copy.py",
)
"""Rooms that begin first, the slowest before the others: begun last, they would run on while the other workers idle."""

PASSES = ("all", "beside", "alone")


def room_of(nodeid: str) -> str:
    """The room of a test."""
    file = nodeid.split("::", 1)[0]
    return next((room for room, files in SHARED.items() if file.startswith(files)), file)


def rank(nodeid: str) -> int:
    """When its room begins: the lower, the sooner."""
    room = room_of(nodeid)
    return FIRST.index(room) if room in FIRST else len(FIRST)


class Rooms(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed
    """Each room to one worker, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return room_of(nodeid)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pass",
        dest="which_pass",
        choices=PASSES,
        default="all",
        help="beside: without the tests marked `alone`; alone: only those",
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Rooms:
    config.option.loadscopereorder = False  # by number of tests, which says nothing of their time
    return Rooms(config, log)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The second pass reads few files, and need not import all the others."""
    if config.getoption("which_pass") != "alone" or not collection_path.is_file():
        return None
    return "pytest.mark.alone" not in collection_path.read_text(encoding="utf-8") or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    which = config.getoption("which_pass")
    if which != "all":
        others = [each for each in items if (each.get_closest_marker("alone") is None) is (which == "alone")]
        config.hook.pytest_deselected(items=others)
        items[:] = [each for each in items if each not in others]
    if hasattr(config, "workerinput"):
        items.sort(key=lambda each: rank(each.nodeid))
