"""What a person puts into a safe: the private keys, with words that tell what to do with them.

Pure text but for the writing of the file.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import yaml

from ecom_platform.backup.encryption import Identities
from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.protocol import StoreAccess
from ecom_platform.spec import Shop

_WORDS = """\
The private keys that open the backups of the shop {shop}, written on {day}.

Whoever has this file reads every backup of the shop; without it, or a copy, nobody does once the platform
is gone. Keep it away from the platform and from its stores: on paper, on a stick in a safe. Write a new
one after every `ecom keys rotate`; older backups open with the older keys, which stand here too.

On an empty machine with this repository (`make install`), write the following lines to a file rescue.yaml,
mend the address of the store that is left, and put its keys, if it has some, into the environment. Then:
    ecom --spec rescue.yaml snapshots
    ecom --spec rescue.yaml restore latest --to postgresql://USER@HOST/EMPTY_DATABASE
Without this repository: docs/backup.md tells how with nothing but age, zstd and pg_restore:
    age --decrypt --identity THIS_FILE data.dump.zst.age | zstd --decompress > data.dump
"""

SPEC_MARK = "#| "
"""Begins each line of the spec that stands in the file."""


def escrow_text(
    shop: Shop, identities: Sequence[str], stores: Mapping[str, StoreAccess], place: Path, signers: Collection[str]
) -> str:
    """The content of the file that will lie at `place`. signers: public keys whose snapshots count.

    Raises ConfigurationError if there is no private key.
    """
    if not identities:
        raise ConfigurationError(
            "write the private keys", "there is none on this platform", "Look where the recipients' keys were made."
        )
    text = "\n".join(line for each in identities for line in each.splitlines() if not line.startswith("#"))
    words = _WORDS.format(shop=shop.shop, day=f"{datetime.now(UTC):%F}")
    comment = "".join(f"# {line}".rstrip() + "\n" for line in words.splitlines())
    spec = yaml.safe_dump(_rescue(shop, Identities(text).recipients, stores, place, signers), sort_keys=False)
    return comment + "".join(f"{SPEC_MARK}{line}\n" for line in spec.splitlines()) + text + "\n"


def escrowed_signers(text: str) -> frozenset[str]:
    """Whose snapshots count, as the file's spec says; none for a plain key file.

    Raises ConfigurationError if its spec was mended into something else: not to know whom to trust is no reason to
    trust anybody.
    """
    lines = [each.removeprefix(SPEC_MARK) for each in text.splitlines() if each.startswith(SPEC_MARK)]
    if not lines:
        return frozenset()
    try:
        return frozenset(yaml.safe_load("\n".join(lines))["encryption"].get("signers", ()))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            "read the spec in the escrowed file",
            f"its lines that begin with {SPEC_MARK!r} are no spec any more ({type(error).__name__})",
            "Take an unaltered copy of the file.",
        ) from error


def _rescue(
    shop: Shop, recipients: Sequence[str], stores: Mapping[str, StoreAccess], place: Path, signers: Collection[str]
) -> dict[str, object]:
    """A spec that can restore and nothing else: the databases' own addresses are not needed for it."""
    folders = {"folders": [{"name": each.name} for each in shop.folders]} if shop.folders else {}
    return {
        "shop": shop.shop,
        "databases": [{"name": each.name, "url": {"env": "NOT_NEEDED"}} for each in shop.databases],
        **folders,
        "stores": {name: _store(each) for name, each in stores.items()},
        "encryption": {
            "recipients": list(recipients),
            "signers": sorted(signers),
            "identity": {"file": str(place)},
        },
    }


def _store(access: StoreAccess) -> dict[str, object]:
    if access.url.startswith("file:"):
        return {"url": access.url}
    keys = {"access_key": {"env": "STORE_ACCESS_KEY"}, "secret_key": {"env": "STORE_SECRET_KEY"}}
    return {"url": access.url, "endpoint": access.endpoint, "region": access.region, **keys}


def write_escrow(place: Path, text: str) -> None:
    """A new file for its owner alone. Raises ConfigurationError if something is there or nothing can be."""
    try:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"write {place}", error.strerror or str(error), "Name a new file in a folder that is there."
        ) from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
