"""The checks of referential integrity, by month if a table has months. Sections 3 and 4 of the database document.

The checks are made from the registry: each table that has an entry there gets its checks.
"""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from yumai_pipelines.defs.evaluations import Event, evaluations, holding_back
from yumai_pipelines.defs.integrity.row_checks import row_check
from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.defs.months import KEPT_MONTHS, accepting, months_of
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.integrity.findings import Finding
from yumai_pipelines.integrity.foreign_keys import Constraints, References, foreign_keys, orphans
from yumai_pipelines.integrity.row_rules import ROW_RULES, RowRule, find_broken_rows
from yumai_pipelines.integrity.scope import Scope
from yumai_pipelines.integrity.soft_references import soft_references
from yumai_pipelines.integrity.times import misplaced_times
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import SESSIONS
from yumai_pipelines.postgres.replicas import Reader
from yumai_pipelines.schema.tables import TABLES, Table, table_of
from yumai_pipelines.settings import Settings

NO_ORPHANS = "no_orphans"
FOREIGN_KEYS = "foreign_keys"


def integrity_checks(owner: Table) -> dg.AssetChecksDefinition:
    """Make two checks of one table: that no row is an orphan, and that its foreign keys hold.

    Both block the assets downstream, and each key is followed only once for both. A table with months is checked by
    month.
    """
    key, partitions = asset_key(owner.relation), KEPT_MONTHS if owner.partitioned else None
    with accepting(dg.PreviewWarning):
        specs = [
            dg.AssetCheckSpec(name, asset=key, description=description, blocking=True, partitions_def=partitions)
            for name, description in _descriptions(owner).items()
        ]

    @dg.multi_asset_check(name="__".join((*key.path, "integrity")), specs=specs, can_subset=True)
    def integrity(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
    ) -> Iterator[Event]:
        yield from holding_back(found(context, postgres, settings))

    def found(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource, settings: Settings
    ) -> Iterator[Event]:
        selected = {check.name for check in context.selected_asset_check_keys}

        def follow(reader: Reader) -> dict[str, dict[Month | None, Finding]]:
            connection = reader.connection
            scope = Scope.of(connection, owner, months_of(context), settings.zone)
            followed = owner.foreign_keys if FOREIGN_KEYS in selected else (owner.session_key,)
            references = References.follow(connection, scope, [each for each in followed if each])
            measures = {}
            if NO_ORPHANS in selected:
                measures[NO_ORPHANS] = partial(orphans, connection, references)
            if FOREIGN_KEYS in selected:
                constraints = Constraints.read(connection, scope)
                measures[FOREIGN_KEYS] = partial(foreign_keys, connection, constraints, references)
            return {name: {place: measure(place) for place in scope.places} for name, measure in measures.items()}

        read = postgres.read(f"check integrity of {owner.relation.name}", follow)
        for spec in specs:
            if spec.name in selected:
                yield from evaluations(context, spec, read.value[spec.name], read.source)

    return integrity


def _descriptions(owner: Table) -> dict[str, str]:
    described = {}
    if owner.session_key:
        described[NO_ORPHANS] = (
            f"Every row of {owner.relation} belongs to a session that is there. The rows are tested, not the "
            "constraint. Sections 4.4 and 7.3 of the database document."
        )
    keys = ", ".join(f"{key.column} → {key.referenced}" for key in owner.foreign_keys)
    where = " and on each partition" if owner.partitioned else ""
    described[FOREIGN_KEYS] = (
        f"Each foreign key of {owner.relation} ({keys}) is there{where}, validated, with its rule on delete and its "
        "triggers enabled, and no row violates it. Sections 3 and 4.1 of the database document."
    )
    return described


def rule_check(rule: RowRule) -> dg.AssetChecksDefinition:
    """Make the check that each row of a table obeys a rule."""
    return row_check(
        table_of(rule.table),
        rule.name,
        rule.description,
        lambda reader, scope, _settings: find_broken_rows(reader.connection, scope, rule),
    )


def time_check(owner: Table) -> dg.AssetChecksDefinition:
    """Make the check that the times of each row of a table are in order."""
    times = ", ".join((owner.time or "", *owner.later))
    started = f", and none happened before its session started ({SESSIONS})" if owner.session_key else ""
    return row_check(
        owner,
        "times_in_order",
        f"No time of {owner.relation} ({times}) is in the future, the first comes first{started}. Section 3 of the "
        "database document.",
        lambda reader, scope, _settings: misplaced_times(reader.connection, scope, clock=reader.primary),
    )


def soft_reference_check(owner: Table) -> dg.AssetChecksDefinition:
    """Make the check of ids that no foreign key watches."""
    columns = ", ".join(each.column for each in owner.soft_references)

    def find(reader: Reader, scope: Scope, settings: Settings) -> dict[Month | None, Finding]:
        return soft_references(reader.connection, scope, settings.soft_reference_tolerance)

    return row_check(
        owner,
        "soft_references",
        f"The shops that {owner.relation} names in {columns} are there, but for a share of them "
        "(YUMAI_SOFT_REFERENCE_TOLERANCE). No foreign key can watch these, so this warns.",
        find,
    )


INTEGRITY_CHECKS = [
    *(integrity_checks(owner) for owner in TABLES if owner.foreign_keys),
    *(time_check(owner) for owner in TABLES if owner.time),
    *(soft_reference_check(owner) for owner in TABLES if owner.soft_references),
    *(rule_check(rule) for rule in ROW_RULES),
]
