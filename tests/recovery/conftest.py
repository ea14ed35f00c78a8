"""One copy of the example shop for all drills of these tests: it is damaged and recovered again and again."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.local.layout import make_enterable
from ecom_platform.recovery import copies
from ecom_platform.recovery.copies import Site
from ecom_platform.recovery.rehearsal import Rehearsal
from ecom_platform.settings import EXAMPLE_SPEC
from ecom_platform.spec import Database, Drills, Shop
from ecom_platform.spec_file import read_spec


def small_shop() -> Shop:
    """The example shop with few orders and a quick pace."""
    shop = read_spec(EXAMPLE_SPEC)
    database = shop.databases[0]
    tasks = database.tasks.model_copy(update={"seed": ("python", "-m", "shop.seed", "--orders", "500")})
    pace = Drills(orders_per_second=10, steady=timedelta(0))
    return shop.model_copy(update={"databases": (database.model_copy(update={"tasks": tasks}),), "drills": pace})


@dataclass(frozen=True)
class Ground:
    """Where to rehearse: the live shop, which never runs here, and its copy."""

    live: LocalPlatform
    shop: Shop
    site: Site

    @property
    def database(self) -> Database:
        return self.site.shop.databases[0]

    def rehearsal(self, name: str) -> Rehearsal:
        folder = make_enterable(self.live.drills() / name)
        (folder / "ledger").unlink(missing_ok=True)
        return Rehearsal(name, name, folder, print)


@pytest.fixture(scope="package")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ecom-drill-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="package")
def ground(folder: Path) -> Iterator[Ground]:
    shop = small_shop()
    live = LocalPlatform(shop, folder / "live")
    live.layout.make()
    site = copies.site_of(copies.copy_of(shop, stores=("local", "cloud")), folder)
    try:
        copies.make_copy(live, shop, site, print)
        yield Ground(live, shop, site)
    finally:
        site.platform.reset()
