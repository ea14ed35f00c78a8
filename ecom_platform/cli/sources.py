"""What a person may call a source on the command line, and which source a snapshot's id belongs to."""

from __future__ import annotations

from ecom_platform.cli.context import Context
from ecom_platform.errors import ConfigurationError

COMPLETE = "complete/all"
BACKUP_JOBS = {
    "database": "backup",
    "folder": "backup_folders",
    "configuration": "backup_configuration",
    "complete": "backup_complete",
}
VERIFY_JOBS = {
    "database": "verify_restore",
    "folder": "verify_folders",
    "configuration": "verify_configuration",
    "complete": "verify_complete",
}


def names(context: Context) -> dict[str, str]:
    """Every source (KIND/NAME) by what it may be called: databases by their names, all by their assets' subjects."""
    from ecom_platform import keys
    from ecom_platform.backup.sources.taken import sources_of

    known = [*sources_of(context.shop), COMPLETE]
    subjects = {keys.subject_of(each): each for each in known}
    return (
        subjects
        | {each: each for each in known}
        | {each.name: f"database/{each.name}" for each in context.shop.databases}
    )


def named(context: Context, name: str) -> str:
    """Raises ConfigurationError with all that there are."""
    known = names(context)
    if name not in known:
        shown = [each for each in known if "/" not in each and not each.startswith("database-")]
        shown.sort(key=lambda each: list(BACKUP_JOBS).index(kind_of(known[each])))
        raise ConfigurationError(f"find the source {name}", "the spec has none of that name", f"It has {shown}.")
    return known[name]


def kind_of(source: str) -> str:
    return source.partition("/")[0]


def of_snapshot(context: Context, snapshot: str, name: str | None, store: str) -> str:
    """The source of a snapshot: the one that is named, else the one under which the store has that id, else the
    only database. store: empty for the first of the spec.
    """
    if name:
        return named(context, name)
    found = _sources_with(context, snapshot, store) if snapshot != "latest" else set()
    if len(found) == 1:
        return found.pop()
    if len(context.shop.databases) != 1:
        raise ConfigurationError(
            "choose a source", f"the spec has {len(context.shop.databases)} databases", "Name one with --source."
        )
    return f"database/{context.shop.databases[0].name}"


def _sources_with(context: Context, snapshot: str, store: str) -> set[str]:
    """By the names of the objects alone: that they can be trusted is looked at when it is opened."""
    from ecom_platform.clients.objects import open_store

    shop = context.shop.shop
    stored = open_store(context.platform.store(store or next(iter(context.shop.stores))))
    parts = [each.key.split("/") for each in stored.list(shop)]
    return {"/".join(each[1:3]) for each in parts if len(each) == 5 and each[3].startswith(snapshot)}
