"""The rebuild file of a set: plain text, exact commands, for somebody with an empty machine, a copy of the store
and the key. Pure: manifests in, text out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ecom_platform.backup.manifest import Manifest, Part

_HEAD = """\
How to rebuild the shop {shop} from this set
{line}

You need: this store (or a copy of it), the private key file of one of the recipients below, and
the programs age, zstd, tar, and psql and pg_restore of PostgreSQL {version} or newer
(an older pg_restore does not read what a newer pg_dump wrote).
With the program itself it is shorter; see "With ecom" at the end.

Recipients: {recipients}

    export STORE=...      # the folder of this store, or a copy: aws s3 sync s3://BUCKET/PREFIX "$STORE"
    export KEY=...        # the private key file (AGE-SECRET-KEY-1...)
    export TARGET=...     # an empty folder for the files
    export PGHOST=... PGUSER=... PGPASSWORD=...    # an empty server, as a superuser
    set -euo pipefail
    open() {{ age --decrypt --identity "$KEY" "$STORE/$1" | zstd --decompress; }}
"""

_CHECK = """
{number}. Look whether every object is the one that was stored

    cd "$STORE"
    sha256sum --check <<'END'
{sums}
    END
"""

_TREE = """
{number}. {title} ({source}, snapshot {id}, {files} files)

    mkdir -p "$TARGET/{name}"
    open {content} |
        tar --extract --preserve-permissions --delay-directory-restore --directory "$TARGET/{name}"
    open {index} > "$TARGET/{name}.index.jsonl"    # path, mode, time, size and SHA-256 of each file
"""

_DATABASE = """
{number}. The database {name} ({source}, snapshot {id}, of {at:%Y-%m-%d %H:%M:%S} UTC)

    createdb --template template0 --encoding {encoding} {name}
{roles}    open {schema} > schema.dump
    pg_restore --dbname {name} --exit-on-error --section pre-data schema.dump
{data}
    pg_restore --dbname {name} --exit-on-error --section post-data schema.dump
"""

_TAIL = """
{number}. Start the shop with the restored configuration

    cat "$TARGET/configuration/spec.yaml"
    ecom --spec "$TARGET/configuration/spec.yaml" up

With ecom: one program for all of the above, which also compares what comes back

    ecom recover --from URL --identity "$KEY"

Without any of it the data is still yours: every object is zstd inside of age, every folder a tar, every
database an archive of pg_dump.
"""


def rebuild_text(shop: str, members: Sequence[Manifest]) -> str:
    """The text for these snapshots; the same for the same members."""
    ordered = sorted(members, key=lambda each: (_ORDER.get(each.kind, 9), each.source))
    version = max((each.tools.get("pg_dump", "") for each in members), default="") or "any version"
    recipients = sorted({recipient for each in members for recipient in each.recipients})
    title = f"How to rebuild the shop {shop} from this set"
    steps = [
        _HEAD.format(shop=shop, line="=" * len(title), version=version, recipients=", ".join(recipients)),
        _CHECK.format(number=1, sums="\n".join(f"    {each.sha256}  {each.key}" for each in _parts(ordered))),
    ]
    for number, each in enumerate(ordered, start=2):
        steps.append(_database(number, each) if each.kind == "database" else _tree(number, each))
    steps.append(_TAIL.format(number=len(ordered) + 2))
    return "".join(steps)


_ORDER = {"configuration": 0, "folder": 1, "database": 2}


def _parts(members: Sequence[Manifest]) -> Iterator[Part]:
    for each in members:
        yield from each.objects


def _tree(number: int, manifest: Manifest) -> str:
    is_folder = manifest.kind == "folder"
    name = manifest.source.partition("/")[2]
    return _TREE.format(
        number=number,
        title=f"The folder {name}" if is_folder else "The configuration",
        source=manifest.source,
        id=manifest.id,
        files=manifest.fingerprint["files"],
        name=f"folders/{name}" if is_folder else "configuration",
        content=manifest.part("content").key,
        index=manifest.part("index").key,
    )


def _database(number: int, manifest: Manifest) -> str:
    name = manifest.source.partition("/")[2]
    keys = {each.name: each.key for each in manifest.objects}
    data = [key for part, key in keys.items() if part not in ("schema", "roles")]
    roles = f"    open {keys['roles']} | psql --dbname postgres      # a role that is there already is no error\n"
    return _DATABASE.format(
        number=number,
        name=name,
        source=manifest.source,
        id=manifest.id,
        at=manifest.snapshot_at,
        encoding=manifest.fingerprint.get("encoding", "UTF8"),
        roles=roles if "roles" in keys else "",
        schema=keys["schema"],
        data="\n".join(f"    open {key} | pg_restore --dbname {name} --exit-on-error --section data" for key in data),
    )
