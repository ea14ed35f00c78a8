"""`ecom contacts`: who is called in a disaster, in the order of escalation."""

from __future__ import annotations

import json
import sys

import click

from ecom_platform.cli.context import Context


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def contacts(context: Context, *, as_json: bool) -> None:
    """Print the spec's contact matrix: who is called, when, and what for.

    Exit codes: 0 there is somebody, 3 the spec names nobody.

    Example: ecom contacts
    """
    called = sorted(context.shop.contacts, key=lambda each: each.after)
    if as_json:
        lines = [each.model_dump() | {"after": each.after.total_seconds()} for each in called]
        click.echo(json.dumps(lines, indent=2))
    for each in () if as_json else called:
        minutes = each.after.total_seconds() / 60
        when = f"after {minutes:g} min" if minutes else "at once"
        click.echo(f"{when:<14}{each.name:<24}{each.role:<32}{each.reach}")
    if not called:
        click.echo("the spec names nobody: add `contacts`, see docs/disaster-recovery.md", err=True)
    sys.exit(0 if called else 3)
