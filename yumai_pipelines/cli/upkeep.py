"""The commands that look after a database: they check, build, repair, erase, restore and adopt."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import uuid4

import typer

from yumai_pipelines.cli.common import (
    INTERRUPTED,
    Months,
    OneMonth,
    connect_as_owner,
    err,
    fail,
    out,
    start_server,
    stop,
    tell,
    url_of,
    work_as_owner,
)
from yumai_pipelines.model.calendar import in_ranges, stretches
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.dagster_database import has_history, refuse_foreign_history
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from yumai_pipelines.erasure.erase import Erasure
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.runs import Job

Choice = TypeVar("Choice", bound=StrEnum)

_LOOK = "`yumai check` looks at every row."


def check(
    months: Months = None,
    with_sql: Annotated[bool, typer.Option("--sql", help="Print the SQL that repairs what failed, for psql.")] = False,
) -> str:
    """Run every check, change nothing, and show what failed and what to do.

    With `--month`, only the rows of these months are looked at. Dagster's UI shows the outcomes, too. The exit status
    is 0 when nothing failed; a warning is no failure.

    Examples: `yumai check`, `yumai check --month 2024-08 --sql`
    """
    from yumai_pipelines.runs import CHECKS, Job

    jobs = [Job(CHECKS, stretch) for stretch in stretches(months)] if months else [Job(CHECKS)]
    if not _run(jobs, with_sql=with_sql):
        for_psql = "the SQL above, in psql" if with_sql else "`yumai check --sql` prints SQL for psql"
        stop(1, f"`yumai repair` for rows that refer to nothing; {for_psql}.")
    return "`yumai build` builds the extracts of the months that are over."


def build(months: Months = None) -> str:
    """Build the extracts and the report of months that are over; without `--month`, of those that need it.

    Those are the months that were never built, and those whose logs have changed since. The logs are checked first, and
    the extracts afterwards. Dagster's UI shows the run, too.

    Examples: `yumai build`, `yumai build --month 2024-08 --month 2024-09`
    """
    from yumai_pipelines.runs import Job

    settings = Settings()
    current = Month.of(datetime.now(UTC), settings.zone)
    over = [*settings.first.through(current - 1)]
    if not over:
        fail(f"No month can be built yet: the first one of the history, {settings.first}, is not over.")
    if wrong := [month for month in months or [] if month not in over]:
        fail(f"{in_ranges(wrong)} cannot be built: the months that are over are {settings.first} to {current - 1}.")
    wanted = months or _stale(settings, over)
    if not wanted:
        out.print(f"The extracts of every month to {current - 1} are of the logs as they are. Nothing to do.")
        return "`yumai report --open`, or `yumai export shop_performance shops.csv`."
    if not _run([Job("monthly_extracts", stretch) for stretch in stretches(wanted)]):
        stop(1, "put right what stands above, and run `yumai build` again; `yumai dev` shows the run.")
    return f"`yumai report --open --month {max(wanted)}`, or `yumai export shop_performance shops.csv`."


def repair(
    orphans: Annotated[
        str, typer.Option(help="Rows whose session is gone: recover gives them one again, quarantine moves them away.")
    ] = "recover",
    broken: Annotated[
        str, typer.Option(help="Rows that violate another key: as_the_key_says, or quarantine moves all of them.")
    ] = "as_the_key_says",
    yes: Annotated[bool, typer.Option("--yes", help="Repair them. Without it, only say what would be done.")] = False,
) -> str:
    """Say which rows refer to something that is gone and, with `--yes`, repair them.

    What is taken away is kept in a quarantine: see `docs/integrity.md`.

    Examples: `yumai repair`, and then `yumai repair --yes`
    """
    from yumai_pipelines.integrity.repair import Broken, Orphans, repair_orphans

    settings = Settings()
    with connect_as_owner(settings, "repair") as connection:
        repairs = repair_orphans(
            connection,
            run_id=f"yumai repair {uuid4()}",
            dry_run=not yes,
            orphans=_choice(Orphans, orphans, "--orphans"),
            broken=_choice(Broken, broken, "--broken"),
            policy=settings.lock_policy,
        )
    for each in repairs:
        first = "; ".join(", ".join(f"{key} {value}" for key, value in row.items()) for row in each.sample[:3])
        tell(f"{each.key.table}, {each.key.name}: {each.found:,} rows that refer to nothing ({first} …)")
        done = ", ".join(f"{count:,} {what}" for what, count in each.done.items())
        tell(f"    {done if yes else f'would be repaired: {each.action}'}")
    if not repairs:
        out.print("Every row refers to something that is there. Nothing to do.")
        return "`yumai check` looks at the rest."
    if yes:
        return "`yumai check` looks again."
    out.print("This was a dry run: nothing was changed.")
    return "`yumai repair --yes` does it."


def erase(
    reason: Annotated[str, typer.Option(help="Why, in words that name nobody; it is kept.")],
    user_id: Annotated[int | None, typer.Option(help="chatbot.users.id")] = None,
    external_user_id: Annotated[str | None, typer.Option(help="chatbot.users.external_user_id")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase them. Without it, only say what would go.")] = False,
) -> str:
    """Say what is stored of a person and, with `--yes`, remove it from the database, the extracts and the archives.

    This cannot be undone. `docs/integrity.md` lists what cannot be reached, such as backups.

    Examples: `yumai erase --user-id 17 --reason "asked for it"`, and then the same with `--yes`
    """
    from yumai_pipelines.archives.store import Store
    from yumai_pipelines.erasure.erase import beyond_reach, erase_user, preview_erasure
    from yumai_pipelines.extracts.user_key import user_key_secrets

    settings = Settings()
    if (user_id is None) == (external_user_id is None):
        raise typer.BadParameter("Give either --user-id or --external-user-id.")

    def secrets() -> Sequence[SecretStr]:
        return user_key_secrets(settings, embedded=settings.database_url is None)

    def work(connection: Connection) -> Erasure:
        if yes:
            return erase_user(
                connection,
                reason=reason,
                run_id=f"yumai erase {uuid4()}",
                zone=settings.zone,
                user_key_secrets=secrets,
                store=Store.at(settings.archive),
                policy=settings.lock_policy,
                user_id=user_id,
                external_user_id=external_user_id,
            )
        return preview_erasure(
            connection,
            reason=reason,
            zone=settings.zone,
            user_key_secrets=secrets,
            user_id=user_id,
            external_user_id=external_user_id,
        )

    erasure = work_as_owner(settings, "erase", work)
    for table, rows in erasure.counts.items():
        tell(f"{table}: {rows:,} rows")
    if not yes:
        out.print("This was a dry run: nothing was changed. The files of archived months were not searched.")
        return "the same with --yes. It cannot be undone."
    _take_out_of_the_files(settings)
    out.print("The person is erased.")
    if erasure.out_of_reach:
        out.print(beyond_reach(erasure), style="yellow", markup=False)
    current = Month.of(datetime.now(UTC), settings.zone)
    if months := [month for day in erasure.months if (month := Month.of_day(day)) < current]:
        return f"`yumai build`, since the extracts of {in_ranges(months)} still count the person."
    return _LOOK


def _take_out_of_the_files(settings: Settings) -> None:
    """Publish the extracts again after an erasure."""
    from yumai_pipelines.extracts.publication import PublicationError, publish

    if settings.extracts_url is None:
        return
    try:
        with connect_as_owner(settings, "publish extracts") as connection:
            publish(connection, settings.extracts_url, settings.lock_policy)
    except PublicationError as error:
        raise PublicationError(
            "The person is erased from the database and the archives, and not yet from the published extracts. The "
            f"next daily_upkeep, or who materializes extracts/published, takes them out there, too. {error}"
        ) from error


def restore_month(
    month: OneMonth,
) -> str:
    """Bring an archived month of the conversations back into the database, while the database stays in use.

    Rows that were deleted in the meantime do not come back. The month then stays in the database until a run is told
    to archive it again.

    Example: `yumai restore-month 2024-08`
    """
    # Imported here because Arrow takes a while to load, and no other command needs it.
    from yumai_pipelines.archives.restore import restore_month as restore

    settings = Settings()
    report = work_as_owner(
        settings, "restore", partial(restore, month=month, zone=settings.zone, policy=settings.lock_policy)
    )
    out.print(report.in_words(), markup=False)
    if has_history(settings):
        # Imported here because Dagster takes a second to load.
        from yumai_pipelines.runs import show_restored

        with connect_as_owner(settings, "show a restored month") as connection:
            show_restored(connection, report, settings.home)
    return f"`yumai check --month {month}` looks at its rows."


def adopt(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Switch off what lets the older application write on.")
    ] = False,
) -> str:
    """Take over an older YUMAI database in place, while its application keeps writing to it.

    You can stop it at any time and run it again. `docs/adoption.md` describes each step.

    Examples: `yumai adopt --dry-run`, `yumai adopt`, and, once the older application is gone, `yumai adopt --finish`
    """
    # Imported here because Alembic takes half a second to load, and most commands do not need it.
    from yumai_pipelines import adoption

    if dry_run and finish:
        raise typer.BadParameter("--dry-run and --finish do not go together.")
    settings = Settings()
    if dry_run:
        inventory = adoption.inspect(url_of(settings), settings)
        out.print(inventory.in_words(), markup=False)
        if inventory.refusals:
            stop(1, "put that right, and look again by `yumai adopt --dry-run`.")
        return "`yumai adopt` does it, and can be stopped at any time."
    if finish:
        off = adoption.finish(url_of(settings), settings, tell=tell)
        out.print(off.in_words(), markup=False)
        return _LOOK
    report = adoption.adopt(url_of(settings), settings, tell=tell)
    out.print(report.in_words(), markup=False)
    return _LOOK


def differences(
    accept: Annotated[
        str | None, typer.Option("--accept", metavar="OBJECT", help="Let this difference stay; --why says why.")
    ] = None,
    why: Annotated[str, typer.Option("--why", metavar="REASON", help="Why it may stay.")] = "",
    withdraw: Annotated[
        str | None, typer.Option("--withdraw", metavar="OBJECT", help="Accept this difference no longer.")
    ] = None,
) -> str:
    """Say how the schema differs from what the migrations make, and which differences are accepted.

    An accepted difference is no drift until its object changes again. Adoption accepts what stays unlike a fresh
    install.

    Example: `yumai differences --accept "column chatbot.shops.owner_memo" --why "the owners' app writes it"`
    """
    from yumai_pipelines.schema import differences as schema

    if accept and withdraw:
        raise typer.BadParameter("--accept and --withdraw do not go together.")
    with connect_as_owner(Settings(), "differences") as connection:
        if accept:
            schema.accept_by_name(connection, accept, why)
        if withdraw:
            schema.withdraw(connection, withdraw)
        left, accepted = schema.drift(connection), schema.list_accepted(connection)
    for each in left:
        out.print(f"not accepted: {each}", markup=False)
    for entry in accepted:
        out.print(f"accepted: {entry}", markup=False)
    out.print(f"{len(left)} differences are not accepted, {len(accepted)} are.", markup=False)
    if left:
        return "undo what is not meant; `yumai differences --accept OBJECT --why REASON` lets the rest stay."
    return _LOOK


def _stale(settings: Settings, months: Sequence[Month]) -> list[Month]:
    """The months that were never built, or are not of the logs as they are."""
    from yumai_pipelines.extracts.changes import look, reasons

    start_server(settings)
    with connect_as_owner(settings, "find stale months") as connection:
        why = reasons(look(connection, months), settings.min_group_users)
    return sorted({month for _, month in why})


def _run(jobs: Sequence[Job], *, with_sql: bool = False) -> bool:
    """Run jobs on Dagster's instance, show what failed, and return whether nothing did.

    Raises:
        typer.Exit: Ctrl-C.
    """
    # Imported here because Dagster takes a second to load.
    from yumai_pipelines.demo.summary import show_failures
    from yumai_pipelines.runs import Verdict, run_jobs

    settings = Settings()
    start_server(settings)
    refuse_foreign_history(settings)
    failed = False
    try:
        for run in run_jobs(jobs, settings.home):
            verdicts = Counter(each.verdict for each in run.checks)
            wrong = [each for each in run.checks if each.verdict is not Verdict.PASSED]
            show_failures(out, wrong, with_sql=with_sql)
            for error in run.errors:
                err.print(error, style="red", markup=False)
            failed = failed or bool(run.errors) or Verdict.FAILED in verdicts
            counts = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in Verdict)
            out.print(f"Checks: {counts}.")
    except KeyboardInterrupt:
        out.print("Ended by Ctrl-C.")
        stop(INTERRUPTED, "the same again: what is done stays done.")
    return not failed


def _choice(kind: type[Choice], text: str, option: str) -> Choice:
    try:
        return kind(text)
    except ValueError:
        raise typer.BadParameter(f"{option}: {text!r} is none of {', '.join(kind)}") from None
