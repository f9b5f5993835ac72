"""A whole adoption: its steps, their order, and the reasons for that order.

Each step looks at the database and does what is missing, so a run continues where an earlier one was stopped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from psycopg import sql

from yumai_pipelines.adoption import constraints, conversions, indexes, ownership, structure
from yumai_pipelines.adoption.acceptance import accept_what_is_kept, accept_what_is_left
from yumai_pipelines.adoption.cases import Case
from yumai_pipelines.adoption.compatibility import accept_older_application, keep_in_quarantine
from yumai_pipelines.adoption.errors import AdoptionError, AdoptionIncompleteError, NotToBeAdoptedError
from yumai_pipelines.adoption.finish import FinishReport, switch_off
from yumai_pipelines.adoption.functions import replace_functions
from yumai_pipelines.adoption.inventory import (
    ADOPTED,
    BEFORE,
    UNDER_WAY,
    Inventory,
    count_cases,
    missing_months,
    take_inventory,
)
from yumai_pipelines.adoption.kinds import Action, Kind, There
from yumai_pipelines.adoption.numbers import number_rows
from yumai_pipelines.adoption.references import repair
from yumai_pipelines.adoption.registry import SESSIONS
from yumai_pipelines.adoption.steps import StepRecord, Steps
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.partitions.tables import describe_partitions
from yumai_pipelines.postgres.connections import OWNER_ROLE, connect, schema_revision
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import carry_on
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.differences import list_accepted
from yumai_pipelines.schema.upgrade import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.differences import Accepted
    from yumai_pipelines.schema.upgrade import Creator
    from yumai_pipelines.settings import Settings


@dataclass(frozen=True)
class AdoptionReport:
    """What an adoption found and did.

    Attributes:
        shape: the kind of older database; `adopted` when there was nothing to do.
        run_id: id of the run in `yumai_pipelines.adoption_report`.
        cases: kinds of rows, counted before the adoption.
        after: the same, counted afterwards.
        steps: the steps that were taken, in order.
        unknown: objects that the project does not know, which were left alone.
        accepted: what stays unlike a fresh install, these objects among it.
        creators: who may create objects where functions of YUMAI find their names, besides the pipeline.
    """

    shape: str
    run_id: str
    cases: tuple[Case, ...] = ()
    after: tuple[Case, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    unknown: tuple[str, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    creators: tuple[Creator, ...] = ()

    def in_words(self) -> str:
        """The report for people: each case with its counts before and after."""
        if self.shape == ADOPTED:
            return "The database is adopted, or was installed by these migrations: nothing to do."
        after = {(case.what, case.relation): case.found for case in self.after}
        lines = [
            f"  - {case.relation}: {case.what}: {case.found} before, {after.get((case.what, case.relation), 0)} after"
            for case in self.cases
        ]
        known = [each for each in self.accepted if each.ours is not None]
        return "\n".join(
            [
                f"The YUMAI database {self.shape} is adopted, in {len(self.steps)} steps. Its report, also in "
                f"yumai_pipelines.adoption_report under {self.run_id}:",
                *lines,
                *([f"What stays unlike a fresh install, and is accepted ({len(known)}):"] if known else []),
                *(f"  - {each.object}: {each.why}" for each in known),
                f"{len(self.unknown)} objects are not known and were left alone. The older application may write on; "
                "when it is gone, run `yumai adopt --finish`.",
                *map(str, self.creators),
            ]
        )


def inspect(url: str, settings: Settings) -> Inventory:
    """Describe a database and what adoption would do with it. Changes nothing.

    Args:
        url: libpq URL of the login that would adopt it.
        settings: the time zones of the months and of naive times.
    """
    with connect(url, application_name="yumai: inventory", role=None, zone=settings.timezone) as connection:
        return take_inventory(connection, settings)


def adopt(
    url: str,
    settings: Settings,
    *,
    as_of: datetime | None = None,
    run_id: str | None = None,
    tell: Callable[[StepRecord], None] | None = None,
) -> AdoptionReport:
    """Bring an older YUMAI database to the state of a fresh install, while its application goes on writing.

    What the pipeline does not need stays as it is, and is accepted.

    Idempotent: it may be stopped anywhere and run again. A second run at the same time waits for the first. Sections 2
    and 8.2 of the database document.

    Args:
        url: libpq URL of a login that has the rights of the objects' owners, and may SET ROLE to yumai_pipeline.
        settings: time zones and lock policy.
        as_of: sessions that were active in the 24 hours before it stay open; now by default.
        run_id: id of the run in the report; a random one by default.
        tell: called after each step.

    Raises:
        NotToBeAdoptedError: it is not a YUMAI database, or somebody must decide something first; nothing was changed.
        AdoptionIncompleteError: somebody has changed meanwhile what it had made; everything else is done.
        LockNotObtainedError: others held locks for as long as the policy's patience; run again.
    """
    run, records = run_id or uuid4().hex, list[StepRecord]()

    def record(step: StepRecord) -> None:
        records.append(step)
        if tell:
            tell(step)

    return carry_on(lambda: _adopt(url, settings, as_of or datetime.now(UTC), run, records, record))


def _adopt(
    url: str,
    settings: Settings,
    as_of: datetime,
    run: str,
    records: list[StepRecord],
    record: Callable[[StepRecord], None],
) -> AdoptionReport:
    policy = settings.lock_policy
    with (
        Steps(_connecting(url, settings, role=None), policy, record) as steps,
        advisory_lock(steps.connection, AdvisoryLock.SCHEMA, policy),
    ):
        login = steps.connection
        inventory = take_inventory(login, settings, count=False)
        if inventory.shape == ADOPTED:
            return AdoptionReport(ADOPTED, run)
        if inventory.shape is None or inventory.refusals:
            raise NotToBeAdoptedError(inventory)
        if schema_revision(login) is None:
            if inventory.shape != UNDER_WAY:
                cases = count_cases(login, There.read(login), settings.legacy_timezone)
                ownership.prepare(steps, inventory.shape, cases)
            ownership.take_over(steps)
            with Steps(_connecting(url, settings), policy, record) as owner:
                _rebuild(owner, settings, as_of)
    installed = upgrade(url, settings)
    with Steps(_connecting(url, settings), policy, record) as owner:
        cases, after, accepted = _report(owner, settings, run)
    return AdoptionReport(
        inventory.shape,
        run,
        cases,
        after,
        tuple(records),
        inventory.unknown,
        tuple(accepted),
        installed.creators,
    )


def finish(url: str, settings: Settings, *, tell: Callable[[StepRecord], None] | None = None) -> FinishReport:
    """Drop what lets the older application write to an adopted database. Idempotent.

    Args:
        url: libpq URL of a login that may SET ROLE to yumai_pipeline.
        settings: the time zone of naive times, and the lock policy.
        tell: called after each step.

    Raises:
        AdoptionError: the database is not adopted yet; nothing was changed.
        LockNotObtainedError: others held locks for as long as the policy's patience; run again.
    """
    return carry_on(lambda: _finish(url, settings, tell or (lambda _: None)))


def _finish(url: str, settings: Settings, tell: Callable[[StepRecord], None]) -> FinishReport:
    policy = settings.lock_policy
    with (
        _connecting(url, settings, role=None)() as login,
        advisory_lock(login, AdvisoryLock.SCHEMA, policy),
    ):
        inventory = take_inventory(login, settings, count=False)
        if inventory.shape is None:
            raise NotToBeAdoptedError(inventory)
        if inventory.shape != ADOPTED:
            raise AdoptionError(
                "The database is not adopted yet, so nothing was switched off. Run `yumai adopt` first."
            )
        with Steps(_connecting(url, settings), policy, tell) as owner:
            report = switch_off(owner, settings.legacy_timezone)
            accept_what_is_kept(owner.connection)
            return report


def _connecting(url: str, settings: Settings, *, role: str | None = OWNER_ROLE) -> Callable[[], Connection]:
    return partial(connect, url, application_name="yumai: adoption", role=role, zone=settings.timezone)


def _rebuild(steps: Steps, settings: Settings, as_of: datetime) -> None:
    """Bring the database to the state that the migrations up to the target's would have made."""
    shape = read_value(steps.connection, "SELECT shape FROM yumai_pipelines.adoption_run") or BEFORE
    _make_months(steps, settings)
    structure.make_types_and_functions(steps)
    structure.make_tables(steps)
    structure.add_columns(steps)
    number_rows(steps)
    conversions.convert(steps, settings.legacy_timezone)
    structure.fit_columns(steps)
    # From here on triggers complete what the older application writes, so that constraints can be added.
    accept_older_application(steps)
    structure.set_defaults(steps)
    # The search for sessions and the cascades of foreign keys need these indexes.
    indexes.make_indexes(steps, later=SESSIONS)
    constraints.allow_two_turns_in_one_instant(steps)
    constraints.add_unique_keys(steps)
    # New rows satisfy the keys from here on. Older rows are repaired, then the keys are validated.
    constraints.add_foreign_keys(steps)
    why = "the database had no session_master" if shape == BEFORE else "session_master did not have it"
    repair(steps, as_of, why)
    indexes.make_indexes(steps)
    constraints.prove_foreign_keys(steps)
    constraints.let_people_go(steps)
    constraints.add_checks(steps)
    conversions.give_times(steps)
    constraints.require_values(steps)
    structure.make_triggers(steps)
    structure.make_view(steps)
    replace_functions(steps)
    structure.grant_and_comment(steps)
    done = {Action.MAKE, Action.CHANGE, Action.CONVERT}
    left = [each.difference for each in steps.rulings() if each.kind.action in done and each.kind != Kind.OWNER]
    if left:
        raise AdoptionIncompleteError(tuple(left))
    steps.briefly("say that migrations go on from here", [], [sql.SQL(read_sql("adoption", "stamp.sql"))])


