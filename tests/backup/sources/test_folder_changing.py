"""A folder that people use while it is read: what comes back is one true reading of each file."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ecom_platform.backup.sources.tree_proof import read_entries
from ecom_platform.backup.sources.tree_reader import TICK_NANOSECONDS
from ecom_platform.backup.sources.tree_writer import read_tree
from ecom_platform.errors import BusyError
from ecom_platform.verdicts import Outcome
from tests.backup.snapshots import KEYS
from tests.backup.sources.trees import Keeper


def test_a_file_that_changes_while_it_is_read_is_read_again(keeper: Keeper, folder: Path) -> None:
    touched: list[str] = []

    def once(path: str) -> None:
        if path == "large.bin" and not touched:
            touched.append(path)
            with (folder / path).open("r+b") as file:
                file.write(b"later")

    manifest = keeper.take(folder, between=once)
    assert touched
    assert keeper.verify(manifest).outcome is Outcome.PASSED
    large = read_entries(keeper.store, manifest, KEYS)["large.bin"]
    assert large == read_tree(folder)["large.bin"]


def test_a_file_that_shrinks_while_it_is_read_is_read_again(keeper: Keeper, folder: Path) -> None:
    shrunk: list[str] = []

    def once(path: str) -> None:
        if path == "large.bin" and not shrunk:
            shrunk.append(path)
            os.truncate(folder / path, 1_100_000)

    manifest = keeper.take(folder, between=once)
    assert keeper.verify(manifest).outcome is Outcome.PASSED
    assert read_entries(keeper.store, manifest, KEYS)["large.bin"].size == 1_100_000


def test_a_file_that_never_holds_still_is_an_error_and_no_snapshot(keeper: Keeper, folder: Path) -> None:
    def always(path: str) -> None:
        if path == "large.bin":
            with (folder / path).open("ab") as file:
                file.write(b"more")

    with pytest.raises(BusyError, match=r"large.bin.*changed during every one"):
        keeper.take(folder, between=always)
    assert keeper.objects() == []


def test_what_appears_while_the_folder_is_read_is_taken_too(keeper: Keeper, folder: Path) -> None:
    (folder / "aaa").write_text("read before")

    def add(path: str) -> None:
        if path == "large.bin":
            (folder / "aab").write_text("new")
            (folder / "aaa").write_text("changed after it was read")

    manifest = keeper.take(folder, between=add)
    assert keeper.verify(manifest).outcome is Outcome.PASSED
    assert read_entries(keeper.store, manifest, KEYS) == read_tree(folder)
    assert manifest.fingerprint["moved_on"] == 0


def test_a_file_that_goes_while_the_folder_is_read_is_counted(keeper: Keeper, folder: Path) -> None:
    changed = (folder / "plain.txt").lstat().st_ctime_ns
    while time.time_ns() < changed + 2 * TICK_NANOSECONDS:
        pass  # until one reading of it is enough

    def remove(path: str) -> None:
        if path == "script":  # the last of the files beside it
            (folder / "plain.txt").unlink(missing_ok=True)

    manifest = keeper.take(folder, between=remove)
    assert manifest.fingerprint["moved_on"] == 1
    assert keeper.verify(manifest).outcome is Outcome.PASSED
