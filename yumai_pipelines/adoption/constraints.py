"""Adds the constraints that an older database lacks: NOT VALID at first, then validated while writers go on.

Foreign keys are added to each partition first and then to the parent, which takes over the validated ones. Rows that
violate a foreign key are repaired before it is validated. A check or unique key that rows violate is not added, and is
accepted at the end.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from yumai_pipelines.adoption.core import REFERENCES
from yumai_pipelines.adoption.indexes import make_index
from yumai_pipelines.adoption.kinds import Kind
from yumai_pipelines.adoption.registry import CONVERSATIONS, TABLES
from yumai_pipelines.adoption.steps import Statement, exclusively, family, stopping_writers
from yumai_pipelines.adoption.target import NOT_VALID, constraint_text, home, own_name, referenced
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.snapshot import loosely

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yumai_pipelines.adoption.kinds import Ruling
    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import SchemaObject

TWO_TURNS_IN_ONE_INSTANT = "UNIQUE (session_id, conversation_time)"
"""A constraint of the older conversations. In the target, a session may have two turns at the same time."""


class Constraint(NamedTuple):
    """A constraint as the catalogue describes it."""

    name: str
    definition: str
    columns: list[str]

    @property
    def is_foreign_key(self) -> bool:
        """Whether it refers to another table."""
        return self.definition.startswith("FOREIGN KEY")

    def competes_with(self, definition: str) -> bool:
        """Whether a definition is a foreign key of the same column."""
        return definition.startswith(f"FOREIGN KEY ({', '.join(self.columns)}) ")

    def says(self, definition: str) -> bool:
        """Whether it has this definition, validated or not."""
        return loosely(self.definition.removesuffix(NOT_VALID)) == loosely(definition)


class PendingKey(NamedTuple):
    """A foreign key that is not validated: new rows satisfy it, older ones may violate it."""

    table: Relation
    name: str
    column: str
    referenced: Relation
    referenced_column: str


def list_constraints(connection: Connection, table: Relation) -> list[Constraint]:
    """A table's own constraints, without those inherited from its parent."""
    with connection.cursor(row_factory=class_row(Constraint)) as cursor:
        return cursor.execute(read_sql("adoption", "list_constraints.sql"), {"table": table.quoted}).fetchall()


def allow_two_turns_in_one_instant(steps: Steps) -> None:
    """Drop the unique constraint on session and time that older conversations have."""
    for each in list_constraints(steps.connection, CONVERSATIONS):
        if each.definition == TWO_TURNS_IN_ONE_INSTANT:
            tables = exclusively(*family(steps.connection, CONVERSATIONS))
            steps.briefly(f"drop {each.name}", tables, [_drop(CONVERSATIONS, each.name)])


def add_foreign_keys(steps: Steps) -> None:
    """Add the missing foreign keys as NOT VALID, and drop those of the same column that differ from the target's.

    From here on no new row can violate a key, so the repair only has to deal with older rows.
    """
    for relation, keys in _references(steps).items():
        _, *partitions = tables = family(steps.connection, relation)
        statements: list[Statement] = []
        others: list[Relation] = []
        for table in tables:
            found = [each for each in list_constraints(steps.connection, table) if each.is_foreign_key]
            for key in keys:
                same = [each for each in found if each.says(key.definition)]
                wrong = [each for each in found if each.competes_with(key.definition) and each not in same[:1]]
                statements += [_drop(table, each.name) for each in wrong]
                others += [other for each in wrong if (other := referenced(each.definition))]
                if same and same[0].name != own_name(key):
                    statements.append(_rename(table, same[0].name, own_name(key)))
                elif not same and (not partitions or table != relation):
                    statements.append(_add(table, own_name(key), key.definition + NOT_VALID))
        if statements:
            others += [other for key in keys if (other := referenced(key.definition))]
            _change_keys(steps, f"add foreign keys to {relation}", tables, others, statements)


def let_people_go(steps: Steps) -> None:
    """Give foreign keys of theirs that refuse the deletion of a person's rows a rule on delete."""
    for each in steps.of_kind(Kind.BLOCKING):
        relation, name = home(each.difference), own_name(each.difference)
        definition = each.difference.found.definition if each.difference.found else ""
        column = definition.removeprefix("FOREIGN KEY (").partition(")")[0]
        rule = "SET NULL" if may_be_null(steps.connection, relation, column) else "CASCADE"
        new = f"{definition.removesuffix(NOT_VALID)} ON DELETE {rule}"
        other = referenced(definition)
        tables = family(steps.connection, relation)
        statements: list[Statement] = [_drop(relation, name), _add(relation, name, new + NOT_VALID)]
        _change_keys(steps, f"let people go in spite of {name}", tables, [other] if other else [], statements)
        steps.gently(f"prove {name} of {relation}", _validate(relation, [name]))


