"""The drill `node-lost`: the node under the copy's database loses its power.

Kubernetes moves stateless pods by itself. It does not move the database's: a node that does not answer may still
write to the volume. So the node is fenced first, by the taint `out-of-service`, which says that it is known to be
without power; only then are its pods given up and the volume used elsewhere. How a node loses its power is said by the
spec (`drills.node`), because every cluster has a way of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ecom_platform.clients.commands import run as run_command
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.clients.supervisor import replace_text
from ecom_platform.errors import ConfigurationError, DeadlineExceeded
from ecom_platform.platforms.kubernetes import rollout
from ecom_platform.platforms.kubernetes.names import DATABASE, selector
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.recovery import probes
from ecom_platform.recovery.checks import NODE_LOST
from ecom_platform.recovery.copies import (
    ClusterSite,
    Progress,
    cluster_copy_of,
    cluster_site_of,
    make_copy,
    remove_cluster_copy,
)
from ecom_platform.recovery.course import Back, Plan, Verdicts, follow
from ecom_platform.recovery.record import DrillRecord
from ecom_platform.recovery.rehearsal import Rehearsal, rehearsing
from ecom_platform.spec import NodeLoss, Shop
from ecom_platform.verdicts import equal, holds

OUT_OF_SERVICE = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
DEAD_SECONDS = 300.0
"""A node is called dead after its lease ran out: 40 to 50 s as clusters come."""

MOVED_SECONDS = 600.0
"""The volume is attached elsewhere, the server reads its log: a minute or two; clouds take longer to detach."""

COMMAND_SECONDS = 300.0
FAILED = "failed-node"
"""The file with the node's name, written before its power is cut."""


def run(live: Platform, shop: Shop, variant: str, progress: Progress) -> tuple[Findings, DrillRecord]:
    """Verdicts for checks.NODE_CHECKS and the record."""
    copied = cluster_copy_of(shop)
    with rehearsing(live.drills(), NODE_LOST, variant, remove=remove(shop), progress=progress) as rehearsal:
        site = cluster_site_of(copied, rehearsal.folder)
        with rehearsal.watch.phase("preparation"):
            make_copy(live, shop, site, rehearsal.progress)
        found, record = follow(_plan(site, _commands(shop), rehearsal), rehearsal)
    return Findings({**found, "cleaned_up": [rehearsal.left()]}), record


def remove(shop: Shop) -> Callable[[Path], None]:
    """Gives a failed node its power back, lifts its fence, and removes the copy."""
    copied = cluster_copy_of(shop)

    def all_of(folder: Path) -> None:
        if (folder / FAILED).exists():
            node = (folder / FAILED).read_text(encoding="utf-8").strip()
            _revive(cluster_site_of(copied, folder).platform.cluster, _commands(shop), node)
        remove_cluster_copy(copied)(folder)

    return all_of


def _commands(shop: Shop) -> NodeLoss:
    if shop.drills.node is None:
        raise ConfigurationError(
            f"rehearse {NODE_LOST}", "the spec does not say how a node loses its power", "Write `drills.node`."
        )
    return shop.drills.node


def _plan(site: ClusterSite, commands: NodeLoss, rehearsal: Rehearsal) -> Plan:
    cluster, node = site.platform.cluster, _node_of(_database_pods(site)[0])
    address = site.platform.address(site.shop.front_door, "active")

    def lose() -> None:
        replace_text(rehearsal.folder / FAILED, node + "\n")
        rehearsal.progress(f"{node} loses its power")
        _command(commands.fail, node)

    def recover() -> Back:
        began = time.monotonic()
        _wait(lambda: not _ready(cluster, node), DEAD_SECONDS, f"see {node} dead", rehearsal)
        elsewhere = [each for each in _database_pods(site) if _node_of(each) != node]
        rehearsal.progress(f"{node} is dead; fencing it")
        _taint(cluster, node, out=True)
        _wait(lambda: _whole_without(site, node), MOVED_SECONDS, "see the whole shop on other nodes", rehearsal)
        nodes = {_node_of(each) for each in _database_pods(site) if rollout.ready(each)}
        verdicts: Verdicts = {
            "fenced": [equal("database pods on other nodes before the fence", 0, len(elsewhere))],
            "recovered": [
                holds("the database runs on another node", nodes and node not in nodes, ", ".join(sorted(nodes))),
                holds("every service runs whole on other nodes", _whole_without(site, node), "seen"),
            ],
        }
        return Back(began, time.monotonic(), verdicts, {"node": node})

    def afterwards() -> Verdicts:
        _revive(cluster, commands, node)
        (rehearsal.folder / FAILED).unlink()
        _wait(lambda: _ready(cluster, node), DEAD_SECONDS, f"see {node} again", rehearsal)
        fence = [each["key"] for each in _taints(cluster, node) if each["key"] == OUT_OF_SERVICE["key"]]
        return {"node_back": [holds(f"{node} is ready and not fenced", not fence, ", ".join(fence) or "ready")]}

    return Plan(
        drill=NODE_LOST,
        variant=rehearsal.variant,
        budget_seconds=site.shop.databases[0].rto.total_seconds(),
        loss_seconds=0.0,
        save=lambda: None,
        fault=lose,
        eyes=lambda: [lambda: probes.answers(address, site.shop.front_door)],
        recover=recover,
        shop=lambda: (site.platform, site.shop),
        keeps_all=True,
        afterwards=afterwards,
    )


def _command(argv: tuple[str, ...], node: str) -> None:
    run_command([each.replace("{node}", node) for each in argv], timeout=COMMAND_SECONDS, check=True)


def _revive(cluster: Cluster, commands: NodeLoss, node: str) -> None:
    _command(commands.revive, node)
    _taint(cluster, node, out=False)


def _wait(seen: Callable[[], bool], seconds: float, what: str, rehearsal: Rehearsal) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        rehearsal.refuse_aborted()
        if time.monotonic() > deadline:
            raise DeadlineExceeded(what, f"not within {seconds:g} s", "Look with `kubectl get nodes,pods -A -o wide`.")
        time.sleep(rollout.POLL_SECONDS)


def _database_pods(site: ClusterSite) -> list[Object]:
    names = site.platform.names
    return site.platform.cluster.list("pods", names.namespace, labels=selector(names.labels(DATABASE)))


def _node_of(pod: Object) -> str:
    return str(pod["spec"].get("nodeName") or "")


def _whole_without(site: ClusterSite, node: str) -> bool:
    """The database and every instance of the live services are ready on other nodes."""
    wanted = [(_database_pods(site), 1)]
    wanted += [
        (site.platform.pods(each, site.platform.live_colour(each) or "blue"), each.replicas)
        for each in site.shop.services
    ]
    return all(sum(rollout.ready(each) and _node_of(each) != node for each in pods) >= least for pods, least in wanted)


def _ready(cluster: Cluster, node: str) -> bool:
    conditions = cluster.read("nodes", node)["status"].get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _taints(cluster: Cluster, node: str) -> list[Object]:
    return list(cluster.read("nodes", node)["spec"].get("taints") or [])


def _taint(cluster: Cluster, node: str, *, out: bool) -> None:
    others = [each for each in _taints(cluster, node) if each["key"] != OUT_OF_SERVICE["key"]]
    cluster.patch("nodes", node, {"spec": {"taints": [*others, *([OUT_OF_SERVICE] if out else [])]}})
