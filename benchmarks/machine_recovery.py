"""Goal for a shop of 1 GB on two free cores: `ecom recover` from the cloud store into an empty folder, with an empty
environment, at most 2 minutes: spec, key, platform, database and folders restored and compared, services, whole test.

`python -m benchmarks machine_recovery [--orders N]`. The S3 server runs on the same cores. A bare `pg_restore -j2` of a
local dump into the same machine is timed before the machine is lost, and printed beside it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.recovery_drill import ORDERS, bare_restore, large_shop
from ecom_platform.clients import sql
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.local.layout import make_enterable
from ecom_platform.recovery import machine_drill
from ecom_platform.recovery.copies import Site, make_copy, site_of
from ecom_platform.recovery.machine_drill import STORE, Places
from ecom_platform.recovery.rehearsal import Rehearsal
from ecom_platform.recovery.saving import save_all

GOAL_SECONDS = 120.0


def size_of(site: Site) -> int:
    with sql.connect(site.platform.postgres.superuser(site.shop.databases[0].name)) as connection:
        return int(sql.fetch(connection, "SELECT pg_database_size(current_database())")[0][0])


def measure(places: Places, live: LocalPlatform) -> tuple[float, float, int]:
    """Seconds of the recovery and of the bare restore, and the database's bytes. Raises if the shop does not sell."""
    places.cloud.up()
    site = site_of(machine_drill.copy_on(places), places.folder)
    make_copy(live, places.shop, site, print)
    machine_drill.keep(places, "identity", site.platform.identities()[0])
    print("taking and proving what it is rebuilt from", flush=True)
    save_all(site.platform, site.shop)
    size, floor = size_of(site), bare_restore(site, places.folder)
    machine_drill.lose(site.platform)
    rehearsal = Rehearsal("bench", "whole", make_enterable(places.folder / "bench"), print)
    began = time.monotonic()
    machine_drill.recover_on(places, places.cloud.store(STORE), rehearsal)
    return time.monotonic() - began, floor, size


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--orders", type=int, default=ORDERS)
    shop = large_shop(arguments.parse_args().orders)
    with tempfile.TemporaryDirectory(prefix="ecom-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        live = LocalPlatform(shop, folder / "live")
        live.layout.make()
        try:
            seconds, floor, size = measure(Places(folder, shop), live)
        finally:
            machine_drill.remove(shop)(folder)
    print(f"database {size / 1e9:.2f} GB; the whole recovery {seconds:.1f} s, goal {GOAL_SECONDS:g} s")
    print(f"{seconds / floor:.2f}x of a bare pg_restore ({floor:.1f} s)")
    if seconds > GOAL_SECONDS:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
