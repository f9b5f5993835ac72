"""Examinations of what goes on: connections, transactions, replication, the archiving of WAL."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from yumai_pipelines.health.examination import Complaint, Examination, Outcome, Patient, advice, in_words
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.replicas import ReplicaError, replica_of
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


def _connections(patient: Patient) -> Outcome:
    ((used, room),) = patient.rows(read_sql("health", "count_connections.sql"))
    complaint = Complaint(
        f"{used} of {room} connections are used.",
        "SELECT usename, application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2 ORDER BY 3 DESC; says by whom. "
        "Give the greediest a pooler of sessions, or raise max_connections and restart.",
    )
    full = used > room * patient.limits.connections_share
    return Outcome(f"{used} of {room}", [complaint] if full else [], {"connections": used, "connections_limit": room})


class _Transaction(NamedTuple):
    who: str
    seconds: float
    ends_by: str


def _transactions(patient: Patient) -> Outcome:
    found = patient.read("list_transactions.sql", _Transaction)
    limit = patient.limits.transaction.total_seconds()
    complaints = [
        Complaint(
            f"{each.who} has been open for {each.seconds / 3600:.1f} hours: no row that was deleted since can be "
            "cleaned up, and runs that change tables may wait for it.",
            f"Ask whose it is, and end it: {each.ends_by};",
        )
        for each in found
        if each.seconds > limit
    ]
    oldest = max((each.seconds for each in found), default=0.0)
    return Outcome(f"the oldest is {oldest:.0f} s old", complaints, {"oldest_transaction_seconds": oldest})


class _Slot(NamedTuple):
    name: str
    active: bool
    wal_status: str | None
    retained: int


class _Replica(NamedTuple):
    name: str
    state: str
    lag_seconds: float


def _replication(patient: Patient) -> Outcome:
    slots = patient.read("list_slots.sql", _Slot)
    replicas = patient.read("list_replicas.sql", _Replica)
    return Outcome(
        f"{len(replicas)} replicas, {len(slots)} slots",
        [*_complaints_of_slots(patient, slots), *_complaints_of_replicas(patient, replicas)],
        {
            "replica_lag_seconds": {each.name: each.lag_seconds for each in replicas},
            "slot_retained_bytes": {each.name: each.retained for each in slots},
        },
    )


def _complaints_of_slots(patient: Patient, slots: list[_Slot]) -> Iterator[Complaint]:
    for each in slots:
        drop = f"SELECT pg_drop_replication_slot('{each.name}');"
        if each.wal_status in {"lost", "unreserved"}:
            yield Complaint(
                f"The replica of the slot {each.name} can no longer catch up: its WAL is {each.wal_status}.",
                f"Make the replica anew by pg_basebackup, or, if it is gone for good: {drop}",
            )
        elif each.retained > patient.limits.retained_wal:
            yield Complaint(
                f"The slot {each.name} keeps {in_words(each.retained)} of WAL, which will fill the disk.",
                f"Start its replica again. If it is gone for good: {drop}",
            )
        elif not each.active:
            yield advice(f"Nobody uses the slot {each.name}.", f"Start its replica, or: {drop}")


def _complaints_of_replicas(patient: Patient, replicas: list[_Replica]) -> Iterator[Complaint]:
    for each in replicas:
        if each.lag_seconds > patient.limits.replication_lag.total_seconds():
            yield Complaint(
                f"The replica {each.name} ({each.state}) is {each.lag_seconds:.0f} seconds behind.",
                "Look whether a long query on it holds the replay up (max_standby_streaming_delay), and at its disk "
                "and network.",
            )


def _replica(patient: Patient) -> Outcome:
    replica = replica_of(patient.settings)
    if replica is None:
        return Outcome("none in YUMAI_REPLICA_URL")
    try:
        source = replica.read(
            patient.connection,
            partial(connect, application_name="yumai: doctor", role=None, read_only=True),
            lambda reader: reader.connection.execute("SELECT"),
        ).source
    except ReplicaError as error:
        complaint = Complaint(
            f"The replica of YUMAI_REPLICA_URL is not read: {error}.",
            "All is read on the primary meanwhile. Start the replica, or have it catch up; make it anew by "
            "pg_basebackup if it follows another server; or correct or unset YUMAI_REPLICA_URL.",
        )
        return Outcome("not read", [complaint], {"replica_read": 0})
    return Outcome(str(source), measures={"replica_read": 1, "replica_behind_bytes": source.behind or 0})


class _Archiver(NamedTuple):
    mode: str
    archived: str | None
    failed: str | None
    failed_at: datetime | None
    fails: bool


def _wal_archive(patient: Patient) -> Outcome:
    (archiver,) = patient.read("describe_archiver.sql", _Archiver)
    if archiver.mode == "off":
        complaint = advice(
            "WAL is not archived, so nothing can be restored between two backups.",
            'See "Backup and return" in docs/backup.md, for what pg_dump and what WAL archiving give you.',
        )
        return Outcome("off", [complaint])
    failing = Complaint(
        f"WAL cannot be archived: {archiver.failed} failed at {archiver.failed_at}. It stays in pg_wal, and will fill "
        "the disk.",
        "The server's log has what archive_command said. Put that right; PostgreSQL tries again by itself.",
    )
    return Outcome(f"{archiver.archived or 'nothing'} was archived last", [failing] if archiver.fails else [])


TRAFFIC_EXAMINATIONS = (
    Examination("connections", "there is room for more connections", _connections),
    Examination("transactions", "no transaction, open or prepared, is forgotten", _transactions),
    Examination("replication", "replicas follow, and no slot fills the disk", _replication),
    Examination("replica", "readers are sent to a replica that is not behind", _replica),
    Examination("wal_archive", "WAL gets to where backups are", _wal_archive),
)
