"""The job by which a person says that an alert is being looked at. The run is the record; it changes nothing else."""

import dagster as dg

from ecom_platform.errors import ConfigurationError
from ecom_platform.failures import as_dagster_failures
from ecom_platform.monitoring.platform_alerts import platform_alerts
from ecom_platform.spec import Shop
from ecom_platform.watch import OK_JOB, OK_OP


class Said(dg.Config):
    """alert: its name. by: who is at it."""

    alert: str
    by: str


def build_job(shop: Shop, *, prefix: str) -> dg.JobDefinition:
    """The job `alert_ok` of one shop: escalation of that alert stops, for as long as it lasts."""
    known = [each.name for each in platform_alerts(shop.thresholds)]

    @dg.op(name=f"{prefix}{OK_OP}")
    def note_ok(context: dg.OpExecutionContext, config: Said) -> None:
        with as_dagster_failures():
            if config.alert not in known or not config.by.strip():
                raise ConfigurationError(
                    f"say ok to the alert {config.alert!r}",
                    "nobody is named" if config.alert in known else f"alerts are {', '.join(known)}",
                )
        context.log.info("%s is at %s", config.by, config.alert)

    @dg.job(
        name=f"{prefix}{OK_JOB}",
        description=f"{shop.shop}: somebody is at an alert; nobody else needs to be told.",
        tags={"ecom/shop": shop.shop, "ecom/job": OK_JOB},
    )
    def alert_ok() -> None:
        note_ok()

    return alert_ok
