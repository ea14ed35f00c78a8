"""Drills in which a part of the shop is lost while it goes on selling: its folders, configuration, key, a store.

No order may be lost in any of them. The recovery counts as done when the part is proved to work again.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecom_platform.backup import snapshot
from ecom_platform.backup.catalogue import find
from ecom_platform.backup.encryption import Identities, new_identity
from ecom_platform.backup.recovery_set import newest_proved, read_configuration
from ecom_platform.backup.trust import trusted_signers
from ecom_platform.clients.objects import open_store
from ecom_platform.clients.supervisor import replace_text
from ecom_platform.errors import EcomError
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.recovery import checks, probes
from ecom_platform.recovery.copies import Progress, Site, bring_up, copy_of, open_shop
from ecom_platform.recovery.course import Back, Plan, Verdicts, on_a_copy
from ecom_platform.recovery.folders import recover_folder
from ecom_platform.recovery.record import DrillRecord
from ecom_platform.recovery.rehearsal import Rehearsal
from ecom_platform.recovery.saving import save_configuration, save_database, save_folder
from ecom_platform.spec import Database, Encryption, SecretReference, Shop
from ecom_platform.verdicts import Verdict, equal, failed, holds, passed

Result = tuple[Findings, DrillRecord]


def run_media(live: Platform, shop: Shop, variant: str, progress: Progress) -> Result:
    return on_a_copy(live, shop, copy_of(shop), media_plan, drill=(checks.MEDIA_LOST, variant), progress=progress)


def media_plan(site: Site, rehearsal: Rehearsal) -> Plan:
    name = site.shop.folders[0].name
    place = site.platform.folder(name)

    def lose() -> None:
        for each in place.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()

    def recover() -> Back:
        began = time.monotonic()
        done = recover_folder(site.platform, site.shop, name, progress=rehearsal.progress)
        verdicts: Verdicts = {
            "recovered": [passed(f"{done.snapshot} is equal to its list", f"{done.files:,} files")],
            "kept_aside": [holds("what was left is kept", Path(done.kept).exists(), done.kept)],
        }
        return Back(began, time.monotonic(), verdicts, {"snapshot": done.snapshot, "files": done.files})

    def eyes() -> list[probes.Probe]:
        before = probes.files_in(place)
        return [lambda: probes.folder(site.platform, name, before), *probes.fronts(site.platform, site.shop)]

    return _plan(
        site,
        rehearsal,
        checks.MEDIA_LOST,
        budget_seconds=site.shop.thresholds.folder_recovery.total_seconds(),
        save=lambda: _done(save_folder(site.platform, site.shop, name)),
        fault=lose,
        eyes=eyes,
        recover=recover,
    )


def run_configuration(live: Platform, shop: Shop, variant: str, progress: Progress) -> Result:
    drill = (checks.CONFIGURATION_LOST, variant)
    return on_a_copy(live, shop, copy_of(shop), configuration_plan, drill=drill, progress=progress)


def configuration_plan(site: Site, rehearsal: Rehearsal) -> Plan:
    sites: list[Site] = [site]
    layout = site.platform.layout
    address = site.platform.address(site.shop.front_door, "active")
    key = "\n".join(site.platform.identities())  # as it is kept elsewhere
    trusted = trusted_signers(site.platform, site.shop)

    def lose() -> None:
        """The machine stops, and everything that says how the shop is put together is gone; its data are there."""
        site.platform.down()
        for each in (layout.parts, layout.switch):
            shutil.rmtree(each)
        for each in (layout.ports, layout.supervisor_config):
            each.unlink(missing_ok=True)

    def recover() -> Back:
        began = time.monotonic()
        store = open_store(site.platform.store(next(iter(site.shop.stores))))
        chosen = newest_proved(store, site.shop.shop, trusted)
        shop = read_configuration(store, chosen, Identities(key))
        again = Site(shop, LocalPlatform(shop, layout.state))
        bring_up(again.platform)
        open_shop(again.platform, shop)
        sites.append(again)
        same = equal("the spec is the one that was saved", site.shop, shop)
        there = again.platform.address(shop.front_door, "active")
        return Back(began, time.monotonic(), {"recovered": [same]}, address=there)

    plan = _plan(
        site,
        rehearsal,
        checks.CONFIGURATION_LOST,
        budget_seconds=site.shop.thresholds.configuration_recovery.total_seconds(),
        save=lambda: _done(save_configuration(site.platform, site.shop)),
        fault=lose,
        eyes=lambda: [lambda: probes.answers(address, site.shop.front_door)],
        recover=recover,
    )
    return replace(plan, shop=lambda: (sites[-1].platform, sites[-1].shop))


def run_key(live: Platform, shop: Shop, variant: str, progress: Progress) -> Result:
    second = new_identity()
    recipients = Identities(second).recipients
    copied = copy_of(shop, encryption=Encryption(recipients=tuple(recipients), managed=True))

    def plan(site: Site, rehearsal: Rehearsal) -> Plan:
        return key_plan(site, rehearsal, second)

    return on_a_copy(live, shop, copied, plan, drill=(checks.KEY_LOST, variant), progress=progress)


def key_plan(site: Site, rehearsal: Rehearsal, second: str) -> Plan:
    database, sites = site.shop.databases[0], [site]
    own = site.platform.layout.secrets / "age-identity"

    def recover() -> Back:
        """The other key is brought from where it is kept; from now on it is the platform's identity too."""
        began = time.monotonic()
        path = rehearsal.folder / "second-key"
        replace_text(path, second + "\n")
        keys = site.shop.encryption.model_copy(update={"identity": SecretReference(file=str(path))})
        shop = site.shop.model_copy(update={"encryption": keys})
        again = Site(shop, LocalPlatform(shop, site.platform.layout.state))
        sites.append(again)
        old = _newest(again, database)
        verdicts = [_opens("the newest snapshot from before the loss", again, database, old)]
        new = save_database(again.platform, shop, database)
        verdicts.append(passed("a new snapshot is proved with the keys as they are now", new))
        return Back(began, time.monotonic(), {"recovered": verdicts}, {"snapshot": old})

    plan = _plan(
        site,
        rehearsal,
        checks.KEY_LOST,
        budget_seconds=database.rto.total_seconds(),
        save=lambda: _done(save_database(site.platform, site.shop, database)),
        fault=own.unlink,
        eyes=lambda: [lambda: probes.key(own), *probes.fronts(site.platform, site.shop)],
        recover=recover,
    )
    return replace(plan, shop=lambda: (sites[-1].platform, sites[-1].shop))


