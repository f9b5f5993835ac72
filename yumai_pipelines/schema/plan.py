"""What an upgrade would run, and which locks it would take. Nothing is run, and nothing is locked, to find it out.

`make schema` runs each migration on a server of its own, and writes down in `sql/migrations/LOCKS.jsonl` what it locked
of what was there before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from yumai_pipelines.postgres.connections import connect, schema_revision
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.migrations import Deploy, deploy_of, migration_files
from yumai_pipelines.schema.time_zone import refuse_other_zone
from yumai_pipelines.schema.upgrade import refuse_newer, refuse_older_yumai

if TYPE_CHECKING:
    from pathlib import Path

    from yumai_pipelines.settings import Settings

LOCKS = "LOCKS.jsonl"

EVERY_UPGRADE = "every upgrade"
"""Stands for the files that run at every upgrade, where a lock is of no migration."""

MEANING = {
    "AccessExclusiveLock": "nobody reads or writes",
    "ExclusiveLock": "nobody writes",
    "ShareRowExclusiveLock": "nobody writes",
    "ShareLock": "nobody writes",
    "ShareUpdateExclusiveLock": "no VACUUM and no DDL; reading and writing go on",
}
"""The modes that are told, the strongest first, and what they keep others from."""


@dataclass(frozen=True)
class Lock:
    """A lock on a relation that a migration takes until the upgrade ends."""

    relation: str
    mode: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.relation}: {self.mode.removesuffix('Lock')}, {MEANING[self.mode]}"


@dataclass(frozen=True)
class Pending:
    """A migration that would run.

    Attributes:
        revision: its number.
        title: the first sentence of its file.
        deploy: whether it runs before or after the application is deployed.
        locks: what it locks of what was there before it.
    """

    revision: str
    title: str
    deploy: Deploy
    locks: tuple[Lock, ...]


@dataclass(frozen=True)
class Plan:
    """What an upgrade would do.

    Attributes:
        database: the name of the database.
        revision: its revision; None if it has no schema.
        migrations: those that would run, in order.
        functions: functions that are new or differ.
        always: locks of the files that run at every upgrade.
    """

    database: str
    revision: str | None
    migrations: tuple[Pending, ...]
    functions: tuple[str, ...]
    always: tuple[Lock, ...]

    def in_words(self, lock_timeout_ms: int) -> str:
        """The plan for people."""
        at = "has no schema" if self.revision is None else f"is at revision {self.revision}"
        lines = [f"The database {self.database} {at}."]
        for each in self.migrations:
            lines.append(f"{each.revision} would run, {each.deploy} the application is deployed: {each.title}")
            # Nothing is there yet that others could use.
            lines += [f"    locks {lock}" for lock in each.locks if self.revision is not None]
        if not self.migrations:
            lines.append("No migration would run.")
        lines += [f"The function {name} would be replaced." for name in self.functions if self.revision is not None]
        if self.revision is not None:
            lines += [f"Every upgrade locks {lock}." for lock in self.always]
            lines.append(
                f"Each lock is waited for {lock_timeout_ms} ms at a time; while it is held, others wait. All of it is "
                "one transaction, so a failure changes nothing."
            )
        return "\n".join(lines)


def plan(url: str, settings: Settings) -> Plan:
    """Say what `upgrade` would do.

    Raises:
        SchemaError: the database is an older YUMAI one, or a newer one.
        TimeZoneError: the database's months begin in another time zone.
    """
    with connect(url, application_name="yumai: plan an upgrade", role=None, read_only=True) as connection:
        refuse_older_yumai(connection)
        refuse_newer(connection)
        refuse_other_zone(connection, settings.timezone)
        revision = schema_revision(connection)
        found = {each.name: each.definition for each in snapshot.describe(connection) if each.kind == "function"}
        name = connection.info.dbname
    wanted = {each.name: each for each in snapshot.shipped() if each.kind == "function"}
    locks = _locks()
    return Plan(
        database=name,
        revision=revision,
        migrations=tuple(
            Pending(number, title_of(path), deploy_of(path), locks.get(number, ()))
            for number, path in migration_files().items()
            if revision is None or number > revision
        ),
        functions=tuple(sorted(name for name, each in wanted.items() if found.get(name) != each.definition)),
        always=locks.get(EVERY_UPGRADE, ()),
    )


def title_of(path: Path) -> str:
    """The first comment of a migration, without the mark of its deploy."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("-- ") for line in lines if line.startswith("-- ") and "-- Deploy: " not in line)


@cache
def _locks() -> dict[str, tuple[Lock, ...]]:
    found: dict[str, tuple[Lock, ...]] = {}
    for line in read_sql("migrations", LOCKS).splitlines():
        entry = json.loads(line)
        found[entry["step"]] = (*found.get(entry["step"], ()), Lock(entry["relation"], entry["mode"]))
    return found
