"""Referential integrity, by month where a table has months. Sections 3 and 4 of the database document.

The checks are made from the registry: a table gets its own by its line there.
"""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from yumai_pipelines.assets.months import KEPT_MONTHS, accepting, months_of
from yumai_pipelines.assets.tables import asset_key
from yumai_pipelines.catalog import CONVERSATIONS, SESSION_CHILDREN, SESSIONS, Table, table_of
from yumai_pipelines.checks.findings import evaluations
from yumai_pipelines.checks.foreign_keys import Constraints, References, foreign_keys, orphans, other_users
from yumai_pipelines.checks.scope import Scope
from yumai_pipelines.resources import PostgresResource

NO_ORPHANS = "no_orphans"
FOREIGN_KEYS = "foreign_keys"


def integrity_checks(owner: Table) -> dg.AssetChecksDefinition:
    """The checks of one table, in one pass over its rows: that none is an orphan, and that its foreign keys hold.

    Both block what is downstream. A table with months has them checked by month.
    """
    key, partitions = asset_key(owner.relation), KEPT_MONTHS if owner.partitioned else None
    with accepting(dg.PreviewWarning):
        specs = [
            dg.AssetCheckSpec(name, asset=key, description=description, blocking=True, partitions_def=partitions)
            for name, description in _descriptions(owner).items()
        ]

    @dg.multi_asset_check(name="__".join((*key.path, "integrity")), specs=specs, can_subset=True)
    def integrity(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource
    ) -> Iterator[dg.Output[None] | dg.AssetCheckEvaluation | dg.AssetObservation]:
        zone = postgres.settings.zone
        selected = {check.name for check in context.selected_asset_check_keys}
        with postgres.connect(f"check integrity of {owner.relation.name}") as connection:
            scope = Scope.of(connection, owner, months_of(context), zone)
            followed = owner.foreign_keys if FOREIGN_KEYS in selected else (owner.session_key,)
            references = References.follow(connection, scope, [each for each in followed if each])
            for spec in specs:
                if spec.name not in selected:
                    continue
                if spec.name == NO_ORPHANS:
                    measure = partial(orphans, connection, references)
                else:
                    measure = partial(foreign_keys, connection, Constraints.read(connection, scope), references)
                yield from evaluations(context, spec, {place: measure(place) for place in scope.places})
            if scope.whole:
                rows = references.counts[None][0]
                yield dg.AssetObservation(asset_key=key, metadata={"dagster/row_count": rows})

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


def user_check() -> dg.AssetChecksDefinition:
    """The check that conversations and sessions agree on the user, by month. It blocks nothing."""
    with accepting(dg.PreviewWarning):
        spec = dg.AssetCheckSpec(
            "user_is_the_sessions",
            asset=asset_key(CONVERSATIONS),
            description=f"The user of each row of {CONVERSATIONS}, where it names one, is the user of its session. "
            "Both point to the users, and no constraint makes them agree. Section 1.2 of the database document.",
            partitions_def=KEPT_MONTHS,
        )

    @dg.multi_asset_check(specs=[spec])
    def chatbot__conversations__users(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource
    ) -> Iterator[dg.Output[None] | dg.AssetCheckEvaluation]:
        with postgres.connect("check users of conversations") as connection:
            scope = Scope.of(connection, table_of(CONVERSATIONS), months_of(context), postgres.settings.zone)
            yield from evaluations(context, spec, other_users(connection, scope))

    return chatbot__conversations__users


INTEGRITY_CHECKS = [
    integrity_checks(table_of(SESSIONS)),
    *map(integrity_checks, SESSION_CHILDREN),
    user_check(),
]
