"""Judges Velero's backups and what came back of them. Pure: facts in, verdicts out.

`Completed` is where the judging begins: Velero says so too of a backup in which a volume is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ecom_platform.velero.facts import Item, Plan, Work
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive, passed

SHOWN = 20
"""Differences that are told one by one."""

LATENESS = timedelta(hours=2)
"""How much later than its period a Schedule's newest backup may be: Velero makes one at a time."""

PERIODS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(days=7)}
"""By the name of a Schedule; one of another name is not judged by its age."""

_KEY_OF_ITS_SOURCE = b"static-passw0rd"
"""pkg/repository/keys of Velero 1.18."""

WHOLE_VOLUMES = "every volume is in the backup"


def scheduled(plans: Sequence[Plan], namespace: str, keep: Mapping[str, timedelta], now: datetime) -> list[Verdict]:
    """Whether Velero makes the promised backups by itself, and keeps them as long as promised."""
    by_name = {each.name: each for each in plans}
    return [
        _scheduled(by_name.get(f"{namespace}-{name}"), namespace, name, wanted, now) for name, wanted in keep.items()
    ]


def _scheduled(found: Plan | None, namespace: str, name: str, wanted: timedelta, now: datetime) -> Verdict:
    claim = f"Velero backs up {namespace} {name} and keeps it for {wanted.days} days"
    if found is None:
        return failed(claim, f"there is no Schedule {namespace}-{name}; install k8s/velero")
    if not {namespace, "*"} & set(found.namespaces):
        return failed(claim, f"the Schedule {found.name} covers {', '.join(found.namespaces)}")
    if found.paused or found.phase != "Enabled":
        return failed(
            claim, f"the Schedule {found.name} is {'paused' if found.paused else found.phase or 'not seen yet'}"
        )
    if found.keep_seconds < wanted.total_seconds():
        return failed(claim, f"the Schedule {found.name} keeps its backups for {found.keep_seconds / 86400:g} days")
    return _on_time(claim, found, PERIODS.get(name), now)


def _on_time(claim: str, found: Plan, period: timedelta | None, now: datetime) -> Verdict:
    since = found.last or found.made
    if period is None or not since:
        return passed(claim, f"cron {found.cron}")
    age = now - datetime.fromisoformat(since)
    said = f"cron {found.cron}, newest {found.last or 'none yet'}"
    return holds(claim, age <= period + LATENESS, said, age_seconds=age.total_seconds())


def own_key(key: bytes) -> Verdict:
    """key: of Velero's file repositories. It makes up one itself, the same everywhere, if nobody gives it another."""
    claim = "the files of volumes are encrypted by a key of your own"
    if not key:
        return inconclusive(claim, "there is no Secret velero-repo-credentials")
    return holds(
        claim,
        key != _KEY_OF_ITS_SOURCE,
        "not the one in Velero's source"
        if key != _KEY_OF_ITS_SOURCE
        else ("it is the one in Velero's source, which everybody knows"),
    )


def completed(backup: Work) -> Verdict:
    return _ended("Velero finished the backup without an error", backup)


def restored(restore: Work) -> Verdict:
    return _ended("Velero finished the restore without an error", restore)


def _ended(claim: str, found: Work) -> Verdict:
    counts = {"errors": float(found.errors), "warnings": float(found.warnings)}
    seen = f"{found.name}: {found.phase or 'not seen by Velero yet'}" + (f", {found.reason}" if found.reason else "")
    if not found.ended:
        return inconclusive(claim, f"{seen}; it has not ended in its time", **counts)
    good = found.phase == "Completed" and not found.errors
    return holds(claim, good, f"{seen}, {found.errors} errors, {found.warnings} warnings", **counts)


