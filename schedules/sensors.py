"""The sensors: validate after every deploy, prove after every backup, tell people of every failed run."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg

from ecom_platform import policies
from ecom_platform.clients.notices import Throttle
from ecom_platform.resources import Notifier
from ecom_platform.spec import Shop
from jobs.table import UnresolvedJob

AFTER = (
    ("deploy", "validate"),
    ("backup", "verify_restore"),
    ("backup_folders", "verify_folders"),
    ("backup_configuration", "verify_configuration"),
    ("backup_complete", "verify_complete"),
    ("backup_velero", "verify_velero"),
)
"""When the first succeeded, the second is asked for, once per run: after a backup, of what it took."""


def build(shop: Shop, jobs: Mapping[str, UnresolvedJob], prefix: str) -> list[dg.SensorDefinition]:
    """The sensors of one shop; `jobs` are by their row names."""
    followed = [_follow(jobs[first], jobs[then]) for first, then in AFTER if first in jobs and then in jobs]
    return [*followed, _notice(shop, list(jobs.values()), prefix)]


def _follow(first: UnresolvedJob, then: UnresolvedJob) -> dg.SensorDefinition:
    # A run status sensor, not an asset sensor: that one fires on a materialisation although the run
    # failed its blocking checks.
    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name=f"{then.name}_after_{first.name}",
        monitored_jobs=[first],
        request_job=then,
        minimum_interval_seconds=policies.SENSOR_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Starts {then.name} after every successful {first.name}.",
    )
    def follow(context: dg.RunStatusSensorContext) -> dg.RunRequest:
        return dg.RunRequest(
            run_key=context.dagster_run.run_id,
            tags={"ecom/after": context.dagster_run.run_id},
            asset_selection=restores_of(context.instance, context.dagster_run.run_id),
        )

    return follow


def restores_of(instance: dg.DagsterInstance, run: str) -> list[dg.AssetKey] | None:
    """The proofs of the snapshots that a run took; None, which is everything, if it took none."""
    events = instance.all_logs(run, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    taken = {each.asset_materialization.asset_key for each in events if each.asset_materialization}
    proofs = [dg.AssetKey([key.path[0], "restores", key.path[2]]) for key in taken if key.path[1] == "backups"]
    return sorted(proofs) or None


def _notice(shop: Shop, jobs: list[UnresolvedJob], prefix: str) -> dg.SensorDefinition:
    # A failed blocking check fails its run, and every check here is blocking, so one sensor sees both.
    @dg.run_failure_sensor(
        name=f"{prefix}notice_of_failure",
        monitored_jobs=jobs,
        minimum_interval_seconds=policies.SENSOR_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells the targets of the spec's `notify` about every failed run and failed check.",
    )
    def notice(context: dg.RunFailureSensorContext, notifier: dg.ResourceParam[Notifier]) -> None:
        title, body = failure_notice(shop, context)
        tell_throttled(shop, context.instance, notifier, title, body, datetime.now(UTC))

    return notice


def tell_throttled(  # noqa: PLR0917  # what is told, by whom, when
    shop: Shop, instance: dg.DagsterInstance, notifier: Notifier, title: str, body: str, now: datetime
) -> None:
    """Tell of a failure, of the same one (its run apart) at most once in `notify.again`; the next notice says how
    often it was. Raises what the notifier raises; it is due again then.
    """
    causes, _, _ = body.rpartition("\n")
    name = hashlib.sha256(f"{title}\n{causes}".encode()).hexdigest()[:16]
    storage, key = instance.daemon_cursor_storage, f"ecom/notices/{shop.shop}"
    throttle = Throttle.from_json(storage.get_cursor_values({key}).get(key), shop.notify.again)
    if not throttle.due(name, now):
        storage.set_cursor_values({key: throttle.after_holding(name).to_json()})
        return
    kept = throttle.kept_back(name)
    notifier.tell(shop, title, f"{body}\nand {kept} times the same since the last notice" if kept else body)
    storage.set_cursor_values({key: throttle.after_sending(name, now).to_json()})


def failure_notice(shop: Shop, context: dg.RunFailureSensorContext) -> tuple[str, str]:
    """Title and text: which job of which shop failed, where, why, and the run to look at."""
    run = context.dagster_run
    causes = [f"{event.step_key}: {_cause(event)}" for event in context.get_step_failure_events()] or [
        context.failure_event.message or "no message"
    ]
    return f"{shop.shop}: {run.job_name} failed", "\n".join([*causes[:5], f"run {run.run_id}"])


def _cause(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data.user_failure_data
    return (failure.description if failure else None) or event.message or "no message"
