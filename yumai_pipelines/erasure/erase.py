"""Erases a person: removes all data of a user from tables and files. Orders and reviews stay, without the person.

`docs/integrity.md` lists what cannot be reached, such as backups and Dagster's own records.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.types.json import Jsonb

from yumai_pipelines.erasure.archives import remove_replaced, rewrite_archives
from yumai_pipelines.extracts.user_key import key_id
from yumai_pipelines.model.registry import CONVERSATIONS, EXTRACTS, SESSIONS, USERS, VIEWS
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.default import clean_up
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.locks import every_advisory_lock
from yumai_pipelines.postgres.references import explaining_references
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import STEP_EVENT, PatientTransactions
from yumai_pipelines.postgres.values import read_value, relation_exists
from yumai_pipelines.schema.tables import TABLES, OnDelete, table_of
from yumai_pipelines.views.refresh import refresh

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from pydantic import SecretStr

    from yumai_pipelines.archives.store import Store
    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.tables import Table

OF_THE_PERSON = tuple(table for table in TABLES if table.user_key)
KEPT = tuple(table for table in OF_THE_PERSON if table.user_key and table.user_key.on_delete is OnDelete.SET_NULL)
"""Tables of business records: their rows outlive the user, and no longer say whose they were."""


_UNDONE = "Nothing was changed in the database; from the files of archived months, the person is gone."


class UnknownUserError(DatabaseError):
    """No user, row or file of the person was found, so there is nobody to erase."""


class TellingReasonError(DatabaseError):
    """The reason names the person who is to be forgotten."""


@dataclass(frozen=True)
class Erasure:
    """What was erased.

    Attributes:
        counts: number of rows that were deleted, or that stay without the person, by table and archived month; the same
            as in the audit row.
        months: first days of months whose extracts must be built again, because they were built from such rows, or
            have pseudonyms made with an unknown secret.
        out_of_reach: first days of months whose extracts may still hold rows of the person: their pseudonyms were made
            with an unknown secret, and retention has deleted their sources, so they cannot be built again.
    """

    counts: dict[str, int]
    months: tuple[date, ...]
    out_of_reach: tuple[date, ...]


def beyond_reach(erasure: Erasure) -> str:
    """What to do about the months that may still hold rows of the person."""
    months = ", ".join(f"{month:%Y-%m}" for month in erasure.out_of_reach)
    return (
        f"recommendation_outcomes of {months} has pseudonyms under an unknown secret, and cannot be built anew. "
        "Erase the person again by user_id, with that secret in YUMAI_PREVIOUS_USER_KEY_SECRETS."
    )


def erase_user(
    connection: Connection,
    *,
    reason: str,
    run_id: str,
    zone: ZoneInfo,
    user_key_secrets: Callable[[], Sequence[SecretStr]],
    store: Store,
    policy: LockPolicy,
    user_id: int | None = None,
    external_user_id: str | None = None,
) -> Erasure:
    """Remove a person's data: first from the archived months, then from the database, in one transaction.

    A run that was killed can be repeated with the same arguments: the user is in the database until the last step. Rows
    are deleted table by table, not by cascading foreign keys, so that they are counted, and are deleted even where
    triggers are disabled. A person whose row in users is gone already can be erased by id.

    It runs alone. A run that reads rows before they are erased, and writes what it has read afterwards, would bring the
    person back: a build of the extracts, an archive run, a restore, a repair, a move out of the default partition.

    Args:
        connection: in autocommit mode, as the owner of the tables.
        reason: why, in words that name nobody; kept in the audit row.
        run_id: id of the run, for the audit row.
        zone: the business's time zone, for the months.
        user_key_secrets: returns the secrets of the pseudonyms in the extracts; called only when there are pseudonyms.
        store: where archives are kept.
        policy: how long to wait for each other run of the pipeline that is under way.
        user_id: the person's id; give either this or the external id.
        external_user_id: the person's external id.

    Raises:
        UnknownUserError: no user, no row of any table and no file is the person's. Nothing was changed.
        TellingReasonError: the reason contains an id, a name, an address or a number of the person. Nothing was
            changed.
        UserKeySecretError: there are pseudonyms, but no secret to compute the person's with. Nothing was changed.
        StillReferredToError: rows of a table that this version does not know refer to the person's. Nothing was changed
            in the database.
        ArchiveError: a file cannot be read or written, or does not hold what it should. The file and everything in the
            database still exist.
        LockNotObtainedError: another run went on for as long as the policy's patience. Nothing was changed.
        ValueError: both ids or neither are given, or no reason.
    """
    if (user_id is None) == (external_user_id is None) or not reason.strip():
        raise ValueError("Erasing somebody takes a reason, and either user_id or external_user_id.")
    with every_advisory_lock(connection, policy):
        # A run that was killed may have left copies of rows in tables that stand aside.
        clean_up(PatientTransactions(connection, policy))
        with connection.transaction():
            user, names = _find(connection, user_id, external_user_id)
            _refuse_telling(reason, [str(user), *names])
            _secrets(connection, user_key_secrets)
        audit = _Audit(connection, reason.strip(), run_id)
        sessions = connection.execute(read_sql("erasure", "list_sessions.sql"), {"user": user})
        rewritten = rewrite_archives(connection, store, user, [session for (session,) in sessions])
        audit.note({f"archive of {month}": rows for month, rows in rewritten.rows.items()})
        remove_replaced(store, rewritten.replaced)
        sys.audit(STEP_EVENT, "erase from the database")
        with explaining_references(_UNDONE), connection.transaction():
            _wait_for_builds(connection)
            _find(connection, user, None)
            months = _months(connection, user, zone)
            counts = _erase(connection, user)
            unknown: list[tuple[date, bool]] = []
            secrets = _secrets(connection, user_key_secrets)
            for extract in filter(partial(_has_pseudonyms, connection), EXTRACTS):
                counts |= _erase_extracted(connection, user, extract, secrets)
                unknown += _under_unknown_secrets(connection, extract, secrets)
            audit.note(counts)
            if not audit.counts:
                raise UnknownUserError(
                    f"Nothing is known of user {user}: no user is left, no row of theirs, and no file with one."
                )
            for view in VIEWS:
                refresh(connection, view.relation)
        # Whoever refreshes a view by hand, and has waited for this transaction, fills it from a snapshot older than it.
        for view in VIEWS:
            refresh(connection, view.relation)
    return Erasure(
        audit.counts,
        tuple(sorted(months.union(month for month, purged in unknown if not purged))),
        tuple(sorted({month for month, purged in unknown if purged})),
    )


def preview_erasure(
    connection: Connection,
    *,
    reason: str,
    zone: ZoneInfo,
    user_key_secrets: Callable[[], Sequence[SecretStr]],
    user_id: int | None = None,
    external_user_id: str | None = None,
) -> Erasure:
    """Return what `erase_user` would do in the database, with the same arguments and errors, and change nothing.

    The rows are deleted in a transaction that is rolled back, so that they are counted as they would be. Files of
    archived months are not read.
    """
    with explaining_references("Nothing was changed."), connection.transaction(force_rollback=True):
        user, names = _find(connection, user_id, external_user_id)
        _refuse_telling(reason, [str(user), *names])
        months = _months(connection, user, zone)
        counts = _erase(connection, user)
        secrets = _secrets(connection, user_key_secrets)
        for extract in filter(partial(_has_pseudonyms, connection), EXTRACTS):
            counts |= _erase_extracted(connection, user, extract, secrets)
    return Erasure(counts, tuple(sorted(months)), ())


class _Audit:
    """The audit row of an erasure in `yumai_pipelines.erasures`: inserted with the first counts, then updated."""

    def __init__(self, connection: Connection, reason: str, run_id: str) -> None:
        self.counts: dict[str, int] = {}
        self._connection = connection
        self._parameters = {"reason": reason, "run_id": run_id}
        self._id: int | None = None

    def note(self, counts: dict[str, int]) -> None:
        """Add the counts of rows that were deleted or are about to be; without any, do nothing."""
        self.counts |= counts
        if not counts:
            return
        parameters = {**self._parameters, "id": self._id, "counts": Jsonb(self.counts)}
        name = "record_erasure.sql" if self._id is None else "update_erasure.sql"
        self._id = read_value(self._connection, read_sql("erasure", name), parameters)


def _find(connection: Connection, user_id: int | None, external_user_id: str | None) -> tuple[int, Sequence[str]]:
    """The person's id, and the texts that name them; none when only the id is left."""
    person = connection.execute(
        read_sql("erasure", "find_person.sql"), {"user_id": user_id, "external_user_id": external_user_id}
    ).fetchone()
    if person:
        return person[0], person[1]
    if user_id is None:
        raise UnknownUserError(
            "No user has this external_user_id. Nothing was changed. If they were erased before, that is all: "
            "see yumai_pipelines.erasures for when."
        )
    return user_id, []