def may_be_null(connection: Connection, table: Relation, column: str) -> bool:
    """Whether a column may be NULL: neither its declaration nor a check says that it may not."""
    query = (
        "SELECT NOT a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = a.attrelid "
        "AND k.contype = 'c' AND pg_get_expr(k.conbin, k.conrelid) = format('(%%I IS NOT NULL)', a.attname)) "
        "FROM pg_attribute AS a WHERE a.attrelid = %s::regclass AND a.attname = %s"
    )
    return bool(read_value(connection, query, (table.quoted, column)))


def list_pending_keys(connection: Connection) -> list[PendingKey]:
    """The foreign keys that are not validated yet, ordered by table and name."""
    names = [key.name for table in TABLES for key in table.foreign_keys]
    rows = connection.execute(read_sql("adoption", "list_pending_keys.sql"), {"names": names}).fetchall()
    return [PendingKey(Relation(*row[:2]), row[2], row[3], Relation(*row[4:6]), row[6]) for row in rows]


def find_violated(steps: Steps, keys: Iterable[PendingKey]) -> list[PendingKey]:
    """Validate foreign keys, those of different tables at the same time, and return those that a row violates."""
    tables: dict[Relation, list[PendingKey]] = {}
    for key in keys:
        tables.setdefault(key.table, []).append(key)

    def violated(lane: Steps, keys: list[PendingKey]) -> list[PendingKey]:
        return [key for key in keys if not _prove(lane, key)]

    return [key for found in steps.at_once([partial(violated, keys=each) for each in tables.values()]) for key in found]


def _prove(steps: Steps, key: PendingKey) -> bool:
    try:
        steps.gently(f"prove {key.name} of {key.table}", _validate(key.table, [key.name]))
    except psycopg.errors.ForeignKeyViolation:
        return False
    return True


def prove_foreign_keys(steps: Steps) -> None:
    """Validate the remaining foreign keys, and add to each partitioned table the keys that all its partitions have.

    A key that a row still violates stays NOT VALID, and is among the differences that the adoption reports at the end.
    """
    violated = {key.name for key in find_violated(steps, list_pending_keys(steps.connection))}
    for relation, missing in _references(steps).items():
        tables = family(steps.connection, relation)
        keys = [key for key in missing if own_name(key) not in violated]
        if len(tables) > 1 and keys:
            others = [other for key in keys if (other := referenced(key.definition))]
            statements: list[Statement] = [_add(relation, own_name(key), key.definition) for key in keys]
            _change_keys(steps, f"add foreign keys to {relation} itself", tables, others, statements)


def add_checks(steps: Steps) -> None:
    """Add and validate the missing checks that no row violates; rename those that only have another name.

    A check of theirs that has the name of one of ours is renamed, and stays.
    """
    for relation, checks in _by_table(steps.of_kind(Kind.CONDITION)).items():
        found = list_constraints(steps.connection, relation)
        names = {each.name: each for each in found}
        statements: list[Statement] = []
        unproven: list[str] = []
        for check in checks:
            name = own_name(check)
            same = next((each for each in found if each.says(check.definition)), None)
            if same is None and _is_violated(steps.connection, relation, check.definition):
                continue
            if name in names and same != names[name]:
                statements.append(_rename(relation, name, f"{name}_older"))
            if same is None:
                statements.append(_add(relation, name, check.definition + NOT_VALID))
            elif same.name != name:
                statements.append(_rename(relation, same.name, name))
            if same is None or same.definition.endswith(NOT_VALID):
                unproven.append(name)
        if statements:
            steps.briefly(f"add checks to {relation}", exclusively(*family(steps.connection, relation)), statements)
        if unproven:
            _prove_checks(steps, relation, unproven)


def _prove_checks(steps: Steps, relation: Relation, names: list[str]) -> None:
    """Validate checks. One that a row violates, which was written just before the check was added, is dropped."""
    try:
        steps.gently(f"prove {', '.join(names)} of {relation}", _validate(relation, names))
    except psycopg.errors.CheckViolation as error:
        violated = error.diag.constraint_name or names[0]
        drop = [_drop(relation, violated)]
        steps.briefly(f"drop {violated}, which a new row violates", exclusively(relation), drop)
        if left := [name for name in names if name != violated]:
            _prove_checks(steps, relation, left)


