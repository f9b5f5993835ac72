"""Examinations of the tables: months ahead, the default partition, indexes, dead rows, the age of rows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from yumai_pipelines.health.examination import Complaint, Examination, Outcome, Patient, advice, in_words
from yumai_pipelines.model.calendar import in_ranges
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions.tables import Partition, describe_partitions
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Iterator


def _partitions(patient: Patient) -> Outcome:
    settings = patient.settings
    partitions = describe_partitions(patient.connection, settings.zone)
    current = Month.of(datetime.now(settings.zone), settings.zone)
    there = {each.month for each in partitions}
    missing = [month for month in current.through(current + settings.months_ahead) if month not in there]
    ahead = len([*current.through(current + settings.months_ahead)]) - len(missing) - 1
    complaints = [*_complaints_of_months(missing, current), *_complaints_of_default(patient, partitions)]
    return Outcome(f"{max(ahead, 0)} months ahead", complaints, {"months_ahead": max(ahead, 0)})


def _complaints_of_months(missing: list[Month], current: Month) -> Iterator[Complaint]:
    if missing:
        what = f"{in_ranges(missing)} have no partition: their rows go to the default partition."
        remedy = (
            "Run `yumai up`, or materialize these months of chatbot/conversations in Dagster's UI, and look why the "
            "schedule monthly_partitions_schedule has not."
        )
        yield Complaint(what, remedy) if missing[0] <= current + 1 else advice(what, remedy)


def _complaints_of_default(patient: Patient, partitions: list[Partition]) -> Iterator[Complaint]:
    default = next((each for each in partitions if each.is_default), None)
    if default is None:
        yield Complaint(
            "chatbot.conversations has no default partition: a row of a month without a partition is refused.",
            "Run `yumai up`.",
        )
        return
    table = default.relation.identifier
    if read_value(patient.connection, sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table)):
        yield advice(
            f"There are rows in the default partition {default.relation}.",
            "The check default_partition_empty says of which months; materialize them of chatbot/conversations.",
        )


def _indexes(patient: Patient) -> Outcome:
    broken = [name for (name,) in patient.rows(read_sql("health", "list_invalid_indexes.sql"))]
    complaints = [
        Complaint(
            f"The index {name} is invalid: no query uses it, and every write pays for it.",
            f"REINDEX INDEX CONCURRENTLY {name};",
        )
        for name in broken
    ]
    return Outcome("all valid" if not broken else f"{len(broken)} invalid", complaints)


class _Table(NamedTuple):
    name: str
    live: int
    dead: int
    vacuum_off: bool
    size: int


def _bloat(patient: Patient) -> Outcome:
    tables = patient.read("list_dead_rows.sql", _Table)
    dead = sum(each.dead for each in tables)
    return Outcome(f"{dead:,} dead rows", list(_complaints_of_tables(patient, tables)), {"dead_rows": dead})


def _complaints_of_tables(patient: Patient, tables: list[_Table]) -> Iterator[Complaint]:
    limits = patient.limits
    for each in tables:
        if each.vacuum_off:
            yield Complaint(
                f"Autovacuum is switched off for {each.name}.", f"ALTER TABLE {each.name} RESET (autovacuum_enabled);"
            )
        if each.dead > max(limits.dead_rows, limits.dead_share * (each.live + each.dead)):
            yield Complaint(
                f"{each.dead:,} of {each.live + each.dead:,} rows of {each.name} ({in_words(each.size)}) are dead, and "
                "nothing has cleaned them up.",
                f"VACUUM (VERBOSE, ANALYZE) {each.name}; says what holds it up: often an old transaction, or a slot.",
            )


class _Age(NamedTuple):
    what: str
    age: int
    limit: int


def _age(patient: Patient) -> Outcome:
    ages = patient.read("list_ages.sql", _Age)
    complaints = [
        Complaint(
            f"{each.what} is {each.age:,} transactions old, and autovacuum should have frozen it at {each.limit:,}. At "
            "two thousand million, the server takes no writes.",
            "VACUUM (FREEZE, VERBOSE) the oldest tables, as their owner: SELECT oid::regclass, age(relfrozenxid) FROM "
            "pg_class WHERE relkind IN ('r', 'm', 't') ORDER BY 2 DESC LIMIT 10; and see `transactions` and "
            "`replication` for what holds autovacuum up.",
        )
        for each in ages
        if each.age > each.limit * patient.limits.freeze_factor
    ]
    oldest = max(each.age for each in ages)
    return Outcome(f"the oldest is {oldest:,} transactions old", complaints, {"oldest_row_transactions": oldest})


TABLE_EXAMINATIONS = (
    Examination("partitions", "the months to come have their partitions", _partitions),
    Examination("indexes", "every index is valid", _indexes),
    Examination("bloat", "dead rows are cleaned up", _bloat),
    Examination("age", "rows are frozen long before transaction numbers run out", _age),
)
