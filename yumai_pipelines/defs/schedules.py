"""All jobs that schedules run, or that materialize assets, and all schedules. To add one, add an entry to `ROUTINES`.

The module `due` decides which months a schedule asks for. Schedules are in the business's time zone, and each of them
may run any number of times. Schedules are on by default, because without them the months run out, the view goes stale
and the extracts are missing. Only those that take rows out of the database are off until somebody switches them on.
"""

from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from yumai_pipelines.defs import due
from yumai_pipelines.defs.archives.assets import archived_conversations
from yumai_pipelines.defs.archives.jobs import archive_graph
from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.extracts.checks import extracts_as_of, extracts_freshness
from yumai_pipelines.defs.limits import limit
from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.defs.months import KEPT_MONTHS
from yumai_pipelines.defs.partitions.assets import conversations
from yumai_pipelines.defs.publication.assets import published_extracts
from yumai_pipelines.defs.report.assets import monthly_report
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.defs.retention.jobs import retention_graph
from yumai_pipelines.defs.schema.assets import schema
from yumai_pipelines.defs.sessions.assets import inactive_sessions, session_monitoring
from yumai_pipelines.defs.tables.assets import source_tables
from yumai_pipelines.defs.views.assets import VIEW_ASSETS
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.settings import Settings

_BENEATH_EXTRACTS = sorted({asset_key(source) for extract in EXTRACTS for source in extract.sources})

Job = dg.JobDefinition | UnresolvedAssetJobDefinition

MONTHS_TAG = "yumai/months"
"""The tag that shows the months of a run which takes rows out."""

QUEUE_TAG = "yumai/queue"
"""The tag by which dagster.yaml limits how many runs go on at the same time: one of each value."""


@dataclass(frozen=True)
class Routine:
    """A job, and the schedule on which it runs.

    Attributes:
        name: the name of the job. Its schedule has the same name with `_schedule` after it.
        description: what the job does.
        work: the assets and the checks that it runs; or, for what takes rows out of the database, a graph of one op
            with the options of `LeavingConfig`. No button for assets launches that.
        cron: when it runs; None for a job that people start by hand.
        asks_for: the description of the schedule.
        months: decides which months a run is for; None for a job without months.
        from_the_start: whether the schedule is on by default.
        queue: runs of routines with the same queue come one after the other, as dagster.yaml says; those of others may
            run at the same time.
    """

    name: str
    description: str
    work: dg.AssetSelection | dg.GraphDefinition
    cron: str | None = None
    asks_for: str = ""
    months: due.Due | None = None
    from_the_start: bool = True
    queue: str | None = None

    @property
    def job(self) -> Job:
        """The job."""
        if isinstance(self.work, dg.GraphDefinition):
            return self.work.to_job(name=self.name, description=self.description, tags=self.tags)
        return dg.define_asset_job(self.name, self.work, description=self.description, tags=self.tags)

    def request(self, at: datetime, first: Month, last: Month) -> dg.RunRequest:
        """Ask for one run over adjoining months: as a range in the UI does, or with the options of its op."""
        key = f"{at.isoformat()} {first}"
        if isinstance(self.work, dg.GraphDefinition):
            (op,) = self.work.nodes
            options = {"dry_run": False, "first": str(first), "last": str(last)}
            return dg.RunRequest(
                run_key=key, run_config={"ops": {op.name: {"config": options}}}, tags={MONTHS_TAG: f"{first} to {last}"}
            )
        return dg.RunRequest(
            run_key=key,
            tags={
                "dagster/asset_partition_range_start": first.partition_key,
                "dagster/asset_partition_range_end": last.partition_key,
            },
        )

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the job's runs."""
        return limit(self.name) | ({} if self.queue is None else {QUEUE_TAG: self.queue})