def add_unique_keys(steps: Steps) -> None:
    """Add the missing primary and unique keys of tables without partitions, from indexes built concurrently.

    A table with another primary key gets a unique key instead, where foreign keys refer to ours.
    """
    for relation, keys in _by_table(steps.of_kind(Kind.UNIQUE)).items():
        _, *partitions = family(steps.connection, relation)
        if partitions:
            _add_primary_key(steps, relation, partitions, *keys)
            continue
        for key in sorted(keys, key=lambda key: not key.definition.startswith("PRIMARY KEY")):
            kind, columns = key.definition.split(" (")
            _add_unique(steps, relation, own_name(key), kind, f" ({columns}")
    pointed_to = dict(REFERENCES.values())
    for each in steps.of_kind(Kind.OTHER_PRIMARY_KEY):
        relation = home(each.difference)
        column = pointed_to.get(relation)
        if column and len(family(steps.connection, relation)) == 1 and not _is_key(steps.connection, relation, column):
            _add_unique(steps, relation, f"{relation.name}_{column}_key", "UNIQUE", f" ({column})")


def _add_primary_key(steps: Steps, relation: Relation, partitions: list[Relation], key: SchemaObject) -> None:
    """Add the primary key of a table with partitions, each of which gets its own first."""
    same = next((each for each in list_constraints(steps.connection, relation) if each.says(key.definition)), None)
    if same is not None:
        rename = _rename(relation, same.name, own_name(key))
        steps.briefly(f"rename {same.name} to {own_name(key)}", exclusively(relation), [rename])
        return
    columns = key.definition.removeprefix("PRIMARY KEY")
    if is_repeated(steps.connection, relation, columns):
        return
    prove_values(steps, relation, re.findall(r"\w+", columns))
    for partition in partitions:
        found = [each.definition for each in list_constraints(steps.connection, partition)]
        if key.definition not in found:
            _add_unique(steps, partition, f"{partition.name}_pkey", "PRIMARY KEY", columns)
    name = sql.Identifier(own_name(key))
    statements: list[Statement] = [
        sql.SQL("ALTER TABLE ONLY {} ADD CONSTRAINT {} {}").format(relation.identifier, name, sql.SQL(key.definition))
    ]
    for partition in partitions:
        own = next(each for each in list_constraints(steps.connection, partition) if each.definition == key.definition)
        statements.append(
            sql.SQL("ALTER INDEX {} ATTACH PARTITION {}").format(
                Relation(relation.schema, own_name(key)).identifier, Relation(partition.schema, own.name).identifier
            )
        )
    statements += [drop_proof(relation, column) for column in re.findall(r"\w+", columns)]
    steps.briefly(f"add {own_name(key)}", exclusively(relation, *partitions), statements)


def _add_unique(steps: Steps, relation: Relation, name: str, kind: str, columns: str) -> None:
    found = list_constraints(steps.connection, relation)
    same = next((each for each in found if each.definition == kind + columns), None)
    locks = exclusively(relation)
    if same is not None:
        steps.briefly(f"rename {same.name} to {name}", locks, [_rename(relation, same.name, name)])
        return
    if is_repeated(steps.connection, relation, columns):
        return
    if any(each.name == name for each in found):
        aside = [_rename(relation, name, f"{name}_older")]
        steps.briefly(f"rename {name}, which differs", locks, aside)
    if kind == "PRIMARY KEY":
        prove_values(steps, relation, re.findall(r"\w+", columns))
    try:
        make_index(steps, relation, Relation(relation.schema, name), f"UNIQUE USING btree{columns}")
        use = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {}").format(
            relation.identifier, sql.Identifier(name), sql.SQL(kind), sql.Identifier(name)
        )
        steps.briefly(f"add {name}", locks, [use])
    except psycopg.errors.UniqueViolation:
        drop = sql.SQL("DROP INDEX IF EXISTS {}").format(Relation(relation.schema, name).identifier)
        steps.briefly(f"drop {name}, which a new row violates", locks, [drop])


def is_repeated(connection: Connection, relation: Relation, columns: str) -> bool:
    """Whether two rows of a table have the same values in columns, such as ` (user_id, order_id)`."""
    names = sql.SQL(columns)
    repeated = sql.SQL("SELECT EXISTS (SELECT FROM {} GROUP BY {} HAVING count(*) > 1 AND num_nulls{} = 0)").format(
        relation.identifier, sql.SQL(columns.strip(" ()")), names
    )
    return bool(read_value(connection, repeated))


def require_values(steps: Steps) -> None:
    """Declare columns NOT NULL: add a check, validate it, then declare, so that no scan stops writers.

    A column that has NULLs stays as it is.
    """
    wanted: dict[Relation, list[str]] = {}
    for each in steps.of_kind(Kind.NULLS, Kind.SESSIONS_GIVEN, Kind.TIMES_GIVEN):
        wanted.setdefault(home(each.difference), []).append(own_name(each.difference))
    for relation, columns in wanted.items():
        prove_values(steps, relation, columns)
        proven = [name for name, is_proven in _null_checks(steps.connection, relation).items() if is_proven]
        statements: list[Statement] = []
        for column in proven:
            statements += [
                sql.SQL("ALTER TABLE {} ALTER {} SET NOT NULL").format(relation.identifier, sql.Identifier(column)),
                drop_proof(relation, column),
            ]
        if statements:
            tables = exclusively(*family(steps.connection, relation))
            steps.briefly(f"declare {', '.join(proven)} of {relation} NOT NULL", tables, statements)


