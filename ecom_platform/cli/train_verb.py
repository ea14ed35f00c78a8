"""`ecom train`: exercises that run; thin, the scenes and their judges are in ecom_platform/training.

No runs: a training is no evidence of the shop, so nothing of it is in the lineage.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from ecom_platform.cli.context import Context
from ecom_platform.training.modules import MODULES, Module
from ecom_platform.verdicts import worst

if TYPE_CHECKING:
    from ecom_platform.training.scene import Scene


@click.command()
@click.argument("module", type=click.Choice(list(MODULES)), required=False)
@click.argument("action", type=click.Choice(["start", "check", "end"]), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (the list, and check).")
@click.pass_obj
def train(context: Context, *, module: str | None, action: str | None, as_json: bool) -> None:
    """Learn by doing: a scene is set, you act in another terminal, the state of the world is judged.

    Without MODULE the modules are listed; without an action the task is shown again. `start` sets the scene
    (on copies and files of its own: the shop itself is only read), `check` judges as often as you like,
    `end` removes everything, also after a kill.

    Exit codes of check: 0 it is as it should be, 1 not yet, 2 no scene or configuration, 3 inconclusive.

    Example: ecom train disaster-recovery start
    """
    if module is None:
        _list(context, as_json=as_json)
        return
    one = MODULES[module]
    scene = _scene(context, one)
    if action == "check":
        sys.exit(_check(context, one, scene, as_json=as_json))
    if action == "end":
        scene.end(partial(one.driver().remove, context.shop))
        click.echo(f"{module}: nothing of it is left")
        return
    if action == "start":
        driver = one.driver()
        scene.start(
            lambda folder: driver.build(context.platform, context.shop, folder, partial(click.echo, err=True)),
            partial(driver.remove, context.shop),
        )
    click.echo(one.driver().task(context.shop, scene.folder, scene.facts()))
    click.echo(f"\nThen: ecom train {module} check, as often as you like; ecom train {module} end removes it all.")


def _scene(context: Context, module: Module) -> Scene:
    from ecom_platform.platforms.local.layout import make_enterable
    from ecom_platform.training.scene import Scene

    trainings = make_enterable(context.platform.drills().parent / "training")
    return Scene(module.name, trainings / module.name)


def _list(context: Context, *, as_json: bool) -> None:
    found = [each.as_dict() | {"set": _scene(context, each).is_set} for each in MODULES.values()]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for each in found:
        state = "its scene is set" if each["set"] else ""
        cells = (
            f"{each['name']:<20} {each['title']:<30} {each['duration']:<8} {each['audience']:<17} {each['form']:<20}"
        )
        click.echo(f"{cells} {state}".rstrip())


def _check(context: Context, module: Module, scene: Scene, *, as_json: bool) -> int:
    verdicts = module.driver().look(context.shop, scene.folder, scene.facts())
    outcome = worst(verdicts)
    if as_json:
        click.echo(json.dumps({"outcome": outcome.value, "verdicts": [each.as_dict() for each in verdicts]}, indent=2))
    else:
        for each in verdicts:
            click.echo(f"{each.outcome:<12}  {each.claim}: {each.seen}")
        click.echo(f"{module.name}: {outcome}")
    return outcome.exit_code
