"""The owners of an older database: which rights a login needs, and how the objects pass to the pipeline's role.

The earlier owners become members of `yumai_app`, the chatbot's role, and so can still read and write the rows, but no
longer own the tables. Objects that the project does not know keep their owner.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from yumai_pipelines.adoption.steps import Statement, exclusively
from yumai_pipelines.adoption.target import relations, target
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.connections import OWNER_ROLE
from yumai_pipelines.postgres.sql_files import read_sql, sql_path
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yumai_pipelines.adoption.cases import Case
    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.postgres.connections import Connection

ROLES = (OWNER_ROLE, "yumai_app", "yumai_analyst")


class Possession(NamedTuple):
    """An object that another role owns: its kind and name as ALTER … OWNER spells them, its schema, and its owner."""

    kind: str
    schema: str
    name: str
    owner: str


def function_names() -> set[str]:
    """The names of the functions of this version and of the target, without arguments."""
    known = (*snapshot.shipped(), *target())
    return {each.name.partition("(")[0] for each in known if each.kind == "function"}


def list_possessions(connection: Connection) -> list[Possession]:
    """The known objects that the pipeline's role does not own, schemas first."""
    values = {
        "relations": [str(relation) for relation in relations()],
        "types": [each.name for each in target() if each.kind == "type"],
        "functions": sorted(function_names()),
    }
    rows = connection.execute(read_sql("adoption", "list_foreign_objects.sql"), values).fetchall()
    return [Possession(*row) for row in rows]


def list_obstacles(connection: Connection) -> list[str]:
    """The rights that the login lacks to take over the database, each with what to do; empty when it has all."""
    owners = sorted({each.owner for each in list_possessions(connection)})
    facts = connection.execute(
        read_sql("adoption", "list_rights.sql"), {"owners": owners, "roles": list(ROLES)}
    ).fetchall()
    return [str(complaint) for (complaint,) in facts]


def prepare(steps: Steps, shape: str, cases: Iterable[Case]) -> None:
    """Create roles, extensions, schemas and working tables, and record what was found.

    The owners get the chatbot's rights before they lose their own.
    """
    connection = steps.connection
    possessions = list_possessions(connection)

    def work() -> None:
        for path in sorted(sql_path("bootstrap").glob("*.sql")):
            if path.name.startswith("3"):
                _take_schemas(connection, possessions)
            connection.execute(path.read_bytes())
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(OWNER_ROLE)))
        connection.execute(read_sql("adoption", "set_default_privileges.sql"))
        connection.execute(read_sql("adoption", "create_working_tables.sql"))
        connection.execute(sql_path("functions", "row_as_jsonb.sql").read_bytes())
        connection.execute("INSERT INTO yumai_pipelines.adoption_run (shape) VALUES (%s)", (shape,))
        for case in cases:
            connection.execute(
                "INSERT INTO yumai_pipelines.adoption_cases (what, relation, found, sample, handling) "
                "VALUES (%s, %s, %s, %s, %s)",
                (case.what, case.relation, case.found, json.dumps(case.sample), case.handling),
            )

    steps.briefly("make roles, extensions and schemas", [], work)


def _take_schemas(connection: Connection, possessions: list[Possession]) -> None:
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, sql.Identifier(OWNER_ROLE)))
    for owner in sorted({each.owner for each in possessions}):
        if not read_value(connection, "SELECT pg_has_role(%s, 'yumai_app', 'USAGE')", (owner,)):
            connection.execute(sql.SQL("GRANT yumai_app TO {} WITH INHERIT TRUE").format(sql.Identifier(owner)))
    for each in possessions:
        if each.kind == "SCHEMA":
            connection.execute(_take(each))


def take_over(steps: Steps) -> None:
    """Make the pipeline's role the owner of every known object, each in its own transaction.

    A plain sequence stays theirs: it may number rows elsewhere. The pipeline's role may set it, to make a missing user.
    """
    tables = {"tables": [relation.quoted for relation in relations()]}
    for name in steps.connection.execute(read_sql("adoption", "list_sequences.sql"), tables).fetchall():
        sequence = Relation(*name)
        share = sql.SQL("GRANT USAGE, SELECT, UPDATE ON SEQUENCE {} TO {}, yumai_app").format(
            sequence.identifier, sql.Identifier(OWNER_ROLE)
        )
        reach = sql.SQL("GRANT USAGE ON SCHEMA {} TO {}, yumai_app").format(
            sql.Identifier(sequence.schema), sql.Identifier(OWNER_ROLE)
        )
        steps.briefly(f"share sequence {sequence}", [], [share, reach])
    for each in list_possessions(steps.connection):
        statements: list[Statement] = [_take(each)]
        locks = []
        if each.kind == "TABLE":
            table = Relation(*(part.strip('"') for part in each.name.split(".")))
            locks = exclusively(table)
            if each.name in map(str, relations()):
                statements.append(
                    sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO yumai_app").format(table.identifier)
                )
        elif each.kind == "MATERIALIZED VIEW":
            statements.append(
                sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO yumai_app").format(sql.SQL(each.name))
            )
        steps.briefly(f"take over {each.kind.lower()} {each.name}", locks, statements)


def _take(each: Possession) -> sql.Composed:
    return sql.SQL("ALTER {} {} OWNER TO {}").format(sql.SQL(each.kind), sql.SQL(each.name), sql.Identifier(OWNER_ROLE))
