"""What Dagster loads: the stages in the order of the data's life. No logic, and no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from yumai_pipelines.assets.adoption import ADOPTION_ASSETS
from yumai_pipelines.assets.archives import archived_conversations
from yumai_pipelines.assets.extracts import extracts
from yumai_pipelines.assets.materialized_views import recent_conversations
from yumai_pipelines.assets.partitions import conversations
from yumai_pipelines.assets.report import monthly_report
from yumai_pipelines.assets.retention import expired_sessions
from yumai_pipelines.assets.schema import schema
from yumai_pipelines.assets.sessions import inactive_sessions, session_monitoring
from yumai_pipelines.assets.sources import SOURCES
from yumai_pipelines.checks.archives import ARCHIVE_CHECKS
from yumai_pipelines.checks.extracts import EXTRACT_CHECKS
from yumai_pipelines.checks.integrity import INTEGRITY_CHECKS
from yumai_pipelines.checks.materialized_views import VIEW_CHECKS
from yumai_pipelines.checks.partitions import PARTITION_CHECKS
from yumai_pipelines.checks.schema import SCHEMA_CHECKS
from yumai_pipelines.operations import OPERATIONS
from yumai_pipelines.resources import PostgresResource
from yumai_pipelines.schedules import JOBS, SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Mapping


def build_definitions(resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The whole graph.

    The work is in PostgreSQL, so every run, also one that is started by hand, is executed in its own process, without
    another process for each step.

    Args:
        resource_overrides: resources in the place of those of the environment, by key.
    """
    return dg.Definitions(
        assets=[
            schema,
            conversations,
            *SOURCES,
            recent_conversations,
            inactive_sessions,
            session_monitoring,
            extracts,
            monthly_report,
            expired_sessions,
            archived_conversations,
            *ADOPTION_ASSETS,
        ],
        asset_checks=[
            *SCHEMA_CHECKS,
            *PARTITION_CHECKS,
            *INTEGRITY_CHECKS,
            *VIEW_CHECKS,
            *EXTRACT_CHECKS,
            *ARCHIVE_CHECKS,
        ],
        jobs=[*JOBS, *OPERATIONS],
        schedules=SCHEDULES,
        resources={"postgres": PostgresResource(), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
