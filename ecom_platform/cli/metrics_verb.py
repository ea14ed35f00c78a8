"""`ecom metrics`: the platform's own metrics, once or for Prometheus to scrape."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ecom_platform.cli.context import Context
from ecom_platform.errors import ConfigurationError

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from ecom_platform.exporter import Facts
    from ecom_platform.watch import Watch


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Serve them at /metrics on this port until stopped.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve on.")
@click.option("--tell", is_flag=True, help="With --port: tell the spec's `notify` of alerts; one process at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def metrics(context: Context, port: int | None, host: str, *, tell: bool, as_json: bool) -> None:
    """Print what the platform exports for Prometheus: backups, drills, checks, schedules, the release.

    Exit codes: 0 everything could be read, 1 a part could not (`ecom_facts_read`), 2 usage or configuration.

    Example: ecom metrics --port 9464
    """
    from ecom_platform.clients.metrics_server import text_of
    from ecom_platform.exporter import collector
    from ecom_platform.watch import Watch

    with facts(context) as (found, instance):
        if port is not None:
            _serve(found, host, port, Watch(context.shop, found, instance) if tell else None)
            return
        samples = found.samples()
        if as_json:
            content = [{"name": each.name, "labels": dict(each.labels), "value": each.value} for each in samples]
            click.echo(json.dumps(content, indent=2))
        else:
            click.echo(text_of(collector(found)), nl=False)
    sys.exit(0 if all(each.value for each in samples if each.name == "ecom_facts_read") else 1)


@contextmanager
def facts(context: Context) -> Iterator[tuple[Facts, DagsterInstance]]:
    """The facts of the shop, and the instance that they are read from."""
    import dagster as dg

    from ecom_platform.exporter import facts_of

    own = os.environ.get("DAGSTER_HOME")
    if not own and context.shop.platform == "kubernetes" and context.shop.kubernetes.platform_image:
        where = context.shop.kubernetes.platform_namespace
        raise ConfigurationError(
            f"look at the platform of {context.shop.shop}",
            "it is operated from inside its cluster; what it recorded lies there",
            f"Ask its exporter: kubectl -n {where} port-forward service/metrics 9464, then its /metrics.",
        )
    home = None if own else str(context.platform.dagster_home())
    with dg.DagsterInstance.from_config(home) if home else dg.DagsterInstance.get() as instance:
        yield facts_of(context.shop, context.platform, instance, context.settings), instance


def _serve(found: Facts, host: str, port: int, watch: Watch | None) -> None:
    from ecom_platform.clients.metrics_server import serving
    from ecom_platform.exporter import collector
    from ecom_platform.watch import LOOK_SECONDS

    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    with serving(collector(found), host, port) as chosen:
        click.echo(f"metrics at http://{host}:{chosen}/metrics", err=True)
        while not ended.wait(LOOK_SECONDS if watch else None):
            if watch:
                watch.look()
