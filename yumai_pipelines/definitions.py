"""The definitions that Dagster loads, stage by stage, in the order in which data passes through the stages.

Loading this module opens no connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from yumai_pipelines.defs.adoption.jobs import adoption_job
from yumai_pipelines.defs.archives.agreement import archives_agree
from yumai_pipelines.defs.archives.assets import archived_conversations
from yumai_pipelines.defs.archives.checks import ARCHIVE_CHECKS
from yumai_pipelines.defs.erasure.jobs import erasure_job
from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.extracts.checks import EXTRACT_CHECKS
from yumai_pipelines.defs.integrity.checks import INTEGRITY_CHECKS
from yumai_pipelines.defs.integrity.jobs import repair_job
from yumai_pipelines.defs.partitions.assets import conversations
from yumai_pipelines.defs.partitions.checks import PARTITION_CHECKS
from yumai_pipelines.defs.publication.assets import extracts_published, published_extracts
from yumai_pipelines.defs.records.jobs import records_job, records_schedule
from yumai_pipelines.defs.report.assets import monthly_report
from yumai_pipelines.defs.resources import RESOURCES
from yumai_pipelines.defs.retention.assets import expired_sessions
from yumai_pipelines.defs.schedules import JOBS, SCHEDULES
from yumai_pipelines.defs.schema.assets import schema
from yumai_pipelines.defs.schema.checks import SCHEMA_CHECKS
from yumai_pipelines.defs.sessions.assets import inactive_sessions, session_monitoring
from yumai_pipelines.defs.tables.assets import source_tables
from yumai_pipelines.defs.views.assets import VIEW_ASSETS
from yumai_pipelines.defs.views.checks import VIEW_CHECKS
from yumai_pipelines.defs.watch.sensors import SENSORS

if TYPE_CHECKING:
    from collections.abc import Mapping


def build_definitions(resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Build all of the project's definitions.

    PostgreSQL does the work, so every run, also one that is started by hand, executes its steps in one process instead
    of starting a process for each step.

    Args:
        resource_overrides: resources, or the values themselves, by key, which replace those made from the environment.
            Resources that depend on a replaced one use the replacement, as the user keys do with the database.
    """
    return dg.Definitions(
        assets=[
            schema,
            conversations,
            source_tables,
            *VIEW_ASSETS,
            inactive_sessions,
            session_monitoring,
            extracts,
            monthly_report,
            published_extracts,
            expired_sessions,
            archived_conversations,
        ],
        asset_checks=[
            *SCHEMA_CHECKS,
            *PARTITION_CHECKS,
            *INTEGRITY_CHECKS,
            *VIEW_CHECKS,
            *EXTRACT_CHECKS,
            *ARCHIVE_CHECKS,
            archives_agree,
            extracts_published,
        ],
        jobs=[*JOBS, repair_job, erasure_job, adoption_job, records_job],
        schedules=[*SCHEDULES, records_schedule],
        sensors=SENSORS,
        resources={**RESOURCES, **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
