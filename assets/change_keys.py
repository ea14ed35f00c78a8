"""An op beside stage 3: who can open new backups. It makes no asset; the run is the record of the change."""

from typing import Literal

import dagster as dg

from ecom_platform.failures import as_dagster_failures
from ecom_platform.resources import Platforms
from ecom_platform.spec import Shop

NAME = "change_keys"
OP = "change_recipients"


class Change(dg.Config):
    """action: `add` the recipient, a public key; or `rotate` the managed key."""

    action: Literal["add", "rotate"]
    recipient: str = ""


def build_job(shop: Shop, *, prefix: str) -> dg.JobDefinition:
    """The job `change_keys` of one shop."""

    @dg.op(name=f"{prefix}{OP}")
    def change_recipients(
        context: dg.OpExecutionContext, config: Change, platforms: dg.ResourceParam[Platforms]
    ) -> None:
        with as_dagster_failures():
            ring = platforms.of(shop).keyring()
            before = ring.recipients()
            if config.action == "add":
                ring.add(config.recipient)
            else:
                ring.rotate()
            after = ring.recipients()
        context.log.info("new backups open with %s", ", ".join(after))
        context.add_output_metadata({"before": list(before), "after": list(after)})

    @dg.job(
        name=f"{prefix}{NAME}",
        description=f"{shop.shop}: add a recipient of new backups, or rotate the managed key.",
        tags={"ecom/shop": shop.shop, "ecom/job": NAME},
    )
    def changing() -> None:
        change_recipients()

    return changing
