"""Every job and cron, on one screen. What an asset does stands in `assets`, what is tested in `checks`.

Schedules are in the business's time zone, and each of them may run any number of times. They run from the start, since
a database whose months run out, whose view goes stale and whose extracts are missing serves nobody; what takes rows
out of it waits until somebody switches it on.
"""

import dagster as dg

from yumai_pipelines.defs.archives.assets import archived_conversations
from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.extracts.checks import extracts_freshness
from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.defs.months import KEPT_MONTHS
from yumai_pipelines.defs.partitions.assets import conversations
from yumai_pipelines.defs.report.assets import monthly_report
from yumai_pipelines.defs.retention.assets import expired_sessions
from yumai_pipelines.defs.schema.assets import schema
from yumai_pipelines.defs.sessions.assets import inactive_sessions, session_monitoring
from yumai_pipelines.defs.tables.assets import SOURCES
from yumai_pipelines.defs.views.assets import VIEW_ASSETS
from yumai_pipelines.model.calendar import latest_month, oldest_kept
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.settings import Settings

_TIMEZONE = KEPT_MONTHS.timezone
_SOURCES = [source.key for source in SOURCES]
_BENEATH_EXTRACTS = {asset_key(source) for extract in EXTRACTS for source in extract.sources}

install_schema = dg.define_asset_job(
    "install_schema",
    dg.AssetSelection.assets(schema),
    description="Installs or upgrades the schema.",
)
monthly_partitions = dg.define_asset_job(
    "monthly_partitions",
    dg.AssetSelection.assets(conversations),
    description="Makes sure of the months' partitions, and checks them.",
)
daily_upkeep = dg.define_asset_job(
    "daily_upkeep",
    dg.AssetSelection.assets(*VIEW_ASSETS, inactive_sessions, session_monitoring)
    | dg.AssetSelection.checks_for_assets(schema, conversations, archived_conversations, *_SOURCES)
    | dg.AssetSelection.checks(extracts_freshness),
    description="Checks all of the database, refreshes the view of the last seven days, closes inactive sessions.",
)
monthly_extracts = dg.define_asset_job(
    "monthly_extracts",
    dg.AssetSelection.assets(extracts, monthly_report)
    | dg.AssetSelection.checks_for_assets(*sorted(_BENEATH_EXTRACTS)),
    description="Builds the extracts and the report of months that are over, if the logs pass their checks.",
)

monthly_archive = dg.define_asset_job(
    "monthly_archive",
    dg.AssetSelection.assets(archived_conversations),
    description="Takes months that are past out of the conversations, into Parquet files.",
)

monthly_retention = dg.define_asset_job(
    "monthly_retention",
    dg.AssetSelection.assets(expired_sessions),
    description="Deletes sessions past their age, of months whose extracts stand for them.",
)

JOBS = [install_schema, monthly_partitions, daily_upkeep, monthly_extracts, monthly_archive, monthly_retention]


@dg.schedule(
    cron_schedule="0 1 * * *",
    job=monthly_partitions,
    description="The new month and those to be kept ahead of it. Looks every day, so that a month missed on the first "
    "is made up for on the second; runs only when one is missing.",
    execution_timezone=_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def monthly_partitions_schedule(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.RunRequest | dg.SkipReason:
    """The new month and those to be kept ahead of it; from an earlier month on, when one was never made."""
    month = Month.of(context.scheduled_execution_time, settings.zone)
    last = month + settings.months_ahead
    made = context.instance.get_materialized_partitions(conversations.key)
    if made.issuperset(each.partition_key for each in settings.first.through(last)):
        return dg.SkipReason(f"Every month to {last} has its partition.")
    return _run(_first_missing(made, settings.first, month), last)


daily_upkeep_schedule = dg.ScheduleDefinition(
    name="daily_upkeep_schedule",
    description="The view, the sessions, and all checks.",
    cron_schedule="0 4 * * *",
    job=daily_upkeep,
    execution_timezone=_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.schedule(
    cron_schedule="0 2 1 * *",
    job=monthly_extracts,
    description="The month that has just closed, and the one before for its late feedback; also months never built.",
    execution_timezone=_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def monthly_extracts_schedule(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.RunRequest | dg.SkipReason:
    """The month that has just closed, and the one before for its late feedback; from an earlier one, if never built."""
    closed = Month.of(context.scheduled_execution_time, settings.zone) - 1
    if closed < settings.first:
        return dg.SkipReason(f"{closed} is before the first month of the history, {settings.first}.")
    built = set.intersection(*(context.instance.get_materialized_partitions(key) for key in extracts.keys))
    return _run(_first_missing(built, settings.first, max(closed - 1, settings.first)), closed)


@dg.schedule(
    cron_schedule="0 5 1 * *",
    job=monthly_archive,
    description="Every month that is past, into Parquet files. Off until somebody switches it on.",
    execution_timezone=_TIMEZONE,
)
def monthly_archive_schedule(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.RunRequest | dg.SkipReason:
    """Every month that is past, also those that earlier runs missed."""
    last = oldest_kept(context.scheduled_execution_time, settings.zone, settings.months_kept) - 1
    if last < settings.first:
        return dg.SkipReason(f"No month is past yet: the history begins with {settings.first}.")
    return _run(settings.first, last)


@dg.schedule(
    cron_schedule="0 6 1 * *",
    job=monthly_retention,
    description="Deletes the sessions of months that have come of age. Off until somebody switches it on.",
    execution_timezone=_TIMEZONE,
)
def monthly_retention_schedule(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.RunRequest | dg.SkipReason:
    """The months that have come of age, from the first that was never purged."""
    last = latest_month(context.scheduled_execution_time, settings.zone, settings.session_days)
    if settings.archives_before_purge:
        last = min(last, oldest_kept(context.scheduled_execution_time, settings.zone, settings.months_kept) - 1)
    if last < settings.first:
        return dg.SkipReason(f"No month has come of age: the history begins with {settings.first}.")
    purged = context.instance.get_materialized_partitions(expired_sessions.key)
    return _run(_first_missing(purged, settings.first, last), last)


SCHEDULES = [
    monthly_partitions_schedule,
    daily_upkeep_schedule,
    monthly_extracts_schedule,
    monthly_archive_schedule,
    monthly_retention_schedule,
]


def _first_missing(made: set[str], first: Month, latest: Month) -> Month:
    """The first month from `first` on that was never materialized, but `latest` at the latest."""
    return next((month for month in first.through(latest) if month.partition_key not in made), latest)


def _run(first: Month, last: Month) -> dg.RunRequest:
    """One run for all the months from the first to the last, as the UI asks for it."""
    return dg.RunRequest(
        tags={
            "dagster/asset_partition_range_start": first.partition_key,
            "dagster/asset_partition_range_end": last.partition_key,
        }
    )
