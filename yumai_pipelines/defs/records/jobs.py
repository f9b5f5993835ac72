"""The job that removes old records of Dagster, and its schedule. `yumai_pipelines.records` does the work."""

from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import Field

from yumai_pipelines.defs.limits import limit
from yumai_pipelines.defs.months import KEPT_MONTHS
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.dagster_database import dagster_url
from yumai_pipelines.records.prune import prune
from yumai_pipelines.settings import Settings


class RecordsConfig(dg.Config):
    """The options of a pruning."""

    dry_run: bool = Field(default=False, description="Only look: say how much would be removed, and remove nothing.")


@dg.op(tags={"document_section": "7.2"})
def prune_records(context: dg.OpExecutionContext, config: RecordsConfig, settings: dg.ResourceParam[Settings]) -> None:
    """Remove runs, events and evaluations of checks that are older than YUMAI_HISTORY_DAYS, with what runs printed."""
    before = datetime.now(UTC) - timedelta(days=settings.history_days)
    with connect(dagster_url(settings), application_name="yumai: prune records", role=None) as connection:
        pruning = prune(connection, before, dry_run=config.dry_run)
    for run_id in pruning.removed:
        context.instance.compute_log_manager.delete_logs(prefix=[run_id])
    context.log.info(
        f"{pruning.events:,} events, {pruning.checks:,} evaluations of checks and {pruning.runs:,} runs from before "
        f"{before:%Y-%m-%d} {'would be' if config.dry_run else 'were'} removed."
    )
    context.add_output_metadata(
        {"events": pruning.events, "checks": pruning.checks, "runs": pruning.runs, "dry_run": config.dry_run}
    )


@dg.job(name="monthly_records", tags=limit("monthly_records"))
def records_job() -> None:
    """Removes Dagster's own records that are older than YUMAI_HISTORY_DAYS.

    What the UI and the schedules still read stays, however old: the latest materialization of each month, the latest
    evaluation of each check, the latest run of each job.
    """
    prune_records()


records_schedule = dg.ScheduleDefinition(
    name="monthly_records_schedule",
    description="Removes Dagster's own records that are older than YUMAI_HISTORY_DAYS.",
    cron_schedule="0 3 1 * *",
    job=records_job,
    execution_timezone=KEPT_MONTHS.timezone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
