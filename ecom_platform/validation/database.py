"""Validates a managed database: reachable as each role, and each role no stronger than it needs to be."""

from __future__ import annotations

from ecom_platform.clients.sql import connect
from ecom_platform.errors import EcomError
from ecom_platform.platforms.protocol import DatabaseAccess, Platform
from ecom_platform.records import Findings
from ecom_platform.spec import Database
from ecom_platform.verdicts import Verdict, failed, holds

CHECKS = {
    "reachable": "the database answers the app role and the backup role",
    "least_privilege": "the app role cannot change the schema, the backup role cannot write; seen by trying",
}


def validate_database(platform: Platform, database: Database) -> Findings:
    app, backup = platform.database(database, "app"), platform.database(database, "backup")
    return Findings(
        {
            "reachable": [_answers(app, "the app role"), _answers(backup, "the backup role")],
            "least_privilege": [
                refused(app, "the app role cannot create a table", "CREATE TABLE public.refused (id int)"),
                refused(backup, "the backup role cannot create a table", "CREATE TABLE public.refused (id int)"),
                refused(app, "the app role cannot create a role", "CREATE ROLE refused"),
                _not_superuser(app),
                _not_superuser(backup),
            ],
        }
    )


def _answers(access: DatabaseAccess, who: str) -> Verdict:
    try:
        with connect(access) as connection:
            row = connection.execute("SELECT current_user, current_database()").fetchone()
    except EcomError as error:
        return failed(f"{who} reaches the database", str(error))
    return holds(f"{who} reaches the database", row is not None, f"as {row[0]} in {row[1]}" if row else "no row")


def refused(access: DatabaseAccess, claim: str, statement: str) -> Verdict:
    """Tries a forbidden statement in a transaction that is rolled back whatever happens."""
    from psycopg.errors import InsufficientPrivilege

    try:
        with connect(access) as connection, connection.transaction(force_rollback=True):
            connection.execute(statement.encode())
    except EcomError as error:
        by_rights = isinstance(error.__cause__, InsufficientPrivilege)
        return holds(claim, by_rights, f"refused: {error.__cause__}" if by_rights else str(error))
    return failed(claim, "it was allowed")


def _not_superuser(access: DatabaseAccess) -> Verdict:
    query = "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user"
    try:
        with connect(access) as connection:
            row = connection.execute(query).fetchone()
    except EcomError as error:
        return failed(f"the role of {access.url} is no superuser", str(error))
    name, superuser = row or ("the role", True)
    return holds(f"{name} is no superuser", not superuser, f"rolsuper is {superuser}")
