"""The source `configuration/all`: the spec, and what the platform remembers beside it, as a tree of documents.

Of secrets there are names and keyed digests only, which show whether a secret is still the same one.
A document that holds the value of a secret is refused before anything is stored.

    spec.yaml            the shop, as read_spec takes it
    secrets.json         {name: keyed digest}
    settings/...         what the platform chose and remembers
    kubernetes/...       objects of the shop's namespaces, without their run-time state
    helm/...             releases and their values
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from ecom_platform.backup.signing import SigningKey
from ecom_platform.backup.sources.folder import tree_source
from ecom_platform.backup.sources.taking import Source
from ecom_platform.backup.sources.tree_reader import FILE, FOLDER, Entry, header, padded
from ecom_platform.errors import ConfigurationError, RefusedError
from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec, write_spec
from ecom_platform.verdicts import Verdict, equal, failed, holds

KIND, NAME = "configuration", "all"
SOURCE = f"{KIND}/{NAME}"
SPEC, SECRETS = "spec.yaml", "secrets.json"

SHORTEST_SECRET = 8
"""Shorter values also stand by chance in any document; the platform makes none that short."""

SPEC_READS = "the restored spec describes the same shop"
ACCEPTED = "the cluster takes every restored object as it was"
DOCUMENTS_READ = "every restored document can be read"


def configuration_source(documents: Mapping[str, bytes]) -> Source:
    """documents: as gather() gives them."""
    return tree_source(KIND, NAME, Documents(documents, time.time_ns()))


def gather(platform: Platform, shop: Shop, key: SigningKey) -> dict[str, bytes]:
    """All documents by path. Raises RefusedError, naming document and secret, if one holds a secret's value."""
    secrets = platform.secret_values()
    documents = {SPEC: write_spec(shop).encode()}
    documents |= {path: as_document(content) for path, content in platform.documents().items()}
    documents[SECRETS] = as_document({name: key.keyed_digest(value) for name, value in secrets.items()})
    refuse_leaks(documents, secrets)
    return documents


def as_document(content: object) -> bytes:
    """JSON that is the same for the same content, and that people can read and compare."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def refuse_leaks(documents: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> None:
    """Raises RefusedError if any document holds the value of a secret, plain, as base64, in a URL or in JSON."""
    for name, value in secrets.items():
        if len(value) < SHORTEST_SECRET:
            continue
        for path, content in documents.items():
            if any(form in content for form in _forms(value)):
                raise RefusedError(
                    "back up the configuration",
                    f"{path} holds the value of the secret {name}",
                    "Put a reference to the secret there ({env: NAME} or {file: PATH}, or a Secret), and change it.",
                )


def _forms(value: bytes) -> list[bytes]:
    text = value.decode(errors="replace")
    return [value, *_encoded(value), quote(text, safe="").encode(), json.dumps(text)[1:-1].encode()]


def _encoded(value: bytes) -> list[bytes]:
    """What base64 makes of it, alone or inside of something longer ("user:password"): three bytes become four
    characters, so there are three alignments, and those characters count that no neighbour has a part in.
    """
    return [
        encode(bytes(lead) + value)[-(-lead * 8 // 6) : (lead + len(value)) * 8 // 6]
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
        for lead in range(3)
    ]


class Documents:
    """Documents as a tree that is read in one piece: it cannot change meanwhile."""

    left_out: Sequence[str] = ()
    moved_on: Sequence[str] = ()

    def __init__(self, documents: Mapping[str, bytes], at: int) -> None:
        """at: their time of change, nanoseconds since 1970."""
        self._documents = documents
        folders = {parent.as_posix() for path in documents for parent in Path(path).parents}
        self.entries = {path: Entry(path, FOLDER, 0o700, at) for path in sorted(folders | {"."})}
        for path, content in sorted(documents.items()):
            digest = hashlib.sha256(content).hexdigest()
            self.entries[path] = Entry(path, FILE, 0o600, at, len(content), digest)

    def blocks(self) -> Iterator[bytes]:
        for path, entry in self.entries.items():
            yield header(entry)
            if entry.type == FILE:
                yield padded(self._documents[path])
        yield bytes(1024)


def judge_restored(folder: Path) -> list[Verdict]:
    """What a restored folder of documents is worth beside being equal: that it can be used."""
    verdicts = [_spec_reads(folder / SPEC)]
    unreadable = []
    documents = sorted(folder.rglob("*.json"))
    for each in documents:
        try:
            json.loads(each.read_bytes())
        except ValueError:
            unreadable.append(each.relative_to(folder).as_posix())
    seen = ", ".join(unreadable[:5]) or f"{len(documents)} documents"
    verdicts.append(holds(DOCUMENTS_READ, documents and not unreadable, seen))
    return verdicts


def _spec_reads(path: Path) -> Verdict:
    try:
        again = write_spec(read_spec(path))
    except ConfigurationError as error:
        return failed(SPEC_READS, str(error))
    return equal(SPEC_READS, hashlib.sha256(path.read_bytes()).hexdigest(), hashlib.sha256(again.encode()).hexdigest())
