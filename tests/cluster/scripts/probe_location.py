"""A code location for the cluster's tests: runs that tell what they are, and one that is given the identity."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import dagster as dg

from schedules import lost_retries

FACTS = Path(__file__).with_name("facts.sh")
STARTED = time.monotonic()
IDENTITY = Path("/run/secrets/ecom/identity")
GIVE_IDENTITY: dict[str, Any] = {
    "pod_spec_config": {"volumes": [{"name": "identity", "secret": {"secret_name": "ecom-identity"}}]},
    "container_config": {
        "volume_mounts": [{"name": "identity", "mount_path": str(IDENTITY), "read_only": True}],
    },
}


@dg.asset
def inside() -> dg.MaterializeResult[None]:
    """What this run's pod may do, and which secrets it sees."""
    facts = subprocess.run(["sh", str(FACTS)], capture_output=True, text=True, check=True, timeout=30).stdout
    secrets = sorted(str(each) for each in Path("/run/secrets/ecom").glob("*/*") if not each.name.startswith("."))
    environment = {key: os.environ[key] for key in ("ECOM_SPEC", "ECOM_ENVIRONMENT", "ECOM_STATE")}
    seen = {
        "facts": facts,
        "secrets": secrets,
        "environment": environment,
        "spec": Path("/etc/ecom/shop.yaml").exists(),
    }
    return dg.MaterializeResult(metadata={"seen": dg.MetadataValue.text(json.dumps(seen))})


@dg.asset
def endures(context: dg.AssetExecutionContext) -> None:
    """Works for a minute; as the second attempt of a run it is done at once."""
    context.log.info("at work")
    while "dagster/parent_run_id" not in context.run.tags and time.monotonic() < STARTED + 60:
        time.sleep(0.1)


@dg.asset
def hungry(context: dg.AssetExecutionContext) -> None:
    """Takes memory until there is no more."""
    context.log.info("at work")
    taken = []
    while True:
        taken.append(b"x" * 10_000_000)


@dg.asset
def overflows(context: dg.AssetExecutionContext) -> None:
    """Writes more temporary files than its pod may have, and works on; as the second attempt it is done at once."""
    context.log.info("at work")
    if "dagster/parent_run_id" not in context.run.tags:
        with Path("/tmp/much").open("wb") as file:
            for _ in range(100):
                file.write(b"x" * 1_000_000)
        time.sleep(180)  # the kubelet looks each ten seconds or so, and ends it


@dg.asset(pool="one_at_a_time")
def fails() -> None:
    raise dg.Failure("this run fails on purpose", allow_retries=False)


@dg.asset_check(asset=inside, blocking=True)
def the_identity_is_there_only_for_restores(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    wanted = context.run.tags.get("probe/identity") == "yes"
    return dg.AssetCheckResult(passed=(IDENTITY / "identity").exists() == wanted)


dump = dg.define_asset_job("dump", selection=dg.AssetSelection.assets(inside))
restore = dg.define_asset_job(
    "restore",
    selection=dg.AssetSelection.assets(inside),
    tags={"dagster-k8s/config": GIVE_IDENTITY, "probe/identity": "yes"},
)
failing = dg.define_asset_job("failing", selection=dg.AssetSelection.assets(fails))
enduring = dg.define_asset_job(
    "enduring", selection=dg.AssetSelection.assets(endures), tags={"dagster/max_retries": "1"}
)
overflowing = dg.define_asset_job(
    "overflowing", selection=dg.AssetSelection.assets(overflows), tags={"dagster/max_retries": "1"}
)
starving = dg.define_asset_job(
    "starving",
    selection=dg.AssetSelection.assets(hungry),
    tags={"dagster-k8s/config": {"container_config": {"resources": {"limits": {"cpu": "1", "memory": "600Mi"}}}}},
)
defs = dg.Definitions(
    assets=[inside, fails, endures, hungry, overflows],
    asset_checks=[the_identity_is_there_only_for_restores],
    jobs=[dump, restore, failing, enduring, overflowing, starving],
    sensors=[lost_retries.build({"enduring", "overflowing"}, "")],
    executor=dg.in_process_executor,
)
