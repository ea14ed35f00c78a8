"""Who may reach whom: NetworkPolicies judged without a network, and the matrix that both charts promise.

The cluster's tests probe the same matrix with real packets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes import client


@dataclass(frozen=True)
class Pod:
    """A pod as policies see it."""

    namespace: str
    labels: Mapping[str, str]
    namespace_labels: Mapping[str, str]


def admits(policies: Iterable[client.V1NetworkPolicy], source: Pod, target: Pod, port: int) -> bool:
    """Whether a TCP connection passes both the source's egress and the target's ingress.

    policies: of all namespaces. Peers by address are not for pods here and admit none.
    """
    everything = list(policies)
    out = _passes(everything, source, target, port, direction="Egress")
    return out and _passes(everything, target, source, port, direction="Ingress")


def _passes(policies: list[client.V1NetworkPolicy], own: Pod, other: Pod, port: int, *, direction: str) -> bool:
    about = [
        each.spec
        for each in policies
        if each.metadata.namespace == own.namespace
        and direction in each.spec.policy_types
        and _selects(each.spec.pod_selector, own.labels)
    ]
    return not about or any(
        _rule_admits(rule, own, other, port, direction=direction)
        for spec in about
        for rule in ((spec.egress if direction == "Egress" else spec.ingress) or [])
    )


def _rule_admits(rule: Any, own: Pod, other: Pod, port: int, *, direction: str) -> bool:
    if rule.ports and not any((each.protocol or "TCP") == "TCP" and each.port == port for each in rule.ports):
        return False
    peers = rule.to if direction == "Egress" else rule._from
    return not peers or any(_is_peer(each, own, other) for each in peers)


def _is_peer(peer: client.V1NetworkPolicyPeer, own: Pod, other: Pod) -> bool:
    if peer.ip_block is not None:
        return False
    if peer.namespace_selector is None:
        return other.namespace == own.namespace and _selects(peer.pod_selector, other.labels)
    return _selects(peer.namespace_selector, other.namespace_labels) and (
        peer.pod_selector is None or _selects(peer.pod_selector, other.labels)
    )


def _selects(selector: client.V1LabelSelector, labels: Mapping[str, str]) -> bool:
    wanted = selector.match_labels or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _expression(each, labels) for each in selector.match_expressions or []
    )


def _expression(expression: client.V1LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    present = labels.get(expression.key) in (expression.values or [])
    return {"In": present, "NotIn": not present}[expression.operator]