def _refuse_telling(reason: str, names: Sequence[str]) -> None:
    if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", reason, re.IGNORECASE) for name in names):
        raise TellingReasonError(
            "The reason names the person, and is kept when they are forgotten. Nothing was changed. Say why, not who."
        )


def _wait_for_builds(connection: Connection) -> None:
    """Wait for connections that still build extracts although that run's lock is gone, since its session was ended."""
    tables = sql.SQL(", ").join(extract.relation.identifier for extract in EXTRACTS if extract.user_key)
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(tables))


def _months(connection: Connection, user: int, zone: ZoneInfo) -> set[date]:
    """The months in which the sources of the extracts have rows of the person."""
    sources = {source for extract in EXTRACTS for source in extract.sources}
    return {
        month
        for table in map(table_of, sources)
        for (month,) in connection.execute(
            _statement(
                "list_months.sql", table, user, time=sql.Identifier(table.time or ""), zone=sql.Literal(zone.key)
            )
        )
    }


def _erase(connection: Connection, user: int) -> dict[str, int]:
    """Delete the person's rows, remove the person from rows that stay, and return the counts by table."""
    counts = {
        "yumai_pipelines.quarantine": connection.execute(
            read_sql("erasure", "delete_quarantined_rows.sql"),
            {"user": user, "kept": [str(table.relation) for table in KEPT]},
        ).rowcount
    }
    for table in KEPT:
        columns = (table.user_key.column if table.user_key else "", *table.personal)
        emptied = sql.SQL(", ").join(sql.SQL("{} = NULL").format(sql.Identifier(column)) for column in columns)
        quarantined = {"user": user, "table": str(table.relation), "without": Jsonb(dict.fromkeys(columns))}
        connection.execute(read_sql("erasure", "forget_quarantined_rows.sql"), quarantined)
        counts[f"{table.relation}, which stay"] = connection.execute(
            _statement("forget_rows.sql", table, user, emptied=emptied)
        ).rowcount
    # From here on, whoever writes into one of the person's sessions waits, and fails when the session is deleted.
    connection.execute("SELECT FROM chatbot.session_master WHERE user_id = %s FOR UPDATE", (user,))
    for detached in _detached(connection):
        month = replace(table_of(CONVERSATIONS), relation=detached)
        counts[str(detached)] = connection.execute(_statement("delete_rows.sql", month, user)).rowcount
    for table in reversed(OF_THE_PERSON):
        if table not in KEPT:
            counts[str(table.relation)] = connection.execute(_statement("delete_rows.sql", table, user)).rowcount
    users = "DELETE FROM chatbot.users WHERE id = %s"
    counts[str(USERS)] = connection.execute(users, (user,)).rowcount
    return {table: rows for table, rows in counts.items() if rows}


