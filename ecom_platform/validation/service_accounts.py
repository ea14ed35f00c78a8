"""What the service accounts of the shop and the platform may do: the API server is asked, and then it is tried.

Asked with SubjectAccessReview for each account; tried with a token of that account, for what must be refused.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import ConfigurationError, EcomError
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive

CHECKS = {
    "least_rights": "the service accounts may do what they need and nothing else; asked of the API server, and tried",
}


@dataclass(frozen=True)
class Right:
    """A verb on a resource (`secrets`, `pods/exec`, `apps/deployments`). namespace: empty is the whole cluster."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        where = f"in {self.namespace}" if self.namespace else "in every namespace"
        return f"{self.verb} {self.resource}{' ' + self.name if self.name else ''} {where}"


@dataclass(frozen=True)
class Account:
    """namespace and name of a service account; what it must be able to do, and what it must not."""

    namespace: str
    name: str
    allowed: tuple[Right, ...] = ()
    forbidden: tuple[Right, ...] = ()


def of_shop(namespace: str) -> list[Account]:
    """The shop's accounts: nothing there calls the API."""
    return [
        Account(namespace, each, forbidden=forbidden(namespace))
        for each in ("backend", "frontend", "database", "migration")
    ]


def of_platform(platform_namespace: str, shop_namespace: str) -> list[Account]:
    """Those of the platform's chart. `run` operates the shop; the others never touch it."""
    outside = forbidden("kube-system")
    own: tuple[Right, ...] = (Right("get", "secrets", platform_namespace), Right("get", "secrets", shop_namespace))
    operates = (
        Right("list", "pods", shop_namespace),
        Right("patch", "services", shop_namespace, "backend"),
        Right("create", "pods/exec", shop_namespace),
        Right("create", "batch/jobs", shop_namespace),
    )
    return [
        Account(platform_namespace, "run", allowed=operates, forbidden=(*outside, *own)),
        Account(platform_namespace, "daemon", forbidden=(*outside, *own, Right("create", "pods/exec", shop_namespace))),
        Account(platform_namespace, "code-location", forbidden=(*outside, *own)),
    ]


def forbidden(namespace: str) -> tuple[Right, ...]:
    """What nobody of ours may do there, and in the cluster."""
    return (
        Right("get", "secrets", namespace),
        Right("list", "secrets"),
        Right("list", "pods", namespace),
        Right("create", "pods", namespace),
        Right("create", "pods/exec", namespace),
        Right("create", "rbac.authorization.k8s.io/roles", namespace),
        Right("create", "rbac.authorization.k8s.io/clusterrolebindings"),
        Right("delete", "namespaces", "", namespace),
        Right("impersonate", "users"),
    )


def least_rights(cluster: Cluster, accounts: list[Account]) -> list[Verdict]:
    """Verdicts for each account that is there; one that is not is inconclusive."""
    verdicts: list[Verdict] = []
    for account in accounts:
        verdicts += [_asked(cluster, account, right, wanted=True) for right in account.allowed]
        verdicts += [_asked(cluster, account, right, wanted=False) for right in account.forbidden]
        verdicts += _tried(cluster, account)
    return verdicts


def own_rights(cluster: Cluster, account: Account) -> list[Verdict]:
    """The same of the account that this process itself has: it may ask about nobody else."""
    who = f"{account.namespace}/{account.name}"
    return [
        *(_asked(cluster, account, right, wanted=True, itself=True) for right in account.allowed),
        *(_asked(cluster, account, right, wanted=False, itself=True) for right in account.forbidden),
        *(_cannot_read_secrets(cluster, who, where) for where in (account.namespace, "kube-system", "")),
    ]


def _asked(cluster: Cluster, account: Account, right: Right, *, wanted: bool, itself: bool = False) -> Verdict:
    claim = f"{account.namespace}/{account.name} may {'' if wanted else 'not '}{right}"
    group, _, resource = right.resource.rpartition("/") if "." in right.resource else ("", "", right.resource)
    if resource.startswith(("batch/", "apps/")):
        group, _, resource = resource.partition("/")
    resource, _, part = resource.partition("/")
    wish = {"verb": right.verb, "group": group, "resource": resource, "subresource": part, "name": right.name}
    wish |= {"namespace": right.namespace}
    user = f"system:serviceaccount:{account.namespace}:{account.name}"
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{account.namespace}", "system:authenticated"]
    review: Object = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview" if itself else "SubjectAccessReview",
        "spec": {"resourceAttributes": wish} | ({} if itself else {"user": user, "groups": groups}),
    }
    try:
        status = cluster.create("selfsubjectaccessreviews" if itself else "subjectaccessreviews", review)["status"]
    except EcomError as error:
        return inconclusive(claim, str(error))
    return holds(claim, bool(status.get("allowed")) is wanted, status.get("reason") or f"allowed: {status['allowed']}")


def _tried(cluster: Cluster, account: Account) -> list[Verdict]:
    """With a token of its own the account tries to read secrets, here and everywhere."""
    who = f"{account.namespace}/{account.name}"
    try:
        token = cluster.service_account_token(account.namespace, account.name)
    except EcomError as error:
        return [inconclusive(f"{who} can be tried", str(error))]
    with closing(Cluster(cluster.context, token)) as itself:
        try:
            # Anybody who is known may ask for the groups: the token works, and the refusals are of this account.
            itself.request("GET", "/apis")
        except EcomError as error:
            return [inconclusive(f"{who} can be tried", str(error))]
        return [_cannot_read_secrets(itself, who, where) for where in (account.namespace, "kube-system", "")]


def _cannot_read_secrets(itself: Cluster, who: str, namespace: str) -> Verdict:
    claim = f"{who} cannot read the secrets {namespace or 'of the cluster'}"
    try:
        found = itself.list("secrets", namespace)
    except ConfigurationError as error:
        return holds(claim, error.seen.startswith("403"), error.seen[:200])
    except EcomError as error:
        return inconclusive(claim, str(error))
    return failed(claim, f"it was let in and read {len(found)}")
