"""Connections from this machine to pods, through the API server: a port on loopback for each target.

For an operator outside the cluster. Not here: which pod a name leads to; the caller says it for each
new connection.
"""

from __future__ import annotations

import atexit
import socket
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any

from ecom_platform.clients.kubernetes_api import Cluster
from ecom_platform.errors import EcomError

Target = tuple[str, str, int]
"""Namespace, pod and port in the pod."""

CONNECT_SECONDS = 10.0
_CHUNK = 65_536

_open: dict[Hashable, Forward] = {}
_lock = threading.Lock()


class Forward:
    """Listens on a free port of loopback; each connection goes to the target that `choose` names then."""

    def __init__(self, cluster: Cluster, choose: Callable[[], Target]) -> None:
        self._cluster = cluster
        self._choose = choose
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"forward-{self.port}", daemon=True).start()

    def close(self) -> None:
        """Takes no new connections; those that are open live on."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        """Nobody is left to hear an error: the caller sees its connection closed, and says so."""
        with near:
            try:
                namespace, pod, port = self._choose()
                forwarded, client = self._connect(namespace, pod, port)
            except (EcomError, OSError):
                return
            far = forwarded.socket(port)
            far.setblocking(True)
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()
            # The package's own thread closes its WebSocket. Nobody else may: a number that is closed twice
            # is another file's by then, and its bytes would go there.
            far.close()
            client.close()

    def _connect(self, namespace: str, pod: str, port: int) -> tuple[Any, Any]:
        from kubernetes.client import ApiException, CoreV1Api
        from kubernetes.stream import portforward

        client = self._cluster.new_client()
        try:
            connect = CoreV1Api(client).connect_get_namespaced_pod_portforward
            return portforward(connect, pod, namespace, ports=str(port)), client
        except (ApiException, AttributeError) as error:
            # The package decodes the body of an answer that has none, when the pod's node is dead.
            client.close()
            raise OSError(f"forward to {namespace}/{pod}: {getattr(error, 'reason', error)}") from error


def _pump(source: Any, target: Any) -> None:
    try:
        while data := source.recv(_CHUNK):
            target.sendall(data)
    except OSError:
        pass  # one side is gone; the other one is told below
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def forwarded(key: Hashable, cluster: Cluster, choose: Callable[[], Target]) -> int:
    """The port on loopback that leads to what `choose` names, the same for the same key in this process."""
    with _lock:
        if key not in _open:
            _open[key] = Forward(cluster, choose)
        return _open[key].port


@atexit.register
def close_all() -> None:
    """Close every listener of this process."""
    with _lock:
        for each in _open.values():
            each.close()
        _open.clear()