ROUTINES = (
    Routine(
        "install_schema",
        "Installs or upgrades the schema.",
        dg.AssetSelection.assets(schema),
    ),
    Routine(
        "monthly_partitions",
        "Makes sure of the months' partitions, and checks them.",
        dg.AssetSelection.assets(conversations),
        cron="0 1 * * *",
        asks_for="The new month and those to be kept ahead of it. Looks every day, so that a month missed on the first "
        "is made up for on the second; runs only when one is missing.",
        months=due.partitions,
    ),
    Routine(
        "daily_upkeep",
        "Counts the rows of the tables, checks all of the database, refreshes the view of the last seven days, closes "
        "inactive sessions, publishes what is not yet published.",
        dg.AssetSelection.assets(source_tables, *VIEW_ASSETS, inactive_sessions, session_monitoring, published_extracts)
        | dg.AssetSelection.checks_for_assets(schema, conversations, archived_conversations.key)
        | dg.AssetSelection.checks(extracts_as_of, extracts_freshness),
        cron="0 4 * * *",
        asks_for="The counts of the tables, the view, the sessions, and all checks.",
    ),
    Routine(
        "monthly_extracts",
        "Builds, and publishes, the extracts and the report of months that are over, if the logs pass their checks.",
        dg.AssetSelection.assets(extracts, monthly_report, published_extracts)
        | dg.AssetSelection.checks_for_assets(*_BENEATH_EXTRACTS),
        cron="0 2 * * *",
        asks_for="Months that are over and were never built, and those whose logs have changed since, such as by late "
        "feedback. Looks every day; runs only when there is one.",
        months=due.stale_months,
        queue="extracts",
    ),
    Routine(
        "monthly_archive",
        "Takes months that are past out of the conversations, into Parquet files. By hand, it is a dry run unless "
        "`dry_run` is switched off.",
        archive_graph,
        cron="0 5 * * *",
        asks_for="Every month that is past, into Parquet files: on the first day of a month, and on any day that one "
        "is missing. Off until somebody switches it on.",
        months=due.past_months,
        from_the_start=False,
    ),
    Routine(
        "monthly_retention",
        "Deletes sessions past their age, of months whose extracts stand for them. By hand, it is a dry run unless "
        "`dry_run` is switched off.",
        retention_graph,
        cron="0 6 * * *",
        asks_for="Deletes the sessions of months that have come of age, and the rows that belong to them. Looks every "
        "day; runs only when there is one. Off until somebody switches it on.",
        months=due.months_of_age,
        from_the_start=False,
        queue="extracts",
    ),
)


_JOBS = {each.name: each.job for each in ROUTINES}


def _schedule(routine: Routine, cron: str) -> dg.ScheduleDefinition:
    """Make the schedule of a routine. A tick starts one run for adjoining months, as a range in the UI does."""
    name, job, months = f"{routine.name}_schedule", _JOBS[routine.name], routine.months
    zone = KEPT_MONTHS.timezone
    status = dg.DefaultScheduleStatus.RUNNING if routine.from_the_start else dg.DefaultScheduleStatus.STOPPED
    if months is None:
        return dg.ScheduleDefinition(
            name=name,
            description=routine.asks_for,
            cron_schedule=cron,
            job=job,
            execution_timezone=zone,
            default_status=status,
        )

    @dg.schedule(
        name=name,
        description=routine.asks_for,
        cron_schedule=cron,
        job=job,
        execution_timezone=zone,
        default_status=status,
    )
    def tick(
        context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings], postgres: PostgresResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        known = due.Known(
            made=lambda key: context.instance.get_materialized_partitions(key),
            connect=lambda: postgres.connect(f"schedule {routine.name}"),
        )
        wanted = months(context.scheduled_execution_time, settings, known)
        if isinstance(wanted, dg.SkipReason):
            return wanted
        return [routine.request(context.scheduled_execution_time, first, last) for first, last in wanted]

    return tick


JOBS = list(_JOBS.values())
SCHEDULES = [_schedule(each, each.cron) for each in ROUTINES if each.cron is not None]