def _newest(site: Site, database: Database) -> str:
    store = open_store(site.platform.store(next(iter(site.shop.stores))))
    return find(store, "latest", f"database/{database.name}", shop=site.shop.shop).id


def _opens(claim: str, site: Site, database: Database, name: str) -> Verdict:
    from ecom_platform.backup import proof

    findings, _ = proof.prove(site.platform, site.shop, database, snapshot=name, store="", progress=lambda _: None)
    bad = [str(each) for found in findings.verdicts.values() for each in found if not each.passed]
    return holds(claim, not bad, "; ".join(bad[:3]) or f"{name} restored and is equal")


def run_store(live: Platform, shop: Shop, variant: str, progress: Progress) -> Result:
    copied = copy_of(shop, stores=list(shop.stores)[:2])
    return on_a_copy(live, shop, copied, store_plan, drill=(checks.STORE_UNREACHABLE, variant), progress=progress)


def store_plan(site: Site, rehearsal: Rehearsal) -> Plan:
    database, names = site.shop.databases[0], list(site.shop.stores)
    stays, goes = names
    place = Path(site.platform.store(goes).url.removeprefix("file://"))
    away = place.with_name(f"{place.name}.away")

    def lose() -> None:
        """What was a folder is a file: every access fails, as on a server that is away."""
        place.rename(away)
        place.touch()

    def recover() -> Back:
        began = time.monotonic()
        alarm, verdicts = _dump_without(site, database, stays, goes)
        place.unlink()
        away.rename(place)
        name = save_database(site.platform, site.shop, database)
        verdicts += [_holds(site, each, database, name) for each in names]
        return Back(began, time.monotonic(), {"alarm": alarm, "recovered": verdicts}, {"snapshot": name})

    return _plan(
        site,
        rehearsal,
        checks.STORE_UNREACHABLE,
        budget_seconds=database.rto.total_seconds(),
        save=lambda: _done(save_database(site.platform, site.shop, database)),
        fault=lose,
        eyes=lambda: [
            *(lambda each=each: iter([_holds(site, each, database, "latest")]) for each in names),
            *probes.fronts(site.platform, site.shop),
        ],
        recover=recover,
    )


def _dump_without(site: Site, database: Database, stays: str, goes: str) -> tuple[list[Verdict], list[Verdict]]:
    """A dump while one store is away: red by name there, whole and proved in the other."""
    from ecom_platform.backup import proof

    findings, record = snapshot.take(site.platform, site.shop, database, progress=lambda _: None)
    red = [str(each) for found in findings.verdicts.values() for each in found if not each.passed]
    alarm = [holds(f"the dump is red for {goes}", any(goes in each for each in red), "; ".join(red[:2]) or "all green")]
    proved, _ = proof.prove(
        site.platform, site.shop, database, snapshot=record.snapshot, store=stays, progress=lambda _: None
    )
    bad = [str(each) for found in proved.verdicts.values() for each in found if not each.passed]
    claim = f"the dump went to {stays} and restores from there"
    return alarm, [holds(claim, not bad, "; ".join(bad[:3]) or record.snapshot)]


def _holds(site: Site, store: str, database: Database, name: str) -> Verdict:
    claim = f"the store {store} holds {name}"
    try:
        found = find(open_store(site.platform.store(store)), name, f"database/{database.name}", shop=site.shop.shop)
    except EcomError as error:
        return failed(claim, error.seen)
    return passed(claim, found.id)


def _done(name: str) -> None:
    del name


def _plan(site: Site, rehearsal: Rehearsal, drill: str, **parts: Any) -> Plan:
    return Plan(
        drill=drill,
        variant=rehearsal.variant,
        loss_seconds=0.0,
        shop=lambda: (site.platform, site.shop),
        keeps_all=True,
        **parts,
    )
