"""The matrix of both charts: every kind of pod, and which pairs (source, target, port) pass. All others do not."""

from __future__ import annotations

from tests.charts.walls import Pod

SHOP, PLATFORM, OUTSIDE = "shop", "platform", "outside"
"""Namespaces by role; their real names are the caller's."""

HTTP, POSTGRESQL, WEBSERVER, GRPC, S3, METRICS, LOAD = 8080, 5432, 3000, 4000, 8333, 9464, 9470
PORTS = (HTTP, POSTGRESQL, WEBSERVER, GRPC, S3, METRICS, LOAD)

_SHOP = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": "shop"}
_OURS = {"app.kubernetes.io/name": "ecom-platform", "app.kubernetes.io/instance": "platform"}
_RUN = {"app.kubernetes.io/name": "dagster", "app.kubernetes.io/component": "run_worker", "ecom/component": "run"}


def _service(name: str, colour: str) -> dict[str, str]:
    return {**_SHOP, "app.kubernetes.io/component": name, "ecom/colour": colour}


KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "frontend-blue": (SHOP, _service("frontend", "blue")),
    "frontend-green": (SHOP, _service("frontend", "green")),
    "backend-blue": (SHOP, _service("backend", "blue")),
    "backend-green": (SHOP, _service("backend", "green")),
    "database": (SHOP, {**_SHOP, "app.kubernetes.io/component": "database"}),
    "migration": (SHOP, {**_SHOP, "app.kubernetes.io/component": "migration"}),
    "stranger-in-shop": (SHOP, {"app.kubernetes.io/name": "stranger"}),
    "webserver": (PLATFORM, {**_OURS, "app.kubernetes.io/component": "webserver"}),
    "daemon": (PLATFORM, {**_OURS, "app.kubernetes.io/component": "daemon"}),
    "code-location": (PLATFORM, {**_OURS, "app.kubernetes.io/component": "code-location"}),
    "metrics": (PLATFORM, {**_OURS, "app.kubernetes.io/component": "metrics"}),
    "run": (PLATFORM, {**_RUN, "ecom/shop-access": "yes"}),
    "load-worker": (PLATFORM, {**_OURS, "app.kubernetes.io/component": "load-worker", "ecom/shop-access": "yes"}),
    "dagster-database": (PLATFORM, {**_OURS, "app.kubernetes.io/component": "database"}),
    "seaweedfs": (PLATFORM, {**_OURS, "app.kubernetes.io/component": "seaweedfs"}),
    "stranger-in-platform": (PLATFORM, {"app.kubernetes.io/name": "stranger"}),
    "client": (OUTSIDE, {"role": "client"}),
    "stranger-outside": (OUTSIDE, {"role": "stranger"}),
}
"""Each kind of pod: its namespace and the labels that policies see."""

PASSES: frozenset[tuple[str, str, int]] = frozenset(
    [
        (source, f"frontend-{colour}", HTTP)
        for source in ("client", "run", "load-worker")
        for colour in ("blue", "green")
    ]
    + [(f"frontend-{colour}", f"backend-{colour}", HTTP) for colour in ("blue", "green")]
    + [(source, f"backend-{colour}", HTTP) for source in ("run", "load-worker") for colour in ("blue", "green")]
    + [("run", "load-worker", LOAD)]
    + [(source, "database", POSTGRESQL) for source in ("backend-blue", "backend-green", "migration", "run")]
    + [
        (source, "dagster-database", POSTGRESQL)
        for source in ("webserver", "daemon", "code-location", "metrics", "run")
    ]
    + [(source, "code-location", GRPC) for source in ("webserver", "daemon")]
    + [("client", "webserver", WEBSERVER), ("run", "seaweedfs", S3)]
    + [("client", "metrics", METRICS), ("metrics", "seaweedfs", S3)]
)


def shop_sets(namespaces: dict[str, str]) -> tuple[str, ...]:
    """--set arguments of the shop's chart that name the namespaces of the matrix."""
    return (
        *_client("networkPolicies.clients", namespaces),
        f"networkPolicies.platform.namespace={namespaces[PLATFORM]}",
    )


def platform_sets(namespaces: dict[str, str]) -> tuple[str, ...]:
    """--set arguments of the platform's chart that name the namespaces of the matrix."""
    walls = (*_client("webserver.clients", namespaces), *_client("networkPolicies.monitoring", namespaces))
    return (*walls, f"shop.namespace={namespaces[SHOP]}", "loadWorkers.replicas=1")


def _client(path: str, namespaces: dict[str, str]) -> tuple[str, str]:
    return (
        f"{path}[0].namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name={namespaces[OUTSIDE]}",
        f"{path}[0].podSelector.matchLabels.role=client",
    )


def pods(namespaces: dict[str, str]) -> dict[str, Pod]:
    """The matrix's pods in namespaces of these real names."""
    return {
        kind: Pod(namespaces[where], labels, {"kubernetes.io/metadata.name": namespaces[where]})
        for kind, (where, labels) in KINDS.items()
    }
