"""Tries every path between the shop's parts, the platform and strangers: what must pass passes, the rest does not.

From throw-away pods that carry the labels of each part, so that the same policies hold for them, to the real
ones. They never become ready, so no Service leads people to them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from ecom_platform.clients.commands import run
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.clients.listener import listening, own_address
from ecom_platform.errors import EcomError
from ecom_platform.platforms.kubernetes.names import DATABASE, DATABASE_PORT, HTTP_PORT, SHOP_ACCESS, Names, selector
from ecom_platform.platforms.kubernetes.pods import TemporaryPod, running
from ecom_platform.platforms.kubernetes.rollout import only_pod
from ecom_platform.platforms.protocol import Colour
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive, passed

CHECKS = {
    "walled_off": "each part reaches what it needs and nothing else, names are resolved; seen by trying every pair",
}

STRANGER_PORT = 8080
WAIT_SECONDS = 2.0
"""For one connection. Inside a cluster one that passes takes milliseconds; a policy drops the others."""

TRIES = 3
"""A path that must pass is tried again: a policy reaches a new pod a moment after its start."""

# Argument: JSON {name: [host, port, tries]}. Prints JSON {name: "open" | "timeout" | the error}.
_PROBE = """
import json, socket, sys, time
from concurrent.futures import ThreadPoolExecutor
targets, seconds = json.loads(sys.argv[1]), float(sys.argv[2])
def once(host, port):
    try:
        if port:
            socket.create_connection((host, port), timeout=seconds).close()
        else:
            socket.getaddrinfo(host, 80)
        return "open"
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return str(error)
def probe(target):
    host, port, tries = target
    for left in range(tries - 1, -1, -1):
        seen = once(host, port)
        if seen == "open" or not left:
            return seen
        time.sleep(0.5)
with ThreadPoolExecutor(16) as together:
    print(json.dumps(dict(zip(targets, together.map(probe, targets.values())))))
"""
_LISTEN = f"""
import socket
server = socket.create_server(("0.0.0.0", {STRANGER_PORT}))
while True:
    server.accept()[0].close()
"""

ALLOWED = frozenset(
    {
        ("frontend", "backend"),
        ("backend", "database"),
        ("migration", "database"),
        ("platform", "frontend"),
        ("platform", "backend"),
        ("platform", "database"),
    }
)
"""What may call what, as the guide's picture shows it; every other pair must time out."""

NOT_OURS = frozenset({("platform", "api-server"), ("outsider", "api-server")})
"""The platform's runs speak to the API server; another namespace is not this shop's to wall off."""

RESOLVES = frozenset({"frontend", "backend", "migration"})
"""Parts that look names up. The database calls nobody."""

NOT_SHOP = ("platform", "stranger", "outsider")
SHOP_PARTS = ("frontend", "backend", "database", "migration")


@dataclass(frozen=True)
class Target:
    """name: of the part. host, port: where it listens."""

    name: str
    host: str
    port: int


def walled_off(
    cluster: Cluster, names: Names, colour: Colour, image: str, stranger_namespace: str | None
) -> list[Verdict]:
    """The matrix for the parts of one colour. image: has python3. stranger_namespace: where the outsider's pod may
    be made; None leaves the outsider out.

    In a pod of the platform this pod itself is the platform's part. An error of the probes themselves is
    inconclusive.
    """
    try:
        with running(cluster, _sources(cluster, names, colour, image, stranger_namespace)) as pods, _platform(cluster):
            targets = _targets(cluster, names, colour, pods)
            sources = [*pods, *(("platform",) if cluster.inside else ())]
            with ThreadPoolExecutor(max_workers=4) as together:
                answers = together.map(lambda key: _probe(cluster, key, pods.get(key), targets), sources)
                seen = dict(zip(sources, answers, strict=True))
    except EcomError as error:
        return [inconclusive("the network can be probed", str(error))]
    return judge(seen, targets)


def _platform(cluster: Cluster) -> AbstractContextManager[object]:
    """This pod listens, as the throw-away ones do, where it is the platform's."""
    return listening(STRANGER_PORT) if cluster.inside else nullcontext()


def _sources(
    cluster: Cluster, names: Names, colour: Colour, image: str, elsewhere: str | None
) -> dict[str, TemporaryPod]:
    def pod(name: str, namespace: str, labels: Mapping[str, str]) -> TemporaryPod:
        return TemporaryPod(f"probe-{name}", namespace, image, ("python3", "-c", _LISTEN), labels)

    of_shop = {
        each: pod(each, names.namespace, names.labels(each, colour if each in ("frontend", "backend") else None))
        for each in SHOP_PARTS
    }
    found = {**of_shop, "stranger": pod("stranger", names.namespace, {})}
    if not cluster.inside:
        found["platform"] = pod("platform", names.platform_namespace, SHOP_ACCESS)
    if elsewhere is not None:
        found["outsider"] = pod("outsider", elsewhere, {})
    return found


