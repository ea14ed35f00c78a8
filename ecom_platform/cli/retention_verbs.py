"""`ecom retention`: which snapshots the rules keep, and removing the others."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import click

from ecom_platform.cli.context import Context
from ecom_platform.errors import ConfigurationError, EcomError, RefusedError

if TYPE_CHECKING:
    from ecom_platform.backup.retention import Judged, Plan, Snapshot
    from ecom_platform.backup.retention_apply import Applied
    from ecom_platform.backup.retention_guard import Guarded, Limits
    from ecom_platform.backup.retention_policy import Rules

SHOWN_MISTAKES = 5
_FIELDS = frozenset(("id", "time", "tags"))


@click.group()
def retention() -> None:
    """Keep snapshots by rules, remove the others.

    The rules mean what restic's `forget` means by them. What may not go stays, whatever they say: the
    last proved snapshot, those that no newer proved one replaces, those that are held.
    """


@retention.command("plan")
@click.option(
    "--input", "given", type=click.File("rb"), help="Judge this JSON list instead of the stores; - for stdin."
)
@click.option("--policy", type=click.File("rb"), help="JSON rules instead of the spec's; needed with --input.")
@click.option("--store", "only", help="One store of the spec.")
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
@click.pass_obj
def plan_verb(
    context: Context, given: IO[bytes] | None, policy: IO[bytes] | None, only: str | None, *, as_json: bool
) -> None:
    """Show what would be kept and removed; changes nothing.

    Exit code 1 if a rule of safety refuses the removal.

    Example: ecom retention plan --input snapshots.json --policy policy.json --json
    """
    if given is None:
        _show(_plans(context, policy, only), as_json=as_json)
        return
    if policy is None or only is not None:
        raise click.UsageError("--input goes with --policy, and without --store")
    judged = _judge(given, policy)
    if as_json:
        click.echo(json.dumps({"keep": _lines(judged.keep), "remove": _lines(judged.remove)}))
        return
    for word, lines in (("keep", judged.keep), ("remove", judged.remove)):
        for each in lines:
            click.echo(f"{word:8}{each.snapshot.id}  {', '.join(each.reasons)}")
    click.echo(f"{len(judged.keep)} kept, {len(judged.remove)} removed")


@retention.command("apply")
@click.option("--store", "only", help="One store of the spec.")
@click.option(
    "--share", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="The most that may go at once."
)
@click.option("--trust-clock", is_flag=True, help="You looked: times that contradict each other are no reason to wait.")
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
@click.pass_obj
def apply_verb(context: Context, only: str | None, share: float, *, trust_clock: bool, as_json: bool) -> None:
    """Remove what the spec's rules do not keep, and sweep what broken dumps left a day ago or longer.

    Every removal is a signed record in the store. Exit code 1 if a rule of safety refused.

    Example: ecom retention apply --store local
    """
    applied = _apply(context, only, share, trust_clock=trust_clock)
    for name in _stores(context, only):
        _sweep(context, name)
    _show([(each.store, each.plan) for each in applied], as_json=as_json)


def _judge(given: IO[bytes], policy: IO[bytes]) -> Plan:
    from ecom_platform.backup.retention import plan
    from ecom_platform.backup.retention_policy import read_policy

    rules = read_policy(_json(policy), policy.name)
    if rules.empty:
        click.echo("ecom: the policy is empty, so nothing is removed", err=True)
    return plan(_snapshots(_json(given), given.name), rules, datetime.now(UTC))


def _json(file: IO[bytes]) -> Any:  # whatever the file holds
    try:
        return json.load(file)
    except ValueError as error:
        raise ConfigurationError(
            f"read {file.name}", f"it is not JSON: {error}", "Mend the place that is named."
        ) from error


def _snapshots(content: Any, where: str) -> list[Snapshot]:
    """Raises ConfigurationError that names the first mistakes, by their place in the list."""
    from ecom_platform.backup.retention import Snapshot, parse_moment

    def snapshot(entry: Any) -> Snapshot:
        name, tags = _fields(entry)
        return Snapshot(name, parse_moment(entry.get("time")), tags)

    if not isinstance(content, list):
        raise ConfigurationError(f"read the snapshots of {where}", "it is no list", _FORM)
    found: list[Snapshot] = []
    mistakes = []
    for number, each in enumerate(content):
        try:
            found.append(snapshot(each))
        except ValueError as error:
            mistakes.append(f"entry {number}: {error}")
    twice = len(found) - len({each.id for each in found})
    if twice:
        mistakes.append(f"{twice} ids stand there more than once")
    if mistakes:
        more = f"; and {len(mistakes) - SHOWN_MISTAKES} more" if len(mistakes) > SHOWN_MISTAKES else ""
        seen = "; ".join(mistakes[:SHOWN_MISTAKES]) + more
        raise ConfigurationError(f"read the snapshots of {where}", seen, _FORM)
    return found


_FORM = 'Write it like [{"id": "a1", "time": "2026-01-31T23:59:59Z", "tags": ["weekly"]}].'


def _fields(content: Any) -> tuple[str, tuple[str, ...]]:
    """(id, tags) of one entry. Raises ValueError, the one kind of error for all mistakes of the file."""
    if not isinstance(content, dict):
        raise ValueError(f"{content!r} is no object")  # noqa: TRY004
    if not content.keys() <= _FIELDS:
        raise ValueError(f"there is no such field: {', '.join(sorted(map(str, content.keys() - _FIELDS)))}")
    tags = content.get("tags") or []
    if not isinstance(content.get("id"), str) or not content["id"]:
        raise ValueError("id is missing or no text")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError("tags is no list of texts")
    return content["id"], tuple(tags)


def _lines(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    return [{"id": each.snapshot.id, "reasons": list(each.reasons)} for each in judged]


def _plans(context: Context, policy: IO[bytes] | None, only: str | None) -> list[tuple[str, Guarded]]:
    from ecom_platform.backup.retention_apply import plan_store
    from ecom_platform.backup.signing import ensure_signing_key
    from ecom_platform.backup.trust import trusted_signers
    from ecom_platform.clients.objects import open_store

    ensure_signing_key(context.platform.signing_key())  # before trust: as `apply` will judge
    trusted = trusted_signers(context.platform, context.shop)
    plans = []
    for name in _stores(context, only):
        rules, limits = _rules(context, name, policy)
        store = open_store(context.platform.store(name))
        _, found = plan_store(
            store, shop=context.shop.shop, policy=rules, limits=limits, now=datetime.now(UTC), trusted=trusted
        )
        plans += [(name, each) for each in found]
    return plans


def _apply(context: Context, only: str | None, share: float, *, trust_clock: bool) -> list[Applied]:
    from ecom_platform.backup.retention_apply import apply_retention
    from ecom_platform.backup.signing import ensure_signing_key
    from ecom_platform.backup.trust import trusted_signers
    from ecom_platform.clients.objects import open_store

    key = ensure_signing_key(context.platform.signing_key())
    applied: list[Applied] = []
    for name in _stores(context, only):
        rules, limits = _rules(context, name, None)
        applied += apply_retention(
            open_store(context.platform.store(name, removing=True)),
            shop=context.shop.shop,
            policy=rules,
            limits=replace(limits, share=share, trust_clock=trust_clock),
            key=key,
            by="ecom retention apply",
            progress=lambda text: click.echo(text, err=True),
            trusted=trusted_signers(context.platform, context.shop),
        )
    return applied


def _sweep(context: Context, store: str) -> None:
    """Sources whose database does not answer are left alone: somebody may be dumping them."""
    from ecom_platform.backup.lease import is_leased
    from ecom_platform.backup.retention_apply import sweep
    from ecom_platform.backup.signing import ensure_signing_key
    from ecom_platform.backup.trust import trusted_signers
    from ecom_platform.clients.objects import open_store
    from ecom_platform.clients.sql import connect

    databases = {f"database/{each.name}": each for each in context.shop.databases}

    def leased(source: str) -> bool:
        if source not in databases:
            return False
        try:
            with connect(context.platform.database(databases[source], "backup")) as connection:
                return is_leased(connection)
        except EcomError as error:
            click.echo(f"{store}: what is left of {source} is not swept: {error.seen}", err=True)
            return True

    try:
        ensure_signing_key(context.platform.signing_key())  # before trust: what removes trusts no stranger
        sweep(
            open_store(context.platform.store(store, removing=True)),
            shop=context.shop.shop,
            leased=leased,
            progress=lambda text: click.echo(text, err=True),
            trusted=trusted_signers(context.platform, context.shop),
        )
    except RefusedError as error:
        click.echo(f"{store}: nothing is swept: {error.seen}", err=True)


def _stores(context: Context, only: str | None) -> list[str]:
    names = list(context.shop.stores)
    if only is None:
        return names
    if only not in names:
        raise ConfigurationError(f"find the store {only}", f"the spec has {', '.join(names)}", "Name one of them.")
    return [only]


def _rules(context: Context, store: str, policy: IO[bytes] | None) -> tuple[Rules, Limits]:
    """The spec's rules, by kind of source; a policy that was given is that of all."""
    from ecom_platform.backup.retention_guard import Limits
    from ecom_platform.backup.retention_policy import Rules, read_policy, rules_of

    described = context.shop.stores[store]
    limits = Limits(lock=described.object_lock)
    if policy is None:
        return rules_of(described, store), limits
    policy.seek(0)
    return Rules(read_policy(_json(policy), policy.name)), limits


def _show(plans: list[tuple[str, Guarded]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_as_json(store, each) for store, each in plans]))
    else:
        for store, each in plans:
            _tell(store, each)
    if any(each.refused for _, each in plans):
        sys.exit(1)


def _as_json(store: str, plan: Guarded) -> dict[str, Any]:
    sides = {"keep": plan.keep, "remove": plan.remove}
    lists = {
        side: [{"id": entry.manifest.id, "reasons": list(reasons)} for entry, reasons in entries]
        for side, entries in sides.items()
    }
    return {"store": store, "source": plan.source, **lists, "refused": list(plan.refused)}


def _tell(store: str, plan: Guarded) -> None:
    click.echo(f"{store}, {plan.source}: {len(plan.keep)} kept, {len(plan.remove)} removed")
    for word, side in (("keep", plan.keep), ("remove", plan.remove)):
        for entry, reasons in side:
            click.echo(f"  {word:8}{entry.manifest.id}  {entry.status:8}  {', '.join(reasons)}")
    for refusal in plan.refused:
        click.echo(f"  refused: {refusal}")