def _make_months(steps: Steps, settings: Settings) -> None:
    """Create partitions for gaps between months, and the default partition, which takes the rows of other months."""
    partitions = describe_partitions(steps.connection, settings.zone)
    gaps = missing_months(partitions)
    if gaps or not any(each.is_default for each in partitions):
        ensure_months(steps.connection, gaps, zone=settings.zone, policy=steps.policy)


def _report(steps: Steps, settings: Settings, run_id: str) -> tuple[tuple[Case, ...], tuple[Case, ...], list[Accepted]]:
    """Count again, copy the results to the permanent tables, accept what is left, and drop the working tables.

    This is the last step.
    """
    connection = steps.connection
    before = tuple(
        Case(what, relation, found, tuple(sample), handling)
        for what, relation, found, sample, handling in connection.execute(
            "SELECT what, relation, found, sample, handling FROM yumai_pipelines.adoption_cases ORDER BY position"
        )
    )
    keep_in_quarantine(steps)
    after = count_cases(connection, steps.there(), settings.legacy_timezone, samples=False)
    counted = json.dumps([{"what": each.what, "relation": each.relation, "found": each.found} for each in after])

    def work() -> None:
        connection.execute(read_sql("adoption", "write_report.sql"), {"run_id": run_id, "after": counted})
        connection.execute(read_sql("adoption", "keep_emptied_rows.sql"), {"run_id": run_id})
        connection.execute(read_sql("adoption", "drop_working_tables.sql"))
        accept_what_is_left(connection, settings.legacy_timezone)

    steps.briefly("write the report", [], work)
    return before, after, list_accepted(connection)
