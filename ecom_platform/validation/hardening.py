"""Looks at the shop's running containers from inside: what each could do if it were taken over.

By commands in the live pod, not by its manifest; and by a pod that the namespace must refuse.
"""

from __future__ import annotations

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import ConfigurationError, EcomError
from ecom_platform.platforms.kubernetes.sampling import quantity
from ecom_platform.verdicts import Verdict, equal, failed, holds, inconclusive

CHECKS = {
    "hardened": "in each live pod: the user is not root, no capabilities, the root file system cannot be "
    "written, the limits stand in its cgroup, no token of the cluster is there",
    "admission": "the namespace refuses a pod that asks for more than `restricted` allows",
}

USER = 1000
_LOOK = r"""
while IFS=':	 ' read -r key value rest; do
  case $key in Uid | CapEff | CapPrm | CapBnd | NoNewPrivs | Seccomp) echo "$key=$value" ;; esac
done < /proc/1/status
written=$( (: > /ecom-probe) 2>&1 ) && { echo "write=allowed"; rm -f /ecom-probe; } || echo "write=$written"
while read -r device place kind options rest; do
  [ "$place" = / ] && case ",$options," in *,ro,*) echo root=ro ;; *) echo root=rw ;; esac
done < /proc/self/mounts
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
  [ -r $file ] && read -r value < $file && echo "memory=$value"
done
[ -r /sys/fs/cgroup/cpu.max ] && read -r quota period < /sys/fs/cgroup/cpu.max && echo "cpu=$quota/$period"
if [ -r /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]; then
  read -r quota < /sys/fs/cgroup/cpu/cpu.cfs_quota_us; read -r period < /sys/fs/cgroup/cpu/cpu.cfs_period_us
  echo "cpu=$quota/$period"
fi
for folder in /var/run/secrets/kubernetes.io /run/secrets/kubernetes.io; do
  [ -e $folder ] && echo "token=$folder"
done
echo end=yes
"""
_EXEC_SECONDS = 20.0


def hardened(cluster: Cluster, pod: Object, *, user: int = USER) -> list[Verdict]:
    """Verdicts about one running pod, seen by a command in its first container (it needs `sh`)."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    try:
        done = cluster.execute(name, namespace, ["sh", "-c", _LOOK], timeout=_EXEC_SECONDS)
    except EcomError as error:
        return [inconclusive(f"{name} can be looked into", str(error))]
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if "end" not in seen:
        return [inconclusive(f"{name} can be looked into", f"exit code {done.code}: {done.stderr.strip()[-300:]}")]
    return _judge(name, seen, pod["spec"]["containers"][0], user)


def _judge(name: str, seen: dict[str, str], container: Object, user: int) -> list[Verdict]:
    write = seen.get("write", "nothing")
    return [
        equal(f"{name}: user of its process", str(user), seen.get("Uid")),
        *(
            holds(f"{name}: {each} is empty", int(seen.get(each, "1"), 16) == 0, seen.get(each, "not seen"))
            for each in ("CapEff", "CapPrm", "CapBnd")
        ),
        equal(f"{name}: no new privileges", "1", seen.get("NoNewPrivs")),
        equal(f"{name}: seccomp filters", "2", seen.get("Seccomp")),
        holds(f"{name}: writing to / fails", "read-only file system" in write.lower(), write[:200]),
        equal(f"{name}: / is mounted", "ro", seen.get("root")),
        *_limits(name, seen, container),
        holds(f"{name}: no token is mounted", "token" not in seen, seen.get("token", "none")),
    ]


def _limits(name: str, seen: dict[str, str], container: Object) -> list[Verdict]:
    """The limits that the kernel enforces are those of the manifest, and there are some."""
    limits = (container.get("resources") or {}).get("limits") or {}
    verdicts = []
    for kind, observed in (("memory", _memory(seen)), ("cpu", _cpu(seen))):
        claim = f"{name}: {kind} limit in its cgroup"
        if kind not in limits:
            verdicts.append(failed(claim, "the container has no limit"))
        else:
            wanted = quantity(str(limits[kind]))
            close = observed is not None and abs(observed - wanted) <= 0.001 * wanted
            verdicts.append(holds(claim, close, f"{observed}, its manifest says {limits[kind]}"))
    return verdicts


def _memory(seen: dict[str, str]) -> float | None:
    text = seen.get("memory", "")
    return float(text) if text.isdigit() else None


def _cpu(seen: dict[str, str]) -> float | None:
    quota, _, period = seen.get("cpu", "").partition("/")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def admission(cluster: Cluster, namespace: str, image: str) -> list[Verdict]:
    """A privileged pod, a root one and one of the host's network are refused (tried with dry-run: none starts)."""
    demands: dict[str, Object] = {
        "a privileged container": {"securityContext": {"privileged": True}},
        "a container of root": {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}},
        "a container that may gain privileges": {"securityContext": {"allowPrivilegeEscalation": True}},
    }
    verdicts = [
        _refused(cluster, namespace, what, {"containers": [{"name": "main", "image": image, **of}]})
        for what, of in demands.items()
    ]
    on_host: Object = {"hostNetwork": True, "containers": [{"name": "main", "image": image}]}
    mount: Object = {
        "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
        "containers": [{"name": "main", "image": image}],
    }
    return [
        *verdicts,
        _refused(cluster, namespace, "a pod in the host's network", on_host),
        _refused(cluster, namespace, "a pod that mounts the host's files", mount),
    ]


def _refused(cluster: Cluster, namespace: str, what: str, spec: Object) -> Verdict:
    claim = f"{namespace}: {what} is refused"
    pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "refused-"}, "spec": spec}
    try:
        cluster.create("pods", pod, namespace, dry_run=True)
    except ConfigurationError as error:
        # Another refusal (no right to make pods, a quota) says nothing about this one.
        by_admission = "violates PodSecurity" in error.seen
        return holds(claim, True, error.seen[:300]) if by_admission else inconclusive(claim, error.seen[:300])
    return failed(claim, "it was admitted")
