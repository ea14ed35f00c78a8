"""`ecom report`: write the page of evidence from what the instance recorded, and show it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from ecom_platform.cli.context import Context
from ecom_platform.cli.runs import running_webserver
from ecom_platform.spec import Stage


@click.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Also write the page there.")
@click.pass_obj
def report(context: Context, *, output: Path | None) -> None:
    """Write the page of evidence and print its table.

    Exit codes: 0 every claim holds, 1 one is false, 3 something is not proved.

    Example: ecom report --output evidence.html
    """
    sys.exit(show_report(context, output))


def show_report(context: Context, output: Path | None = None, *, unjudged: tuple[Stage, ...] = ()) -> int:
    """Write and print the evidence; the exit code is the page's outcome.

    unjudged: stages that the caller did not run. They do not decide here; what was seen of them before stands on
    the page, and one of which nothing was ever seen is named there as left out.
    """
    import dagster as dg
    from rich.console import Console

    from ecom_platform.definitions import stage_assets
    from ecom_platform.evidence_log import gather, write_page
    from ecom_platform.report.terminal import show

    with dg.DagsterInstance.from_config(str(context.platform.dagster_home())) as instance:
        stages = stage_assets(context.shop)
        earlier = [each for stage, built in stages.items() if stage != "reports" for each in built]
        page = gather(instance, context.shop, earlier, context.platform, running_webserver(context) or "")
    seen = {each.stage for each in page.evidence}
    absent = tuple(each for each in unjudged if each in page.stages and each not in seen)
    stages_shown = [each for each in page.stages if each not in absent]
    page = replace(page, stages=stages_shown, left_out=(*page.left_out, *absent))
    path = write_page(page, context.platform.reports())
    if output:
        output.write_bytes(path.read_bytes())
    show(page, Console())
    click.echo(f"page  {output or path}")
    judged = replace(page, stages=[each for each in page.stages if each not in unjudged])
    return judged.outcome.exit_code
