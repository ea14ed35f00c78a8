"""The managed S3 server: SeaweedFS as one process, with credentials, its other doors closed.

Its master, filer and volumes have ports of their own, which must not lead around S3's credentials:
their gRPC asks for a certificate, the volumes' HTTP for a token, the rest is off. Not here: the objects.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ecom_platform.clients.buckets import Buckets
from ecom_platform.clients.supervisor import Program, replace_text
from ecom_platform.errors import PreflightError
from ecom_platform.platforms.local import certificates
from ecom_platform.platforms.local.layout import Layout, make_private
from ecom_platform.platforms.local.parts import Part
from ecom_platform.platforms.local.ports import Ports
from ecom_platform.platforms.local.secrets import kept, password
from ecom_platform.platforms.protocol import StoreAccess
from ecom_platform.spec import Shop

NAME = "s3"
ADDER = "ecom-add"
"""The S3 server's name for who may add and not remove: all but retention."""

DOORS = {
    "s3": "s3.port",
    "s3/grpc": "s3.port.grpc",
    "s3/filer": "filer.port",
    "s3/filer-grpc": "filer.port.grpc",
    "s3/master": "master.port",
    "s3/master-grpc": "master.port.grpc",
    "s3/volume": "volume.port",
    "s3/volume-grpc": "volume.port.grpc",
}
"""Purpose of each port, and the flag that sets it."""

GRPC = ("master", "volume", "filer", "s3", "client")
"""Who proves by certificate that it belongs here, when it calls and when it is called."""

SOCKETS = Path("/tmp")  # noqa: S108 - its choice, not ours

TOKENS = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")

FLAGS = (
    "-filer",
    "-s3",
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-master.peers=none",  # else it looks for others for 9 to 17 s before it takes writes
    "-master.telemetry=false",
    # The master's and the filer's HTTP; over it anybody could delete a bucket, even a locked one.
    "-disableHttp",
    "-master.volumeSizeLimitMB=1024",
    "-volume.max=0",  # as many as the disk has room for
    "-volume.preStopSeconds=1",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
)


@dataclass(frozen=True)
class SeaweedFS:
    """One S3 server for all managed stores of a shop; a bucket for each."""

    layout: Layout
    ports: Ports
    shop: Shop

    def part(self) -> Part:
        return Part(self._program(), ready=self._takes_writes, before=self._prepare, done=self._make_buckets)

    def _program(self) -> Program:
        weed = Path(sys.executable).parent / "weed"
        if not weed.exists():
            raise PreflightError("find SeaweedFS", f"{weed} is not there", "Run `make install`.")
        ports = [f"-{flag}={self.ports.of(purpose)}" for purpose, flag in DOORS.items()]
        argv = (str(weed), "server", f"-dir={self._data}", f"-s3.config={self._credentials}", *FLAGS, *ports)
        # Its volumes are closed after 1 s; then it tries for 40 s to write a log into them.
        # It reads security.toml in the folder where it works.
        return Program(NAME, argv, str(self.layout.seaweedfs), {"HOME": str(self.layout.seaweedfs)}, stop_seconds=3)

    @property
    def _data(self) -> Path:
        return self.layout.seaweedfs / "data"

    @property
    def _credentials(self) -> Path:
        return self.layout.seaweedfs / "s3.json"

    def _prepare(self) -> None:
        self.ports.refuse_taken(*DOORS)
        make_private(self.layout.seaweedfs)
        make_private(self._data)
        identities = [
            {
                "name": name,
                "credentials": [dict(zip(("accessKey", "secretKey"), keys, strict=True))],
                "actions": actions,
            }
            for name, keys, actions in (
                ("ecom", self._keys(removing=True), ["Admin", "Read", "Write", "List", "Tagging"]),
                (ADDER, self._keys(removing=False), ["Read", "Write", "List", "Tagging"]),
            )
        ]
        replace_text(self._credentials, json.dumps({"identities": identities}))
        tokens = [
            f'[{each}]\nkey = "{kept(self.layout.secrets / f"s3-{each}", password)}"\nexpires_after_seconds = 60\n'
            for each in TOKENS
        ]
        closed = "[access]\nui = false\n[filer.expose_directory_metadata]\nenabled = false\n"
        authority, certificate, key = certificates.ensure(self.layout.secrets)
        pairs = [f'[grpc.{each}]\ncert = "{certificate}"\nkey = "{key}"\n' for each in GRPC]
        mutual = f'[grpc]\nca = "{authority}"\n' + "\n".join(pairs)
        replace_text(self.layout.seaweedfs / "security.toml", "\n".join([*tokens, closed, mutual]))

    def sockets(self) -> list[Path]:
        """Sockets that it makes beside its ports and leaves behind; by the umask they are the owner's alone."""
        ports = self.ports.known()
        names = {purpose: purpose.partition("/")[2] or "s3" for purpose in DOORS}
        names["s3/grpc"] = "s3-grpc"
        files = [f"seaweedfs-{name}-{ports[each]}.sock" for each, name in names.items() if each in ports]
        return [each for each in map(SOCKETS.joinpath, files) if each.is_socket()]

    def _keys(self, *, removing: bool) -> tuple[str, str]:
        """(access key, secret key) of who makes buckets and removes, or of who only adds."""
        prefix = "s3" if removing else "s3-add"
        access = kept(self.layout.secrets / f"{prefix}-access-key", lambda: f"ecom{password()[:16]}")
        return access, kept(self.layout.secrets / f"{prefix}-secret-key", password)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports.of(NAME)}"

    def access(self, store: str, *, removing: bool = False) -> StoreAccess:
        access_key, secret_key = self._keys(removing=removing)
        return StoreAccess(
            name=store,
            url=f"s3://{bucket_name(self.shop, store)}",
            endpoint=self.endpoint,
            access_key=access_key,
            secret_key=secret_key,
        )

    @cached_property
    def _buckets(self) -> Buckets:
        return Buckets(self.access("any", removing=True))

    def _takes_writes(self) -> bool:
        return self._buckets.takes_writes()

    def _make_buckets(self) -> None:
        for name, store in self.shop.stores.items():
            if store.managed:
                bucket = bucket_name(self.shop, name)
                self._buckets.ensure(bucket, store.object_lock)
                self._buckets.only_adds(bucket, ADDER)
        self._buckets.close()


def bucket_name(shop: Shop, store: str) -> str:
    """A bucket for each store, because a lock holds for a whole bucket. S3 takes 63 characters."""
    name = f"{shop.shop}-{store}"
    return name if len(name) <= 63 else f"{name[:54]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
