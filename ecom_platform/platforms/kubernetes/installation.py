"""The platform's own release in the cluster: Secrets, chart, rollouts, buckets, and where its webserver answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property

from ecom_platform.clients.buckets import Buckets
from ecom_platform.clients.helm import Helm
from ecom_platform.clients.kubernetes_api import Cluster
from ecom_platform.errors import ConfigurationError, DeadlineExceeded
from ecom_platform.platforms.kubernetes import inside, platform_secrets, rollout
from ecom_platform.platforms.kubernetes.names import (
    COMPONENT,
    DATABASE,
    LOAD_WORKER,
    PLATFORM_CHART,
    S3_PORT,
    SEAWEEDFS,
    WEBSERVER,
    WEBSERVER_PORT,
    WEBSERVER_TARGET,
    names_of,
    selector,
)
from ecom_platform.platforms.kubernetes.platform_values import platform_values
from ecom_platform.platforms.kubernetes.reach import Reach
from ecom_platform.platforms.kubernetes.release import GONE_SECONDS, digest_of, settled
from ecom_platform.platforms.local.seaweedfs import ADDER, bucket_name
from ecom_platform.platforms.protocol import StoreAccess
from ecom_platform.platforms.run_secrets import Use
from ecom_platform.secret_values import resolve
from ecom_platform.spec import Shop

START_SECONDS = 600.0
"""Dagster's processes import for a dozen seconds each, after their database and perhaps a pull of the image."""

RUNS = selector({"app.kubernetes.io/name": "dagster"})
_TRIED = "install the platform"


class Installation:
    """The platform's chart in its namespace, for a spec with a `platform_image`."""

    def __init__(self, shop: Shop, cluster: Cluster) -> None:
        self.shop = shop
        self.cluster = cluster
        self.names = names_of(shop)
        self.helm = Helm(self.names.platform_release, self.names.platform_namespace, self.names.context)

    @cached_property
    def reach(self) -> Reach:
        return Reach(self.cluster, self.names.platform_namespace)

    def ensure(self, recipients: tuple[str, ...], keys: Mapping[Use, Mapping[str, str]]) -> bool:
        """Secrets and the release as this spec and this chart have them; True if anything was new.

        Its namespace and the shop's are there. Does not wait for the pods.
        """
        values = platform_values(self.shop, inside.inside_spec(self.shop, recipients))
        inside.refuse_what_pods_lack(self.shop, keeps_state=self._keeps_state)
        platform_secrets.ensure(self.cluster, self.names, self.shop, keys)
        digest = f"chart {digest_of(PLATFORM_CHART)}"
        state = settled(self.helm)
        same = state is not None and state.status == "deployed" and state.description == digest
        if same and self.helm.values() == values:
            return False
        self.helm.upgrade(PLATFORM_CHART, values, description=digest)
        return True

    @property
    def _keeps_state(self) -> bool:
        state = self.shop.kubernetes.platform_values.get("state", {})
        return bool(state.get("persistence", {}).get("enabled"))

    def wait(self) -> None:
        """Until every part is rolled out and the managed stores have their buckets. Raises what `rollout` raises."""
        managed = {name: each for name, each in self.shop.stores.items() if each.managed}
        where = self.names.platform_namespace
        for component in (*((DATABASE,) if self._own_database else ()), *((SEAWEEDFS,) if managed else ())):
            labels, tried = selector(self.names.platform_labels(component)), f"{_TRIED}: {component}"
            rollout.wait_for_pod(self.cluster, where, labels, seconds=START_SECONDS, tried=tried)
        workers = (LOAD_WORKER,) if self.shop.load and self.shop.load.workers else ()
        for name in ("code-location", WEBSERVER, "daemon", *workers):
            tried = f"{_TRIED}: {name}"
            rollout.wait_for_deployment(self.cluster, where, name, seconds=START_SECONDS, tried=tried)
        if managed:
            self._make_buckets()

    @property
    def _own_database(self) -> bool:
        database = self.shop.kubernetes.platform_values.get("database", {})
        return not database.get("external", {}).get("enabled", False)

    def _make_buckets(self) -> None:
        """Ready is not yet writable: its status page answers seconds before it takes the first object."""
        buckets = Buckets(self.store("any", removing=True))
        deadline = time.monotonic() + START_SECONDS
        try:
            while not buckets.takes_writes():
                if time.monotonic() > deadline:
                    raise DeadlineExceeded("write into the managed store", f"not taken after {START_SECONDS:g} s")
                time.sleep(rollout.POLL_SECONDS)
            for name, store in self.shop.stores.items():
                if store.managed:
                    bucket = bucket_name(self.shop, name)
                    buckets.ensure(bucket, store.object_lock)
                    buckets.only_adds(bucket, ADDER)
        finally:
            buckets.close()

    def store(self, name: str, *, removing: bool) -> StoreAccess:
        """A managed store, by the chart's S3 server. Raises ConfigurationError in a pod that wants to remove."""
        if self.cluster.inside and removing:
            raise ConfigurationError(
                f"remove from the store {name}",
                "pods of runs can only add",
                "Apply retention from the operator's side.",
            )
        if self.cluster.inside:
            access, secret = (
                resolve(inside.mounted("stores", each), f"the store {name}")
                for each in (platform_secrets.ACCESS_KEY, platform_secrets.SECRET_KEY)
            )
        else:
            access, secret = platform_secrets.managed_keys(self.cluster, self.names, removing=removing)
        endpoint = f"http://{self.reach.service(SEAWEEDFS, S3_PORT, S3_PORT)}"
        return StoreAccess(name, f"s3://{bucket_name(self.shop, name)}", endpoint, access_key=access, secret_key=secret)

    def webserver(self) -> str | None:
        """Its address, or None when none is ready."""
        if not self.shop.kubernetes.platform_image or not self.reach.endpoints(WEBSERVER):
            return None
        return f"http://{self.reach.service(WEBSERVER, WEBSERVER_PORT, WEBSERVER_TARGET)}"

    def remove(self) -> None:
        """Uninstall, and end the runs that are at work. Volumes, Secrets and the namespace stay."""
        self.helm.uninstall(seconds=GONE_SECONDS)
        for each in self.cluster.list("jobs", self.names.platform_namespace, labels=RUNS):
            self.cluster.delete("jobs", each["metadata"]["name"], self.names.platform_namespace)
        rollout.wait_until_gone(
            self.cluster, self.names.platform_namespace, RUNS, seconds=GONE_SECONDS, tried="end the platform's runs"
        )

    def pods(self) -> list[dict[str, object]]:
        labels = selector({"app.kubernetes.io/name": "ecom-platform"})
        return self.cluster.list("pods", self.names.platform_namespace, labels=labels + f",{COMPONENT}")
