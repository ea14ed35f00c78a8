"""A recovery that is killed at any word leaves the old database or the new one under the name, and is done again."""

import signal
import subprocess
import sys

import pytest

from ecom_platform.clients.web import session
from ecom_platform.recovery.database import recover_database
from ecom_platform.recovery.saving import save_database
from ecom_platform.recovery.validation import validate
from ecom_platform.settings import ROOT
from tests.recovery.conftest import Ground

pytestmark = pytest.mark.timeout(900)  # a whole shop, made, lost and recovered

# Recovers, and dies of SIGKILL at the word that begins with its second argument.
RECOVER = """
import os, signal, sys
from pathlib import Path
from ecom_platform.recovery.copies import copy_of, site_of
from ecom_platform.recovery.database import recover_database
from tests.recovery.conftest import small_shop

site = site_of(copy_of(small_shop(), stores=("local", "cloud")), Path(sys.argv[1]))

def progress(what):
    if what.startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

recover_database(site.platform, site.shop, site.shop.databases[0], progress=progress)
"""


@pytest.mark.parametrize("word", ["nobody writes", "building indexes", "comparing", "shop serves again"])
def test_a_killed_recovery_is_done_again(ground: Ground, saved: str, word: str) -> None:
    folder = ground.site.platform.layout.state.parent
    killed = subprocess.run([sys.executable, "-c", RECOVER, folder, word], cwd=ROOT, timeout=200, check=False)
    assert killed.returncode == -signal.SIGKILL
    with session(ground.site.platform.address(ground.site.shop.front_door, "active")) as door:
        # Closed until it is done, or done already; never half a database.
        assert door.get("/api/products?limit=1").status == (200 if word == "shop serves again" else 503)
    done = recover_database(ground.site.platform, ground.site.shop, ground.database, progress=print)
    assert done.snapshot == saved
    assert [str(each) for each in validate(ground.site.platform, ground.site.shop) if not each.passed] == []


@pytest.fixture(scope="module")
def saved(ground: Ground) -> str:
    """The newest proved snapshot."""
    return save_database(ground.site.platform, ground.site.shop, ground.database)
