"""What every connection of this project has set, so that neither a role, a database nor an environment bends its SQL.

Each of them may set almost anything for new connections (`ALTER ROLE … SET`, `ALTER DATABASE … SET`, PGOPTIONS). What
changes the meaning of a statement, the shape of a value or whether a statement runs at all is set here, in one place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from yumai_pipelines.postgres.errors import DatabaseError, UnsupportedServerError

if TYPE_CHECKING:
    from yumai_pipelines.postgres.connections import Connection

CONNECTION_PARAMETERS: dict[str, str | int | None] = {
    # A server that does not answer ends the run, and so does a network that loses what is sent.
    "connect_timeout": 30,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""Parameters of libpq, where the URL does not name them itself."""

SETTINGS = {
    # Names are found in pg_catalog alone. Whoever may create a function or an operator elsewhere could otherwise have
    # it run with the rights of the pipeline, or of the superuser who logged in.
    "search_path": "pg_catalog, pg_temp",
    # Rows that a policy hides are an error, and not absent.
    "row_security": "off",
    # psycopg reads these styles alone, and the archives are written in them.
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "timezone_abbreviations": "Default",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "xmlbinary": "base64",
    "xmloption": "content",
    # How statements are read.
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "plpgsql.extra_errors": "none",
    # How names are printed: definitions are compared as text.
    "quote_all_identifiers": "off",
    # What a statement may see and do.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "check_function_bodies": "on",
    "exit_on_error": "off",
    # A limit here leaves out rows that a GIN index finds.
    "gin_fuzzy_search_limit": "0",
    # Each step has limits of its own; one that is not ours would end it halfway, and look like somebody in the way. A
    # run that is stopped, or cut off, in a transaction loses it, so that nobody waits for it for ever.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "10min",
    "idle_session_timeout": "0",
    # What is made is made where its parent is, or where the database has it.
    "default_table_access_method": "heap",
    "default_tablespace": "",
    # The server notices a client that is gone while a long statement runs.
    "client_connection_check_interval": "10s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""What any login may set, with its value."""

NEWER_SETTINGS = {
    # PostgreSQL 17.
    "transaction_timeout": "0",
    "restrict_nonsystem_relation_kind": "",
}
"""The same, of settings that not every version has."""

REQUIRED = {
    # Else foreign keys and triggers do nothing.
    "session_replication_role": "origin",
    # Else damaged pages are read as if they had no rows.
    "zero_damaged_pages": "off",
    "ignore_checksum_failure": "off",
}
"""What only a superuser may set: set where it differs and can be set, and refused where it cannot."""


def pin(connection: Connection, zone: str) -> None:
    """Set everything that the meaning of our SQL depends on; the first act on a new connection.

    Args:
        connection: a new one.
        zone: the business's time zone, at whose midnights days and months begin.

    Raises:
        UnsupportedServerError: the database keeps text in another encoding than UTF-8.
        DatabaseError: a setting that only a superuser may change stands in the way.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise UnsupportedServerError(
            f"The database {connection.info.dbname} keeps text as {encoding}; YUMAI needs UTF8, since its people write "
            "Korean. Make a database with ENCODING 'UTF8' TEMPLATE template0, and move what is there with pg_dump."
        )
    settings = {**SETTINGS, "TimeZone": zone}
    with connection.cursor() as cursor:
        cursor.execute(_SET, (list(settings), list(settings.values())))
        cursor.execute(_SET_IF_KNOWN, (list(NEWER_SETTINGS), list(NEWER_SETTINGS.values())))
        different = cursor.execute(_LIST_DIFFERENT, (list(REQUIRED), list(REQUIRED.values()))).fetchall()
        for name, value, found in different:
            try:
                cursor.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
            except psycopg.errors.InsufficientPrivilege as error:
                raise DatabaseError(
                    f"{name} is {found} for {connection.info.user} in {connection.info.dbname}, so that rows would be "
                    f"read or written past their rules. As a superuser: ALTER ROLE or ALTER DATABASE … RESET {name}."
                ) from error


_SET = """
    SELECT pg_catalog.set_config(s.name, s.value, false)
    FROM ROWS FROM (
        pg_catalog.unnest(%s::pg_catalog.text[]), pg_catalog.unnest(%s::pg_catalog.text[])
    ) AS s (name, value)
"""
_SET_IF_KNOWN = f"""{_SET}
    WHERE pg_catalog.current_setting(s.name, true) IS NOT NULL
"""
SET_LOCALLY = _SET_IF_KNOWN.replace("s.value, false", "s.value, true")
"""Sets, until the transaction ends, settings of two arrays, of names and of values, that the server knows."""
_LIST_DIFFERENT = """
    SELECT s.name, s.value, pg_catalog.current_setting(s.name)
    FROM ROWS FROM (
        pg_catalog.unnest(%s::pg_catalog.text[]), pg_catalog.unnest(%s::pg_catalog.text[])
    ) AS s (name, value)
    WHERE pg_catalog.current_setting(s.name) OPERATOR(pg_catalog.<>) s.value
"""
