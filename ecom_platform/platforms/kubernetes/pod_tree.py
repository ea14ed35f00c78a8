"""A folder that only a pod can see, read by the pod's own Python: the same reader that runs on this machine, sent
there as text. The tar comes by the program's output, the list of what was read by its errors, after it.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ecom_platform.backup.sources import tree_reader
from ecom_platform.backup.sources.tree_reader import Entry
from ecom_platform.backup.sources.trees import changes
from ecom_platform.clients.kubernetes_api import Cluster
from ecom_platform.clients.kubernetes_output import OUT, PodOutput
from ecom_platform.errors import PermanentError

_CHANGES = 75  # sysexits' "try again later"
_PLACE = 66  # sysexits' "cannot open the input"

_MAIN = f"""
import json, sys
reader = TreeReader(os.environ.get(sys.argv[2], sys.argv[2]))
try:
    for block in reader.blocks():
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
except ChangesWhileRead as error:
    sys.stderr.write(str(error))
    sys.exit({_CHANGES})
except BrokenPipeError:
    raise
except OSError as error:
    sys.stderr.write(f"{{error.strerror}}: {{error.filename}}")
    sys.exit({_PLACE})
for entry in reader.entries.values():
    sys.stderr.write(json.dumps(vars(entry)) + "\\n")
sys.stderr.write(json.dumps({{"left_out": reader.left_out, "moved_on": reader.moved_on}}) + "\\n")
"""

_UNPACK = "import base64, sys, zlib; exec(zlib.decompress(base64.b64decode(sys.argv[1])))"


def program(place: str) -> list[str]:
    """The command. place: a folder, or the variable of the container's environment that names it."""
    text = Path(tree_reader.__file__).read_text(encoding="utf-8") + _MAIN
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()  # it travels in an address
    return ["python3", "-I", "-c", _UNPACK, packed, place]


class PodTree:
    """A sources.folder.Tree."""

    def __init__(self, cluster: Cluster, pod: str, namespace: str, *, container: str, name: str, place: str) -> None:
        """name: of the folder, for errors. place: as program()'s."""
        self._output = PodOutput(cluster, pod, namespace, program(place), container=container)
        self._tried = f"read the folder {name} in pod {namespace}/{pod}"
        self.entries: Mapping[str, Entry] = {}
        self.left_out: Sequence[str] = ()
        self.moved_on: Sequence[str] = ()

    def blocks(self) -> Iterator[bytes]:
        said = bytearray()
        for channel, block in self._output.blocks():
            if channel == OUT:
                yield block
            else:
                said += block
        if self._output.code == _CHANGES:
            raise changes(self._tried, said.decode(errors="replace"))
        if self._output.code == _PLACE:
            raise PermanentError(self._tried, said.decode(errors="replace"), "Let the backup read it.")
        self._output.refuse_failure(bytes(said))
        *listed, last = said.splitlines()
        self.entries = {each.path: each for each in (Entry(**json.loads(line)) for line in listed)}
        about = json.loads(last)
        self.left_out, self.moved_on = about["left_out"], about["moved_on"]
