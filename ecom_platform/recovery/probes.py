"""The platform's own eyes: what notices that the shop is ill, seen from outside and without knowing the fault.

front door    every endpoint of the spec, through the active address
services      each service's readiness, through the active address
database      it lets the backup role in
content       every table of the last proved snapshot is there and can be read to its end; no growing one shrank
folders       no file of application data that was there has gone
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.backup.fingerprint_sql import quoted
from ecom_platform.clients import sql
from ecom_platform.clients.web import session
from ecom_platform.errors import DeadlineExceeded, EcomError
from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Database, Service, Shop
from ecom_platform.verdicts import Verdict, equal, failed, holds, passed

POLL_SECONDS = 0.1
ANSWER_SECONDS = 3.0
"""An answer that takes longer is none for a customer."""

READ_SECONDS = 300.0
"""A table is read to its end: a corrupted page shows only to whoever reads it."""

Probe = Callable[[], Iterator[Verdict]]


@dataclass(frozen=True, slots=True)
class Alarm:
    """What was noticed first, and how long after the look began."""

    seen: tuple[Verdict, ...]
    seconds: float


def probes(platform: Platform, shop: Shop, rows: Mapping[str, Mapping[str, int]]) -> list[Probe]:
    """The quick ones first. rows: of the last proved snapshot, by database and schema.table."""
    slow: list[Probe] = [
        lambda each=each: content(platform, each, rows.get(each.name, {}))  # type: ignore[misc]
        for each in shop.databases
    ]
    return [*fronts(platform, shop), *slow]


def fronts(platform: Platform, shop: Shop) -> list[Probe]:
    """Each service at its active address."""
    return [lambda each=each: front(platform, each) for each in shop.services]  # type: ignore[misc]


def noticed(checks: list[Probe]) -> list[Verdict]:
    """The verdicts of the first probe that is not satisfied; empty when all are."""
    for check in checks:
        bad = [each for each in check() if not each.passed]
        if bad:
            return bad
    return []


def wait_for_alarm(checks: list[Probe], *, seconds: float) -> Alarm:
    """Look again and again until something is wrong. Raises DeadlineExceeded when nothing is seen in that time."""
    began = time.monotonic()
    while not (bad := noticed(checks)):
        if time.monotonic() - began > seconds:
            raise DeadlineExceeded("notice the fault", f"every probe was satisfied for {seconds:g} s", "")
        time.sleep(POLL_SECONDS)
    return Alarm(tuple(bad), time.monotonic() - began)


def wait_until_well(checks: list[Probe], *, seconds: float) -> None:
    """Look until nothing is wrong. Raises DeadlineExceeded with what still is."""
    if bad := still_wrong(checks, seconds=seconds):
        raise DeadlineExceeded("see the shop well", "; ".join(str(each) for each in bad[:3]), "See `ecom logs`.")


def still_wrong(checks: list[Probe], *, seconds: float) -> list[Verdict]:
    """Look until nothing is wrong or the time is over; what is wrong then."""
    deadline = time.monotonic() + seconds
    while (bad := noticed(checks)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return bad


def front(platform: Platform, service: Service) -> Iterator[Verdict]:
    """The service's readiness and endpoints at its active address; it stops at the first that does not answer."""
    yield from answers(platform.address(service, "active"), service)


def answers(address: str, service: Service) -> Iterator[Verdict]:
    """The same at an address that is known already."""
    try:
        with session(address, seconds=ANSWER_SECONDS) as door:
            yield equal(f"{service.name} is ready", 200, door.get(service.probes.ready).status)
            for each in service.endpoints:
                answer = door.get(each.path)
                yield equal(f"{service.name}: {each.path}", each.status, answer.status)
                yield holds(f"{service.name}: {each.path} has its content", each.contains in answer.text, each.contains)
    except EcomError as error:
        yield failed(f"{service.name} answers", error.seen)


def content(platform: Platform, database: Database, rows: Mapping[str, int]) -> Iterator[Verdict]:
    """Every table of `rows` is there and can be read; a growing one has at least so many rows."""
    try:
        with sql.connect(platform.database(database, "backup"), statement_timeout=READ_SECONDS) as connection:
            # An index may be whole where its table is not.
            connection.execute("SET enable_indexonlyscan = off")
            yield passed(f"{database.name} lets the platform in", "connected")
            for table, least in rows.items():
                yield _read(connection, table, least if table in database.growing else 0)
    except EcomError as error:
        yield failed(f"{database.name} can be read", error.seen)


def folder(platform: Platform, name: str, files: int) -> Iterator[Verdict]:
    """The folder has at least so many files as were there before."""
    found = files_in(platform.folder(name))
    yield holds(f"the folder {name} has its files", found >= files, f"{found:,} files, {files:,} were there before")


def files_in(place: Path) -> int:
    """How many files the folder holds, at any depth."""
    return sum(len(names) for _, _, names in os.walk(place))


def key(file: Path) -> Iterator[Verdict]:
    """The platform's private key is where it was put."""
    yield holds("the platform has its private key", file.exists(), str(file))


def _read(connection: sql.Connection, table: str, least: int) -> Verdict:
    schema, _, name = table.partition(".")
    query = f"SELECT count(*) FROM {quoted(schema)}.{quoted(name)}"  # noqa: S608  # names are quoted
    found = sql.fetch(connection, query)[0][0]
    return holds(f"{table} has its rows", found >= least, f"{found:,} rows, at least {least:,} were there before")
