"""Whether a deployed version of yumai_pipelines and the schema of a database go together.

A migration says in its head whether it runs before or after the application is deployed (`-- Deploy: before` or
`-- Deploy: after`). One that runs before adds something: the older version goes on with it. One that runs after takes
something away: the database then remembers that older versions may not work with it any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.connections import schema_revision
from yumai_pipelines.postgres.errors import DatabaseError, SchemaMissingError
from yumai_pipelines.postgres.values import read_value, relation_exists
from yumai_pipelines.schema.migrations import Deploy, deploy_of, migration_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yumai_pipelines.postgres.connections import Connection

COMPATIBILITY = Relation("yumai_pipelines", "compatibility")


class OtherVersionError(DatabaseError):
    """The schema is older or newer than what this version works with. Nothing was changed."""


def refuse_other_version(connection: Connection) -> None:
    """Make sure that this version may work with the schema of a database.

    Raises:
        SchemaMissingError: there is none. Its roles may be there, since all databases of a server share them.
        OtherVersionError: naming both revisions, and what to do.
    """
    revision = schema_revision(connection)
    known = list(migration_files())
    if revision is None:
        raise SchemaMissingError(
            f"The database {connection.info.dbname} has no schema of this pipeline. Run `yumai up`; or, where it is an "
            "older YUMAI database, `yumai adopt --dry-run`. Nothing was changed."
        )
    if revision not in known:
        oldest = oldest_code(connection)
        if oldest not in known:
            raise OtherVersionError(too_new(connection, revision, oldest))
        return
    needed = [each for each, path in migration_files().items() if deploy_of(path) is Deploy.BEFORE]
    if revision < needed[-1]:
        raise OtherVersionError(
            f"The schema of the database {connection.info.dbname} is at revision {revision}, "
            f"and this version of yumai_pipelines needs {needed[-1]}. Run `yumai up` (first `yumai up --dry-run`). "
            "Nothing was changed."
        )


def too_new(connection: Connection, revision: str, oldest: str | None) -> str:
    """The message about a schema that a newer version has made."""
    return (
        f"The schema of the database {connection.info.dbname} is at revision {revision}, "
        f"which this version of yumai_pipelines does not know: it knows {max(migration_files())}. A newer version has "
        "upgraded the database"
        + (f", and versions that do not know {oldest} no longer work with it" if oldest else "")
        + ". Install that version. Nothing was changed."
    )


def oldest_code(connection: Connection) -> str | None:
    """The revision that a version must know to work with the database; None in a database from before there was one."""
    if not relation_exists(connection, COMPATIBILITY):
        return None
    oldest: str | None = read_value(connection, "SELECT oldest_code FROM yumai_pipelines.compatibility")
    return oldest


def remember_oldest_code(connection: Connection, ran: Iterable[str]) -> None:
    """Remember that older versions may not work with the database any more, if a migration ran that runs last."""
    files = migration_files()
    after = [revision for revision in ran if deploy_of(files[revision]) is Deploy.AFTER]
    if after:
        connection.execute("UPDATE yumai_pipelines.compatibility SET oldest_code = %s, since = now()", (after[-1],))
