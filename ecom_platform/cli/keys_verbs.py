"""`ecom keys`: who can open which backup; thin, the work is in backup/keyring.py and in a run."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from ecom_platform.cli.context import Context
from ecom_platform.cli.runs import run_job
from ecom_platform.errors import ConfigurationError


@click.group()
def keys() -> None:
    """Who can open the backups: list, add and rotate keys, and write the private ones into a safe.

    A backup opens with the keys that were recipients when it was made. Adding and rotating hold for
    new backups; old ones are not encrypted anew, so keep the old private keys while they are kept.

    Example: ecom keys list --json
    """


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_verb(context: Context, *, as_json: bool) -> None:
    """Show the recipients of new backups, and which keys open which snapshot.

    Exit codes: 0 shown, 1 a store could not be read.

    Example: ecom keys list
    """
    from ecom_platform.backup.encryption import Identities

    ring = context.platform.keyring()
    entries, private = ring.entries(), ring.identities()
    here = set(Identities("\n".join(private)).recipients) if private else set[str]()
    recipients = [
        {
            "recipient": each.public,
            "origin": each.origin,
            "since": each.since.isoformat() if each.since else None,
            "private_key_here": each.public in here,
        }
        for each in entries
    ]
    snapshots = _snapshots(context, here)
    if as_json:
        click.echo(json.dumps({"recipients": recipients, "snapshots": snapshots}, indent=2))
    else:
        _print(recipients, snapshots)


@keys.command("add")
@click.argument("recipient")
@click.pass_obj
def add_verb(context: Context, *, recipient: str) -> None:
    """Let RECIPIENT, an age or SSH public key, open new backups too.

    Exit codes: 0 added, 1 failed, 2 it is no public key or is there already.

    Example: ecom keys add age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
    """
    from ecom_platform.backup.encryption import check_recipients

    check_recipients([recipient])  # at once, and not by a failed run
    if recipient in context.platform.keyring().recipients():
        raise ConfigurationError(f"add the recipient {recipient}", "it can open new backups already")
    sys.exit(_change(context, {"action": "add", "recipient": recipient}))


@keys.command("rotate")
@click.pass_obj
def rotate_verb(context: Context) -> None:
    """Make a new managed key for new backups; the old private key stays for the old ones.

    Exit codes: 0 rotated, 1 failed, 2 the spec names its recipients itself.

    Example: ecom keys rotate && ecom keys escrow /media/stick/backup-keys.txt
    """
    if not context.shop.encryption.managed:
        raise ConfigurationError(
            "rotate the key", "the spec names its recipients itself", "Write the new one into the spec."
        )
    code = _change(context, {"action": "rotate"})
    if code == 0:
        click.echo("Write the new key into your safe now: ecom keys escrow FILE", err=True)
    sys.exit(code)


@keys.command("escrow")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def escrow_verb(context: Context, *, file: Path) -> None:
    """Write the private keys to FILE (new, mode 600), with words what to do with them.

    Exit codes: 0 written, 2 there is no private key here, or FILE is there already.

    Example: ecom keys escrow /media/stick/backup-keys.txt
    """
    from ecom_platform.backup.escrow import escrow_text, write_escrow
    from ecom_platform.backup.trust import trusted_signers

    platform, place = context.platform, file.resolve()
    stores = {name: platform.store(name) for name in context.shop.stores}
    signers = trusted_signers(platform, context.shop) or ()
    write_escrow(place, escrow_text(context.shop, platform.identities(), stores, place, signers))
    click.echo(f"{place}: whoever has it reads every backup; carry it away from this machine", err=True)


def _change(context: Context, config: dict[str, str]) -> int:
    return run_job(context, "change_keys", config={"ops": {"change_recipients": {"config": config}}})


def _snapshots(context: Context, here: set[str]) -> list[dict[str, Any]]:
    from ecom_platform.backup.catalogue_reading import read_catalogue
    from ecom_platform.backup.trust import trusted_signers
    from ecom_platform.clients.objects import open_store
    from ecom_platform.errors import MissingError

    trusted = trusted_signers(context.platform, context.shop)

    found: list[dict[str, Any]] = []
    for name in context.shop.stores:
        try:
            store = open_store(context.platform.store(name))
            entries = read_catalogue(store, shop=context.shop.shop, trusted=trusted).of(None)
        except MissingError:
            continue  # a folder that nobody has written to yet
        for each in entries:
            opened_by = list(each.manifest.recipients)
            line = {"store": name, "source": each.manifest.source, "id": each.manifest.id, "recipients": opened_by}
            found.append(line | {"opens_here": bool(here & set(opened_by))})
    return found


def _print(recipients: list[dict[str, Any]], snapshots: list[dict[str, Any]]) -> None:
    click.echo("new backups open with")
    for each in recipients:
        private = "private key here" if each["private_key_here"] else ""
        click.echo(f"  {each['recipient']}  {each['origin']:8}{each['since'] or '':26}{private}".rstrip())
    by_keys: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for each in snapshots:
        by_keys[tuple(each["recipients"])].append(each["id"])
    for opened_by, ids in by_keys.items():
        known = sorted(set(ids))
        click.echo(f"{len(known)} snapshots, {known[0]} to {known[-1]}, open with")
        for public in opened_by:
            click.echo(f"  {public}")
