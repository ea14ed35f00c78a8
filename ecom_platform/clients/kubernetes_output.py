"""A command in a pod, its input and output as streams: what comes is handed on at once, and nothing of it is kept here.

The API server's connection holds the program back when nobody reads, so memory does not grow with what
it writes. Short answers are Cluster.execute's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from ecom_platform.clients.kubernetes_api import Cluster, translated
from ecom_platform.errors import CommandFailed, DeadlineExceeded, MissingError, UnreachableError

STALL_SECONDS = 300.0
"""Without a byte for this long the other side hangs; a file system may rightly take its time to list a folder."""

IN, OUT, ERRORS = 0, 1, 2
_STATUS = 3
FRAME_BYTES = 1 << 16
"""Of input at once; the API server takes each frame whole."""


class PodOutput:
    """A command that runs in a container. code: its exit code, when blocks() ended.

    given: its input, all of it before its output is read, so it should say little until it has read. The connection
    has no way to tell it that the input ended: it must know that from what it reads.
    """

    def __init__(
        self,
        cluster: Cluster,
        pod: str,
        namespace: str,
        command: Sequence[str],
        *,
        container: str,
        given: Iterable[bytes] | None = None,
    ) -> None:
        self._cluster, self._where = cluster, (pod, namespace, container)
        self._command, self._given = list(command), given
        self._status = b""
        self._tried = f"run {command[0]} in pod {namespace}/{pod}"

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """(OUT or ERRORS, bytes) as they come. Raises UnreachableError if the connection ends before the
        program did, DeadlineExceeded if nothing moves, MissingError if the program is not in the container.
        """
        from websocket import WebSocketException, WebSocketTimeoutException

        with ExitStack() as ending:
            socket = self._open(ending)
            self._give(socket)
            try:
                yield from self._frames(socket)
            except WebSocketTimeoutException as error:
                raise DeadlineExceeded(self._tried, f"nothing came for {STALL_SECONDS:g} s") from error
            except (WebSocketException, OSError) as error:
                raise UnreachableError(self._tried, f"the connection broke: {error}"[:300]) from error

    def _give(self, socket: Any) -> None:
        """Errors of whoever gives are raised; a program that ended meanwhile says why in what it wrote."""
        from websocket import WebSocketException

        for block in self._given or ():
            for start in range(0, len(block), FRAME_BYTES):
                try:
                    socket.send_binary(bytes([IN]) + block[start : start + FRAME_BYTES])
                except (WebSocketException, OSError):
                    return

    def _open(self, ending: ExitStack) -> Any:
        """The websocket, closed with the stack."""
        from kubernetes.client import CoreV1Api

        pod, namespace, container = self._where
        client = self._cluster.new_client()
        ending.callback(client.close)
        # As kubernetes.stream.stream does it, but for the copy of everything that it would keep.
        client.request = partial(self._connect, client.configuration)
        opened = CoreV1Api(client).connect_get_namespaced_pod_exec(
            pod,
            namespace,
            command=self._command,
            container=container,
            stdout=True,
            stderr=True,
            stdin=self._given is not None,
            tty=False,
            _preload_content=False,
        )
        ending.callback(opened.sock.shutdown)
        opened.sock.settimeout(STALL_SECONDS)
        return opened.sock

    def _connect(self, configuration: object, method: str, url: str, **options: Any) -> Any:
        from kubernetes.client import ApiException
        from kubernetes.stream import ws_client

        try:
            return ws_client.websocket_call(configuration, method, url, capture_all=False, binary=True, **options)
        except ApiException as error:
            # Translated here, because the client's own handling of it stumbles over the missing body.
            said = str(error.reason)
            status = re.match(r"Handshake status (\d+)", said)
            raise translated(self._tried, int(status[1]) if status else error.status, said) from error

    def _frames(self, socket: Any) -> Iterator[tuple[int, bytes]]:
        from websocket import ABNF

        while True:
            kind, frame = socket.recv_data_frame(True)
            if kind == ABNF.OPCODE_CLOSE:
                return
            if kind not in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) or len(frame.data) < 2:
                continue
            channel, block = frame.data[0], bytes(frame.data[1:])
            if channel == _STATUS:
                self._status += block
            elif channel in (OUT, ERRORS):
                yield channel, block

    @property
    def code(self) -> int:
        """Raises UnreachableError if the program's end was never told, MissingError if it never began."""
        if not self._status:
            raise UnreachableError(self._tried, "the connection ended before the program did")
        status = json.loads(self._status)
        if status.get("status") == "Success":
            return 0
        causes = status.get("details", {}).get("causes") or []
        codes = [each["message"] for each in causes if each.get("reason") == "ExitCode"]
        if not codes:
            raise MissingError(self._tried, str(status.get("message", status))[:300], "Is it in the image?")
        return int(codes[0])

    def refuse_failure(self, said: bytes) -> None:
        """Raises CommandFailed, with the end of what it said, unless the exit code is 0."""
        if self.code != 0:
            raise CommandFailed(self._tried, f"exit code {self.code}: {said[-1000:].decode(errors='replace').strip()}")