def prove_values(steps: Steps, relation: Relation, columns: Iterable[str]) -> None:
    """Add and validate checks that columns have no NULL; a column that has one is left out."""
    present = _null_checks(steps.connection, relation)
    tables = exclusively(*family(steps.connection, relation))
    for column in columns:
        if column not in present:
            condition = sql.SQL("CHECK ({} IS NOT NULL) NOT VALID").format(sql.Identifier(column))
            if _is_violated(steps.connection, relation, f'CHECK ("{column}" IS NOT NULL)'):
                continue
            statement = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                relation.identifier, sql.Identifier(_null_check(column)), condition
            )
            steps.briefly(f"require {column} of {relation} for new rows", tables, [statement])
        if not present.get(column, False):
            steps.gently(f"prove {column} of {relation}", _validate(relation, [_null_check(column)]))


def drop_proof(relation: Relation, column: str) -> sql.Composed:
    """The statement that drops the check of a column that `prove_values` added."""
    return _drop(relation, _null_check(column))


def _null_check(column: str) -> str:
    return f"yumai_{column}_there"


def _null_checks(connection: Connection, relation: Relation) -> dict[str, bool]:
    rows = connection.execute(read_sql("adoption", "list_null_checks.sql"), {"table": relation.quoted}).fetchall()
    return dict(rows)


def _by_table(rulings: Iterable[Ruling]) -> dict[Relation, list[SchemaObject]]:
    """The constraints of the target that the database lacks or has in another form, by table."""
    missing: dict[Relation, list[SchemaObject]] = {}
    for each in rulings:
        missing.setdefault(home(each.difference), []).append(each.expected)
    return missing


def _references(steps: Steps) -> dict[Relation, list[SchemaObject]]:
    """The missing foreign keys to what is unique, by table."""
    found = _by_table(steps.of_kind(Kind.REFERENCE))
    return {
        relation: there
        for relation, keys in found.items()
        if (there := [key for key in keys if _is_key(steps.connection, *REFERENCES[relation, key_column(key)])])
    }


def key_column(key: SchemaObject) -> str:
    """The column of a foreign key of the target."""
    return key.definition.removeprefix("FOREIGN KEY (").partition(")")[0]


def _is_key(connection: Connection, relation: Relation, column: str) -> bool:
    """Whether a column is a primary or unique key by itself, to which a foreign key may refer."""
    query = (
        "SELECT EXISTS (SELECT FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid "
        "AND k.conkey = ARRAY[a.attnum] WHERE k.contype IN ('p', 'u') AND NOT k.condeferrable "
        "AND k.conrelid = to_regclass(%s) AND a.attname = %s)"
    )
    return bool(read_value(connection, query, (relation.quoted, column)))


def _is_violated(connection: Connection, relation: Relation, check: str) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE NOT {})").format(
        relation.identifier, sql.SQL(check.removeprefix("CHECK "))
    )
    return bool(read_value(connection, query))


def _change_keys(
    steps: Steps, step: str, tables: list[Relation], others: Iterable[Relation], statements: list[Statement]
) -> None:
    """Add and drop foreign keys of a table, which also changes triggers of the tables that they refer to.

    The chatbot writes a turn to the conversations first and to the logs after. So writers of conversations are stopped
    first, and a transaction that has locked one of the other tables can still end. The other order of the locks is for
    writers that look up a user first.
    """
    pointed_to = [each for each in dict.fromkeys(others) if each not in tables]
    gate = [] if CONVERSATIONS in tables else stopping_writers(CONVERSATIONS)
    steps.briefly(
        step,
        [*gate, *exclusively(*tables, *pointed_to)],
        statements,
        otherwise=exclusively(*pointed_to, *tables),
    )


def _add(table: Relation, name: str, definition: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
        table.identifier, sql.Identifier(name), constraint_text(definition)
    )


def _drop(table: Relation, name: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table.identifier, sql.Identifier(name))


def _rename(table: Relation, old: str, new: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}").format(
        table.identifier, sql.Identifier(old), sql.Identifier(new)
    )


def _validate(table: Relation, names: Iterable[str]) -> sql.Composed:
    actions = sql.SQL(", ").join(sql.SQL("VALIDATE CONSTRAINT {}").format(sql.Identifier(name)) for name in names)
    return sql.SQL("ALTER TABLE {} {}").format(table.identifier, actions)
