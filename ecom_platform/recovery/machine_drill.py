"""The drill `machine-lost`: all processes and all files of a machine gone at once; the shop again from the store.

Three places below the drill's folder: `copy`, the machine that is lost; `cloud`, an S3 server that survives it;
`new`, an empty folder where `ecom recover` runs with an empty environment. Of the old machine nothing is used but
what was kept elsewhere: the store's credentials and the private key.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.clients.commands import run as run_command
from ecom_platform.clients.processes import descendants, end_now
from ecom_platform.clients.supervisor import replace_text
from ecom_platform.errors import ProofFailed
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.local.layout import make_enterable, make_private
from ecom_platform.platforms.protocol import Platform, StoreAccess
from ecom_platform.records import Findings
from ecom_platform.recovery import probes
from ecom_platform.recovery.checks import MACHINE_LOST
from ecom_platform.recovery.copies import Progress, Site, copy_of, make_copy, remove_copy, site_of
from ecom_platform.recovery.course import Back, Plan, follow
from ecom_platform.recovery.record import DrillRecord
from ecom_platform.recovery.rehearsal import Rehearsal, rehearsing
from ecom_platform.recovery.saving import save_all
from ecom_platform.spec import Encryption, SecretReference, Shop, Store
from ecom_platform.spec_file import read_spec
from ecom_platform.verdicts import holds, passed

STORE = "cloud"
RECOVER_SECONDS = 3600.0
"""The drill itself gives up after an hour, whatever budget the spec has: somebody should look then."""


@dataclass
class Places:
    """escrow: what was kept elsewhere, as files of mode 600."""

    folder: Path
    shop: Shop

    @property
    def cloud(self) -> LocalPlatform:
        shop = Shop(shop="cloud", stores={STORE: Store(managed=True)}, encryption=Encryption(managed=True))
        return LocalPlatform(shop, self.folder / "cloud")

    @property
    def escrow(self) -> Path:
        return self.folder / "escrow"

    @property
    def new(self) -> Path:
        return self.folder / "new"

    def recovered(self) -> Site:
        """The shop on the new place, as its restored spec describes it."""
        name = copy_of(self.shop).shop
        shop = read_spec(self.new / f"{name}-configuration" / "spec.yaml")
        return Site(shop, LocalPlatform(shop, self.new / name))


def run(live: Platform, shop: Shop, variant: str, progress: Progress) -> tuple[Findings, DrillRecord]:
    """Verdicts for checks.MACHINE_CHECKS and the record."""
    with rehearsing(live.drills(), MACHINE_LOST, variant, remove=remove(shop), progress=progress) as rehearsal:
        places = Places(rehearsal.folder, shop)
        with rehearsal.watch.phase("preparation"):
            rehearsal.progress("an S3 server apart from the copy")
            places.cloud.up()
            site = site_of(copy_on(places), rehearsal.folder)
            make_copy(live, shop, site, rehearsal.progress)
            keep(places, "identity", site.platform.identities()[0])
        found, record = follow(_plan(places, site, rehearsal), rehearsal)
    return Findings({**found, "cleaned_up": [rehearsal.left()]}), record


def remove(shop: Shop) -> Callable[[Path], None]:
    """Ends and removes all three places."""

    def all_of(folder: Path) -> None:
        places, copied = Places(folder, shop), copy_of(shop)
        remove_copy(copied)(folder)
        for platform in (LocalPlatform(copied, places.new / copied.shop), places.cloud):
            if platform.layout.ports.exists():
                platform.reset()

    return all_of


def copy_on(places: Places) -> Shop:
    """The machine to be lost, whose only store is the cloud."""
    access = places.cloud.store(STORE)
    store = Store(
        url=access.url,
        endpoint=access.endpoint,
        access_key=SecretReference(file=keep(places, "access-key", access.access_key)),
        secret_key=SecretReference(file=keep(places, "secret-key", access.secret_key)),
    )
    return copy_of(places.shop).model_copy(update={"stores": {STORE: store}})


def keep(places: Places, name: str, secret: str) -> str:
    path = make_private(places.escrow) / name
    replace_text(path, secret + "\n")
    return str(path)


def _plan(places: Places, site: Site, rehearsal: Rehearsal) -> Plan:
    shops: list[Site] = [site]
    address = site.platform.address(site.shop.front_door, "active")  # known by name, not by asking the machine

    def recover() -> Back:
        stopped = time.monotonic()
        recover_on(places, places.cloud.store(STORE), rehearsal)
        back = places.recovered()
        shops.append(back)
        old = site.platform.layout.state
        seconds = time.monotonic() - stopped
        verdicts = {
            "recovered": [
                passed("spec, database and folders came back from the store and are equal", f"in {seconds:.1f} s"),
                holds("nothing of the old machine was there", not old.exists(), f"{old} is gone"),
            ]
        }
        there = back.platform.address(back.shop.front_door, "active")
        return Back(stopped, time.monotonic(), verdicts, {"rebuild_seconds": round(seconds, 3)}, there)

    return Plan(
        drill=MACHINE_LOST,
        variant=rehearsal.variant,
        budget_seconds=site.shop.thresholds.machine_recovery.total_seconds(),
        loss_seconds=max(each.rpo.total_seconds() for each in site.shop.databases),
        save=lambda: save_all(site.platform, site.shop),
        fault=lambda: lose(site.platform),
        eyes=lambda: [lambda: probes.answers(address, site.shop.front_door)],
        recover=recover,
        shop=lambda: (shops[-1].platform, shops[-1].shop),
    )


def lose(platform: LocalPlatform) -> None:
    """The power goes, and the disks with it."""
    supervisor = platform.parts.supervisor.pid()
    family = [each.pid for each in descendants(supervisor)] if supervisor else []
    end_now([*([supervisor] if supervisor else []), *family])
    end_now(platform.postgres.processes())
    shutil.rmtree(platform.layout.sockets, ignore_errors=True)
    shutil.rmtree(platform.layout.state)


def recover_on(places: Places, access: StoreAccess, rehearsal: Rehearsal) -> None:
    """`ecom recover` in an empty folder with an empty environment."""
    empty = make_enterable(places.new)
    argv = ["/usr/bin/env", "-i", sys.executable, "-m", "ecom_platform.cli", "recover"]
    argv += ["--from", access.url, "--endpoint", access.endpoint, "--region", access.region]
    argv += ["--identity", str(places.escrow / "identity"), "--into", str(empty)]
    argv += ["--access-key-file", str(places.escrow / "access-key")]
    argv += ["--secret-key-file", str(places.escrow / "secret-key")]
    rehearsal.progress("ecom recover, in an empty folder with an empty environment")
    done = run_command(argv, timeout=RECOVER_SECONDS, check=False, folder=empty)
    if done.code != 0:
        raise ProofFailed("recover the machine", f"exit code {done.code}: {done.stderr[-1500:]}")
