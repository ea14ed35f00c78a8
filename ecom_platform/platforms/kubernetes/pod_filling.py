"""Fills a folder that only pods can see, from a snapshot's tar, by the same writer that restores on this machine, sent
there as text; then reads it back.

In a pod like the chart's own migration, which may write there. It empties the folder first: only for a shop that is
just being made.
"""

from __future__ import annotations

import base64
import copy
import json
import secrets
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from ecom_platform import errors
from ecom_platform.backup.sources import tree_reader, tree_writer
from ecom_platform.backup.sources.tree_reader import BLOCK, Entry
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.clients.kubernetes_output import PodOutput
from ecom_platform.errors import DeadlineExceeded
from ecom_platform.platforms.kubernetes import rollout
from ecom_platform.platforms.kubernetes.names import COMPONENT, MANAGED, MIGRATION, Names
from ecom_platform.platforms.kubernetes.pod_tree import PodTree
from ecom_platform.platforms.kubernetes.tasks import newest_migration

START_SECONDS = 180.0
"""Scheduling where the volume is, and a pull of the image."""

LIFE_SECONDS = 6 * 3600
"""The cluster itself ends a pod whose maker died."""

PLACE = "MEDIA_DIR"
"""The variable of the pod's environment that names the folder."""

_MAIN = """
import os, shutil, sys
from pathlib import Path
from ecom_platform.backup.sources.tree_writer import write_tree

class Framed:
    left, over = 0, False
    def read(self, size=-1):
        source = sys.stdin.buffer
        if not self.left and not self.over:
            self.left = int.from_bytes(source.read(4), "big")
            self.over = not self.left
        block = source.read(min(self.left, size) if size >= 0 else self.left)
        self.left -= len(block)
        return block

place = Path(os.environ[sys.argv[2]])
for each in place.iterdir():
    shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
write_tree(Framed(), place, own_root=False)
"""

_UNPACK = """
import base64, json, sys, types, zlib
texts = json.loads(zlib.decompress(base64.b64decode(sys.argv[1])))
for name, text in texts["modules"]:
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    exec(text, module.__dict__)
exec(texts["main"], {"__name__": "main"})
"""


def program() -> list[str]:
    """The command: the writer's modules by their names, then what runs."""
    modules = [("ecom_platform", ""), ("ecom_platform.backup", ""), ("ecom_platform.backup.sources", "")]
    own = (errors, tree_reader, tree_writer)
    modules += [(each.__name__, Path(str(each.__file__)).read_text(encoding="utf-8")) for each in own]
    packed = zlib.compress(json.dumps({"modules": modules, "main": _MAIN}).encode(), 9)
    return ["python3", "-I", "-c", _UNPACK, base64.b64encode(packed).decode(), PLACE]


def fill(cluster: Cluster, names: Names, folder: str, tar: FileIO) -> Mapping[str, Entry]:
    """What is in the folder afterwards, read back, without the folder itself, which is the volume's.

    Raises CommandFailed with what the writer said, and what the tar raises.
    """
    with _pod(cluster, names) as pod:
        name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]
        writer = PodOutput(cluster, name, names.namespace, program(), container=container, given=framed(tar))
        said = b"".join(block for _, block in writer.blocks())
        writer.refuse_failure(said)
        tree = PodTree(cluster, name, names.namespace, container=container, name=folder, place=PLACE)
        for _ in tree.blocks():
            pass
        return {path: entry for path, entry in tree.entries.items() if path != "."}


def framed(tar: FileIO) -> Iterator[bytes]:
    """Blocks with their lengths before them, and a length of nothing at the end."""
    while block := tar.read(BLOCK):
        yield len(block).to_bytes(4, "big") + block
    yield bytes(4)


@contextmanager
def _pod(cluster: Cluster, names: Names) -> Iterator[Object]:
    body = _manifest(newest_migration(cluster, names))
    name = cluster.create("pods", body, names.namespace)["metadata"]["name"]
    try:
        yield _started(cluster, names.namespace, name)
    finally:
        cluster.delete("pods", name, names.namespace, grace=0)


def _manifest(migration: Object) -> Object:
    """The migration's pod, which waits instead of migrating."""
    spec = copy.deepcopy(migration["spec"]["template"]["spec"])
    spec["initContainers"] = []
    spec |= {"restartPolicy": "Never", "activeDeadlineSeconds": LIFE_SECONDS, "terminationGracePeriodSeconds": 0}
    spec["containers"][0] |= {"name": "filling", "command": ["python3", "-c", "import signal; signal.pause()"]}
    labels = {**MANAGED, COMPONENT: f"{MIGRATION}-filling"}
    metadata = {"name": f"filling-{secrets.token_hex(4)}", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _started(cluster: Cluster, namespace: str, name: str) -> Object:
    deadline, tried = time.monotonic() + START_SECONDS, "start the pod that fills a folder"
    while True:
        pod = cluster.read("pods", name, namespace)
        if rollout.ready(pod):
            return pod
        rollout.refuse_troubled_pods(cluster, namespace, [pod], tried)
        if time.monotonic() > deadline:
            raise DeadlineExceeded(tried, f"not running after {START_SECONDS:g} s")
        time.sleep(rollout.POLL_SECONDS)