def _targets(cluster: Cluster, names: Names, colour: Colour, pods: Mapping[str, Object]) -> list[Target]:
    def real(component: str, colour: Colour | None, port: int) -> Target:
        labels = selector(names.labels(component, colour))
        where = names.database_namespace if component == DATABASE else names.namespace
        found = cluster.list("pods", where, labels=labels)
        return Target(component, only_pod(found, component)["status"]["podIP"], port)

    return [
        real("frontend", colour, HTTP_PORT),
        real("backend", colour, HTTP_PORT),
        real(DATABASE, None, DATABASE_PORT),
        *(Target(each, pods[each]["status"]["podIP"], STRANGER_PORT) for each in NOT_SHOP if each in pods),
        *((Target("platform", own_address(), STRANGER_PORT),) if cluster.inside else ()),
        Target("api-server", _api_server(cluster), 443),
    ]


def _api_server(cluster: Cluster) -> str:
    """Under which address pods find it."""
    if cluster.inside:
        return os.environ["KUBERNETES_SERVICE_HOST"]
    return str(cluster.read("services", "kubernetes", "default")["spec"]["clusterIP"])


def _probe(cluster: Cluster, source: str, pod: Object | None, targets: list[Target]) -> dict[str, str]:
    """What each target answered this source; DNS under its own name, and `self` as the control. pod: None is this
    one.
    """
    wanted: dict[str, tuple[str, int, int]] = {
        each.name: (each.host, each.port, TRIES if (source, each.name) in ALLOWED else 1)
        for each in targets
        if each.name != source
    }
    if source in SHOP_PARTS or source == "stranger":
        wanted["dns"] = ("kubernetes.default.svc", 0, TRIES if source in RESOLVES else 1)
    wanted["self"] = (pod["status"]["podIP"] if pod else own_address(), STRANGER_PORT, TRIES)
    # The resolver's own patience is 5 s for each server, domain and family, twice.
    command = [
        "env",
        "RES_OPTIONS=timeout:1 attempts:1",
        "python3",
        "-c",
        _PROBE,
        json.dumps(wanted),
        str(WAIT_SECONDS),
    ]
    if pod is None:
        done = run(command, timeout=60, check=False)
    else:
        done = cluster.execute(pod["metadata"]["name"], pod["metadata"]["namespace"], command, timeout=60)
    try:
        content = json.loads(done.stdout)
    except ValueError:
        return {"self": f"exit code {done.code}: {done.stderr.strip()[-300:]}"}
    return {str(name): str(value) for name, value in content.items()}


def judge(seen: Mapping[str, Mapping[str, str]], targets: list[Target]) -> list[Verdict]:
    """A verdict for every pair. A pair that must not pass counts only when its target was seen to listen."""
    listening = {name for answers in seen.values() for name, answer in answers.items() if answer == "open"}
    listening |= {source for source, answers in seen.items() if answers.get("self") == "open"}
    verdicts = []
    for source, answers in seen.items():
        judged = [each for each in targets if each.name != source and (source, each.name) not in NOT_OURS]
        verdicts += [_pair(source, each, answers.get(each.name), each.name in listening) for each in judged]
        if source in SHOP_PARTS or source == "stranger":
            verdicts.append(_names(source, answers.get("dns")))
    return verdicts


def _names(source: str, answer: str | None) -> Verdict:
    if source in RESOLVES:
        return holds(f"{source} resolves names", answer == "open", answer or "not tried")
    claim = f"{source} cannot ask for names"
    return inconclusive(claim, "not tried") if answer is None else holds(claim, answer != "open", answer)


def _pair(source: str, target: Target, answer: str | None, listens: object) -> Verdict:
    where = f"{target.name}:{target.port}"
    if (source, target.name) in ALLOWED:
        return holds(f"{source} reaches {where}", answer == "open", answer or "not tried")
    claim = f"{source} does not reach {where}"
    if answer is None:
        return inconclusive(claim, "not tried")
    if answer != "timeout":
        return failed(claim, answer)
    if not listens and target.name != "api-server":
        return inconclusive(claim, "timed out, but nobody was seen to reach it: it may not listen")
    return passed(claim, f"nothing for {WAIT_SECONDS:g} s")
