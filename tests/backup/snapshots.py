"""Takes small real snapshots into stores, without a database: sealed content, signed manifests, the chain."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ecom_platform.backup.dump_targets import Targets
from ecom_platform.backup.encryption import Identities, new_identity
from ecom_platform.backup.manifest import Manifest, Part, folder_of, new_id
from ecom_platform.backup.signing import SigningKey
from ecom_platform.backup.stream import seal
from ecom_platform.clients.objects import ObjectStore
from tests.backup import samples

KEY_FILE = new_identity()
KEYS = Identities(KEY_FILE)
CONTENT = {"schema": b"CREATE TABLE t();\n" * 50, "data": b"".join(b"%d\trow\n" % n for n in range(20_000))}
SHOP, SOURCE = "ecommerce", samples.SOURCE


def signing_key() -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return SigningKey(Ed25519PrivateKey.generate())


@dataclass
class Taker:
    """Takes snapshots one after the other, an hour apart by their own clock."""

    stores: tuple[ObjectStore, ...]
    key: SigningKey
    at: datetime = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)

    @property
    def trusted(self) -> list[str]:
        return [self.key.public]

    def take(self, content: Mapping[str, bytes] = CONTENT, *, source: str = SOURCE) -> Manifest:
        self.at += timedelta(hours=1)
        with Targets(self.stores, SHOP, source) as targets:
            name = new_id(self.at, targets.newest)
            parts = [self._part(targets, folder_of(SHOP, source, name), *each) for each in content.items()]
            targets.complete()
            draft = samples.manifest(self.at).model_copy(
                update={
                    "id": name,
                    "source": source,
                    "objects": tuple(parts),
                    "plain_bytes": sum(each.plain_bytes for each in parts),
                    "stored_bytes": sum(each.size for each in parts),
                    "recipients": KEYS.recipients,
                }
            )
            return targets.commit(draft, self.key)

    def _part(self, targets: Targets, folder: str, name: str, content: bytes) -> Part:
        key = f"{folder}/{name}.dump.zst.age"
        done = seal(io.BytesIO(content).read, targets.fan_out(key), KEYS.recipients)
        return Part(name=name, key=key, size=done.stored_bytes, sha256=done.sha256, plain_bytes=done.plain_bytes)