def volumes(
    claims: Sequence[str], folders: Sequence[str], items: Sequence[Item], disposable: Sequence[str]
) -> list[Verdict]:
    """A verdict for each claim of the namespace, and for each folder of a node (POD/VOLUME) that a pod uses.

    disposable: claims and folders that need no copy.
    """
    verdicts = [_copied(each, [it for it in items if it.claim == each]) for each in claims if each not in disposable]
    verdicts += [
        failed(f"{WHOLE_VOLUMES}: {each}", "a folder of the node (hostPath), which Velero leaves out")
        for each in folders
        if each not in disposable
    ]
    broken = [each for each in items if not each.claim and each.phase != "Completed"]
    verdicts += [failed(f"{WHOLE_VOLUMES}: {each.pod}/{each.volume}", _said(each)) for each in broken]
    return verdicts or [passed(WHOLE_VOLUMES, "there are no volumes to copy")]


def _copied(claim: str, items: Sequence[Item]) -> Verdict:
    name = f"{WHOLE_VOLUMES}: claim {claim}"
    if not items:
        return failed(name, "left out: Velero has no copy of it, whatever it says of the backup")
    bad = [each for each in items if each.phase != "Completed"]
    if bad:
        return failed(name, "; ".join(_said(each) for each in bad))
    return passed(name, _said(items[0]), bytes=float(max(each.bytes for each in items)))


def _said(item: Item) -> str:
    said = f"{item.way}, {item.phase or 'not begun'}" + (f": {item.message}" if item.message else "")
    return f"{said}, {item.bytes:,} bytes"


def objects(before: Mapping[str, object], after: Mapping[str, object], observed: Mapping[str, object]) -> list[Verdict]:
    """What came back against what stood there before and after the backup, by KIND/NAME. An object that changed
    while the backup ran may be either; one that came or went meanwhile may be there or not.
    """
    from ecom_platform.platforms.kubernetes.objects import differences

    claim = "every object came back as it was"
    wrong = []
    for name in sorted({*before, *after, *observed}):
        if name not in observed:
            if name in before and name in after:
                wrong.append(f"{name}: missing")
        elif name not in before and name not in after:
            wrong.append(f"{name}: the source had no such object")
        elif observed[name] not in [each[name] for each in (before, after) if name in each]:
            expected = before.get(name, after.get(name))
            wrong += [f"{name}: {each}" for each in differences(expected, observed[name])]
    if wrong:
        more = [failed(claim, f"and {len(wrong) - SHOWN} more differences")] if len(wrong) > SHOWN else []
        return [failed(claim, each) for each in wrong[:SHOWN]] + more
    if not before:
        return [inconclusive(claim, "nothing is known of the source")]
    return [passed(claim, f"{len(observed)} objects", objects=float(len(observed)))]


def content(name: str, before: str, after: str, observed: str) -> Verdict:
    """The content of one volume by its digests; an empty one could not be read."""
    claim = f"the content of {name} came back"
    if not (before and after and observed):
        where = "the source" if not (before and after) else "the restored copy"
        return inconclusive(claim, f"{where} could not be read")
    if observed in (before, after):
        return passed(claim, observed)
    if before != after:
        return inconclusive(
            claim, f"it changed while it was copied ({before} to {after}); what came back is {observed}"
        )
    return failed(claim, f"was {before}, came back as {observed}")


def databases(name: str, unchanged: bool, against: Sequence[Sequence[Verdict]]) -> list[Verdict]:  # noqa: FBT001
    """against: the comparison of the restored database with the one before the backup, and with the one after it."""
    for verdicts in against:
        if verdicts and all(each.passed for each in verdicts):
            return [
                Verdict(f"database {name}: {each.claim}", each.outcome, each.seen, each.numbers) for each in verdicts
            ]
    if not against or unchanged:
        return [
            Verdict(f"database {name}: {each.claim}", each.outcome, each.seen, each.numbers)
            for each in (against[0] if against else ())
        ] or [inconclusive(f"database {name} came back", "there is no fingerprint of the source")]
    seen = [each.seen for each in against[0] if not each.passed]
    return [
        inconclusive(
            f"database {name} came back",
            f"it changed while its files were copied, so no one state is right: {'; '.join(seen[:3])}",
        )
    ]
