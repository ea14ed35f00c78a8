"""The images: locked to the same versions as everything else, and of nobody's root."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecom_platform.settings import ROOT

IMAGES = ROOT / "k8s" / "images"
DOCKERFILES = sorted(IMAGES.glob("*/Dockerfile"))
LOCKS = sorted(IMAGES.glob("*/requirements.lock"))


def locked(path: Path) -> dict[str, frozenset[str]]:
    """Each pinned requirement with its hashes."""
    blocks = re.split(r"\n(?=\S)", path.read_text(encoding="utf-8"))
    pinned = [each for each in blocks if "==" in each]
    return {each.split(" \\")[0].split(" ;")[0].strip(): frozenset(re.findall(r"sha256:\w+", each)) for each in pinned}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.parent.name)
def test_an_images_lock_is_a_part_of_the_projects(lock: Path) -> None:
    whole, part = locked(ROOT / "requirements.lock"), locked(lock)
    assert len(part) > 10
    strange = {name for name, hashes in part.items() if not hashes or hashes != whole.get(name)}
    assert strange == set(), "run k8s/images/lock"


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_runs_as_user_1000(file: Path) -> None:
    users = re.findall(r"^USER (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert users == ["1000:1000"]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_is_built_in_stages_from_a_base_that_can_be_pinned(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(bases) >= 2
    assert {each.startswith("${") for each in bases} == {True}
    assert ":latest" not in text
