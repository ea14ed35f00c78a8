"""The platform in a Kubernetes cluster: one shop per namespace, by the shop's chart."""

from ecom_platform.platforms.kubernetes.platform import KubernetesPlatform

__all__ = ["KubernetesPlatform"]
