"""The one door to a Kubernetes API server: objects as plain dictionaries, errors of the platform's own tree.

Goes here: requests to the API server, with deadlines. Not here: what any object means. Forwarded
connections are in kubernetes_forward.py.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ecom_platform.clients.commands import KEPT_CHARACTERS, Completed
from ecom_platform.clients.kubernetes_kinds import GROUPS
from ecom_platform.errors import (
    BusyError,
    ConfigurationError,
    DeadlineExceeded,
    EcomError,
    MissingError,
    PermanentError,
    UnreachableError,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Object = dict[str, Any]
"""A Kubernetes object as it stands in YAML."""

REQUEST_SECONDS = 30.0
_SEEN_CHARACTERS = 800

_reading = threading.Lock()
"""The kubernetes package writes certificates to files that its clients share; two at a time read half of one."""

_PATCH = "application/merge-patch+json"
FIELD_MANAGER = "ecom"
"""Under this name the API server knows which fields the platform has set; Helm 4 meets it there."""


@dataclass(frozen=True)
class Cluster:
    """An API server as one kubeconfig context sees it. Making it touches nothing.

    context: empty is the kubeconfig's current one, or in a pod the pod's own account.
    token: instead of the context's credentials (the same server).
    """

    context: str = ""
    token: str = ""

    @property
    def inside(self) -> bool:
        """Whether this process is a pod of the cluster and uses the pod's own account."""
        return not self.context and "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ

    def new_client(self) -> ApiClient:
        """A client of its own; those of exec and port-forward cannot be shared. Close it."""
        from kubernetes import client, config

        settings = client.Configuration()
        try:
            with _reading:
                if self.inside:
                    config.load_incluster_config(client_configuration=settings)
                else:
                    config.load_kube_config(context=self.context or None, client_configuration=settings)
        except config.ConfigException as error:
            raise ConfigurationError(
                f"read the kubeconfig (context {self.context or 'current'})",
                str(error)[:_SEEN_CHARACTERS],
                "Set KUBECONFIG, and `kubernetes.context` of the spec to one of its contexts.",
            ) from error
        settings.retries = False
        if self.token:
            settings.api_key = {"authorization": f"Bearer {self.token}"}
            settings.cert_file = settings.key_file = None
            settings.refresh_api_key_hook = None
        return client.ApiClient(settings)

    @cached_property
    def _client(self) -> ApiClient:
        return self.new_client()

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        if "_client" in self.__dict__:
            client = self.__dict__.pop("_client")
            client.rest_client.pool_manager.clear()
            client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        seconds: float = REQUEST_SECONDS,
    ) -> str:
        """The answer's text. Raises ConfigurationError (401, 403, 422), MissingError (404), BusyError (409),
        UnreachableError (nothing answers in time, 429, 5xx), else PermanentError.
        """
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        tried = f"{method} {path}"
        try:
            answer = self._client.call_api(
                path,
                method,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=seconds,
            )
            return str(answer.data.decode(errors="replace"))
        except ApiException as error:
            raise translated(tried, error.status, error.body or error.reason) from error
        except HTTPError as error:
            raise UnreachableError(tried, f"{type(error).__name__}: {error}"[:_SEEN_CHARACTERS], _REACH) from error

    def read(self, kind: str, name: str, namespace: str = "") -> Object:
        return _object(self.request("GET", _path(kind, namespace, name)))

    def find(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """The object, or None if there is none."""
        try:
            return self.read(kind, name, namespace)
        except MissingError:
            return None

    def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> list[Object]:
        query = {"labelSelector": labels, "fieldSelector": fields}
        answer = self.request("GET", _path(kind, namespace), query={name: it for name, it in query.items() if it})
        return list(_object(answer).get("items") or [])

    def create(self, kind: str, body: Object, namespace: str = "", *, dry_run: bool = False) -> Object:
        query = {"dryRun": "All"} if dry_run else {}
        return _object(self.request("POST", _path(kind, namespace), body=body, query=query))

    def patch(self, kind: str, name: str, body: Object, namespace: str = "") -> Object:
        """A JSON merge patch. A `metadata.resourceVersion` in it makes it fail with BusyError if somebody was first."""
        query = {"fieldManager": FIELD_MANAGER}
        return _object(self.request("PATCH", _path(kind, namespace, name), body=body, query=query, content_type=_PATCH))

    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> None:
        """Begins the deletion, of what the object owns too; nothing happens if it is not there."""
        body: Object = {"propagationPolicy": "Background"} | ({} if grace is None else {"gracePeriodSeconds": grace})
        try:
            self.request("DELETE", _path(kind, namespace, name), body=body)
        except MissingError:
            return

    def logs(self, pod: str, namespace: str, *, lines: int, container: str = "", previous: bool = False) -> str:
        """The end of a container's log; empty if it has none yet."""
        query = {"tailLines": str(lines)} | ({"container": container} if container else {})
        query |= {"previous": "true"} if previous else {}
        try:
            return self.request("GET", _path("pods", namespace, pod) + "/log", query=query)
        except (MissingError, PermanentError):
            return ""  # the container has not begun, or its log went with it

    def events(self, namespace: str, name: str) -> Sequence[str]:
        """What the cluster says about one object, oldest first: reason and message."""
        found = self.list("events", namespace, fields=f"involvedObject.name={name}")
        found.sort(key=lambda each: each.get("lastTimestamp") or each.get("eventTime") or "")
        return [f"{each.get('reason')}: {each.get('message')}" for each in found]

    def version(self) -> str:
        return str(_object(self.request("GET", "/version"))["gitVersion"])

    def service_account_token(self, namespace: str, account: str, *, seconds: int = 600) -> str:
        """A new token of a service account, never printed."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return str(
            _object(self.request("POST", path, body={"spec": {"expirationSeconds": seconds}}))["status"]["token"]
        )

    def execute(
        self, pod: str, namespace: str, command: Sequence[str], *, container: str = "", timeout: float = 30.0
    ) -> Completed:
        """Run a command in a container to its end; its exit code is an answer, not an error.

        Raises DeadlineExceeded, and what `request` raises.
        """
        from kubernetes.client import ApiException, CoreV1Api
        from kubernetes.stream import stream

        tried = f"run {command[0]} in pod {namespace}/{pod}"
        client = self.new_client()
        options = {"container": container} if container else {}
        try:
            ran = stream(
                CoreV1Api(client).connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=list(command),
                stdout=True,
                stderr=True,
                stdin=False,
                tty=False,
                _preload_content=False,
                **options,
            )
            with ExitStack() as ending:
                # Having heard the other side's farewell it takes itself for closed, and keeps its socket.
                ending.callback(ran.sock.shutdown)
                deadline = time.monotonic() + timeout
                while ran.is_open() and time.monotonic() < deadline:
                    ran.update(timeout=min(1.0, timeout))
                if ran.is_open():
                    raise DeadlineExceeded(tried, f"not done after {timeout:g} s")
                out, err = (ran.read_channel(channel)[-KEPT_CHARACTERS:] for channel in (1, 2))
                code = int(ran.returncode)
        except ApiException as error:
            raise translated(tried, error.status, error.body or error.reason) from error
        finally:
            client.close()
        return Completed(command[0], code, out, err)


_REACH = "Is the cluster up, and is it the one that the kubeconfig's context names?"
_NEXT = {
    401: "The kubeconfig's credentials are not accepted; have them renewed.",
    403: "Have the account that the kubeconfig names allowed to do this.",
}


def translated(tried: str, status: int | None, body: object) -> EcomError:
    """The platform's error for an answer of the API server."""
    seen = f"{status}: {_message(body)}"[:_SEEN_CHARACTERS]
    kinds: dict[int | None, type[EcomError]] = {
        401: ConfigurationError,
        403: ConfigurationError,
        404: MissingError,
        409: BusyError,
        422: ConfigurationError,
        429: UnreachableError,
    }
    if status in kinds:
        return kinds[status](tried, seen, _NEXT.get(status or 0, ""))
    if not status or status >= 500:
        return UnreachableError(tried, seen, _REACH)
    return PermanentError(tried, seen)


def _message(body: object) -> str:
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    try:
        content = json.loads(text)
    except ValueError:
        return text
    return str(content.get("message", text)) if isinstance(content, dict) else text


def _object(text: str) -> Object:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise PermanentError("read an answer of the API server", "it is not an object")
    return content


def api_version(kind: str) -> str:
    """What objects of that kind have as their apiVersion."""
    return GROUPS[kind] or "v1"


def _path(kind: str, namespace: str = "", name: str = "") -> str:
    group = GROUPS[kind]
    base = f"/apis/{group}" if group else "/api/v1"
    where = f"/namespaces/{namespace}" if namespace else ""
    kind = "pods" if kind == "metrics" else kind
    return f"{base}{where}/{kind}" + (f"/{name}" if name else "")