def _detached(connection: Connection) -> list[Relation]:
    """The tables of detached months that still exist, and partitions on their way out, which the parent may hide."""
    archives = archived.read(connection)
    tables = [archived.table_of(month) for month in archives]
    tables += [Relation(*each.partition.split(".", 1)) for each in archives.values() if each.state == "detaching"]
    return [table for table in tables if relation_exists(connection, table)]


def _has_pseudonyms(connection: Connection, extract: Extract) -> bool:
    if extract.user_key is None:
        return False
    query = sql.SQL("SELECT FROM {} WHERE {} IS NOT NULL LIMIT 1").format(
        extract.relation.identifier, sql.Identifier(extract.user_key)
    )
    return connection.execute(query).rowcount > 0


def _secrets(connection: Connection, user_key_secrets: Callable[[], Sequence[SecretStr]]) -> Sequence[SecretStr]:
    """The secrets, if any extract has pseudonyms; else none."""
    return user_key_secrets() if any(_has_pseudonyms(connection, extract) for extract in EXTRACTS) else ()


def _erase_extracted(
    connection: Connection, user: int, extract: Extract, secrets: Sequence[SecretStr]
) -> dict[str, int]:
    """Delete an extract's rows under the person's pseudonyms: it cannot be built again once its sources are purged."""
    statement = sql.SQL(read_sql("erasure", "delete_extracted_rows.sql")).format(
        extract=extract.relation.identifier, user_key=sql.Identifier(extract.user_key or ""), user=sql.Literal(user)
    )
    parameters = {"user_key_secrets": [secret.get_secret_value() for secret in secrets]}
    rows = connection.execute(statement, parameters).rowcount
    return {str(extract.relation): rows} if rows else {}


def _under_unknown_secrets(
    connection: Connection, extract: Extract, secrets: Sequence[SecretStr]
) -> list[tuple[date, bool]]:
    """The months with pseudonyms made with an unknown secret, and whether retention has deleted their sources."""
    parameters = {"extract": extract.relation.name, "user_key_ids": [key_id(secret) for secret in secrets]}
    return connection.execute(read_sql("erasure", "list_months_under_unknown_secrets.sql"), parameters).fetchall()


def _statement(name: str, table: Table, user: int, **parts: sql.Composable) -> sql.Composed:
    theirs = sql.SQL("t.user_id = {}").format(sql.Literal(user))
    if table.session_key:
        theirs = sql.SQL(
            "({} OR t.session_id = ANY(ARRAY(SELECT s.session_id FROM {} AS s WHERE s.user_id = {})))"
        ).format(theirs, SESSIONS.identifier, sql.Literal(user))
    return sql.SQL(read_sql("erasure", name)).format(table=table.relation.identifier, theirs=theirs, **parts)
