"""What the user's document demands of every pod, as a list of what a pod lacks."""

from __future__ import annotations

from kubernetes import client

LONG_RUNNING = ("liveness_probe", "readiness_probe", "startup_probe")
VOLUME_KINDS = {"name", "config_map", "secret", "empty_dir", "persistent_volume_claim", "projected"}


def weaknesses(pod: client.V1PodSpec) -> list[str]:
    """Every rule of the hardened form that the pod breaks; empty for a hardened pod."""
    found = _of_the_pod(pod)
    for container in [*(pod.init_containers or []), *pod.containers]:
        found += [f"{container.name}: {each}" for each in _of_a_container(container)]
    return found


def _of_the_pod(pod: client.V1PodSpec) -> list[str]:
    security = pod.security_context or client.V1PodSecurityContext()
    seccomp = security.seccomp_profile.type if security.seccomp_profile else None
    volumes = [
        f"volume {each.name} is of a kind that `restricted` refuses"
        for each in pod.volumes or []
        if not {name for name, value in each.to_dict().items() if value is not None} <= VOLUME_KINDS
    ]
    rules = {
        "may run as root": security.run_as_non_root is not True,
        "runs as user 0 or as the image says": not security.run_as_user,
        "has no seccomp profile RuntimeDefault": seccomp != "RuntimeDefault",
        "shares a namespace of the node": bool(pod.host_network or pod.host_pid or pod.host_ipc),
        "tells every Service of the namespace by environment": pod.enable_service_links is not False,
    }
    return [rule for rule, broken in rules.items() if broken] + volumes


def _of_a_container(container: client.V1Container) -> list[str]:
    security = container.security_context or client.V1SecurityContext()
    dropped = security.capabilities.drop if security.capabilities else None
    added = security.capabilities.add if security.capabilities else None
    resources = container.resources or client.V1ResourceRequirements()
    rules = {
        "may gain privileges": security.allow_privilege_escalation is not False,
        "writes to its root file system": security.read_only_root_filesystem is not True,
        "is privileged": bool(security.privileged),
        "keeps capabilities": dropped != ["ALL"] or bool(added),
        "has no requests": not {"cpu", "memory"} <= set(resources.requests or {}),
        "has no limits": not {"cpu", "memory"} <= set(resources.limits or {}),
        "has no writable /tmp": "/tmp" not in {each.mount_path for each in container.volume_mounts or []}
        and container.name != "wait-for-database",
        "runs an image that does not say which build it is": ":" not in container.image
        or container.image.endswith(":latest"),
    }
    return [rule for rule, broken in rules.items() if broken]


def missing_probes(pod: client.V1PodSpec) -> list[str]:
    """Probes that the pod's containers lack; for pods that serve, not for Jobs."""
    return [
        f"{container.name}: no {probe}"
        for container in pod.containers
        for probe in LONG_RUNNING
        if getattr(container, probe) is None
    ]
