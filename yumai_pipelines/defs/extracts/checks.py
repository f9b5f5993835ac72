"""The checks of the extracts: against an independent count of the sources, of impossible rows, against earlier months.

They are made from the registry, and look at the months of the run, or at all months of the extract if the run names
none. The ledger records whether a month passed, and retention deletes sessions only of months that did.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg
from psycopg import sql

from yumai_pipelines.defs.evaluations import Event, evaluations, holding_back, result
from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.defs.months import CLOSED_MONTHS, accepting, months_of
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.extracts.changes import BuiltMonth, look, recent_months
from yumai_pipelines.extracts.ledger import Entry, entries, record_checks
from yumai_pipelines.extracts.proof import HISTORY, differing_measures, invalid_rows, unlike_before, wrong
from yumai_pipelines.integrity.findings import SAMPLE, Finding, Severity
from yumai_pipelines.model.calendar import first_days
from yumai_pipelines.model.entries import Extract
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.connections import Connection
from yumai_pipelines.postgres.replicas import Reader
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.settings import Settings

Ledger = Mapping[tuple[str, Month], Entry]
Findings = dict[Month | None, Finding]
Measure = Callable[[Connection, Extract, Sequence[Month], ZoneInfo, Ledger], Findings]


@dataclass(frozen=True)
class Proof:
    """One check of every extract.

    Attributes:
        name: the name of the check.
        description: its description, with the placeholders `{extract}`, `{sources}` and `{grain}`.
        measure: finds what is wrong in each month.
        blocking: whether a failure blocks the assets downstream. The results of such checks are kept in the ledger.
    """

    name: str
    description: str
    measure: Measure
    blocking: bool

    def describe(self, extract: Extract) -> str:
        """Return the description of the check of one extract."""
        return self.description.format(
            extract=extract.relation, sources=" and ".join(map(str, extract.sources)), grain=extract.grain
        )


def reconciliation(
    connection: Connection, extract: Extract, months: Sequence[Month], zone: ZoneInfo, ledger: Ledger
) -> Findings:
    """Find, for each month, the measures in which the extract and its sources differ.

    A month is not counted again after retention has deleted some of its sources. Such a month passes, because it had
    passed before the deletion.
    """
    rows = differing_measures(connection, extract, months, zone)
    findings: Findings = {}
    for month in months:
        entry = ledger.get((extract.relation.name, month))
        purged = entry.purged_at if entry else None
        differing = [] if purged else wrong(rows[month])
        findings[month] = Finding(
            subject=f"measures of {extract.relation} in {month} that differ from an independent count of the sources"
            + (f"; not counted again, since retention deleted some of them at {purged}" if purged else ""),
            count=len(differing),
            sample=differing[:SAMPLE],
            cause="rows of that month came, changed or went in the logs after it was built (late feedback, deleted "
            "sessions), or somebody changed the extract.",
            remedy=_build_again(extract, month),
            metadata={row["name"]: row["in_source"] for row in rows[month]},
        )
    return findings


def validity(
    connection: Connection, extract: Extract, months: Sequence[Month], zone: ZoneInfo, _ledger: Ledger
) -> Findings:
    """Find, for each month, the rows that cannot be right."""
    rows = invalid_rows(connection, extract, months, zone)
    return {
        month: Finding(
            subject=f"rows of {extract.relation} in {month} that cannot be right",
            count=len(rows[month]),
            sample=rows[month][:SAMPLE],
            cause="somebody changed the extract or its constraints.",
            remedy=_build_again(extract, month),
        )
        for month in months
    }


def likeness(
    connection: Connection, extract: Extract, months: Sequence[Month], zone: ZoneInfo, _ledger: Ledger
) -> Findings:
    """Find, for each month, the measures that are far from those of the months before."""
    rows = unlike_before(connection, extract, months, zone)
    return {
        month: Finding(
            subject=f"measures of {extract.relation} in {month} that are unlike the {HISTORY} months before",
            count=len(rows[month]),
            sample=rows[month][:SAMPLE],
            cause="the chatbot or its use has changed, or what it logs has.",
            remedy="look at the month's metadata beside that of the months before, and ask who changed what. If the "
            "month is right, there is nothing to do.",
            severity=Severity.WARN,
        )
        for month in months
    }


PROOFS = (
    Proof(
        "reconciled",
        "The sums of {extract} are what an independent count finds in {sources}.",
        reconciliation,
        blocking=True,
    ),
    Proof(
        "valid_rows",
        "{extract} has one row per {grain}, no NULL in its key, and no rate or mean that cannot be.",
        validity,
        blocking=True,
    ),
    Proof(
        "like_the_months_before",
        "No count, rate or mean of {extract} is far from its median of the months before.",
        likeness,
        blocking=False,
    ),
)


def _proof_specs(extract: Extract) -> list[dg.AssetCheckSpec]:
    """Return the specs of the proofs of one extract, in their order."""
    with accepting(dg.PreviewWarning):
        return [
            dg.AssetCheckSpec(
                proof.name,
                asset=asset_key(extract.relation),
                description=proof.describe(extract),
                blocking=proof.blocking,
                partitions_def=CLOSED_MONTHS,
            )
            for proof in PROOFS
        ]


def extract_checks(extract: Extract) -> dg.AssetChecksDefinition:
    """Make the checks of one extract, by month."""
    key, specs = asset_key(extract.relation), _proof_specs(extract)

    @dg.multi_asset_check(name="__".join((*key.path, "checks")), specs=specs, can_subset=True)
    def checks(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
    ) -> Iterator[Event]:
        yield from holding_back(found(context, postgres, settings))

    def found(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource, settings: Settings
    ) -> Iterator[Event]:
        selected = {check.name for check in context.selected_asset_check_keys}
        purpose = f"check {extract.relation.name}"

        def measure(reader: Reader) -> tuple[Sequence[Month], Ledger, dict[str, Findings]]:
            months = months_of(context) or months_held(reader.connection, extract)
            ledger = entries(reader.connection, months)
            chosen = [proof for proof in PROOFS if proof.name in selected and months]
            return (
                months,
                ledger,
                {
                    proof.name: proof.measure(reader.connection, extract, months, settings.zone, ledger)
                    for proof in chosen
                },
            )

        read = postgres.read(purpose, measure)
        months, ledger, findings = read.value
        for spec in specs:
            if spec.name in findings:
                yield from evaluations(context, spec, findings[spec.name], read.source)
        blocking = [proof.name for proof in PROOFS if proof.blocking]
        if findings.keys() >= set(blocking):
            passed = {month: all(findings[name][month].passed for name in blocking) for month in months}
            with postgres.connect(purpose) as connection:
                record_checks(connection, extract, passed, ledger)

    return checks


def months_held(connection: Connection, extract: Extract) -> list[Month]:
    """Return the months from the first to the last of which the extract has rows."""
    query = sql.SQL("SELECT min(month), max(month) FROM {}").format(extract.relation.identifier)
    first, last = (day and Month.of_day(day) for day in connection.execute(query).fetchone() or (None, None))
    return list(first.through(last)) if first and last else []


def unbuilt(connection: Connection, month: Month, zone: ZoneInfo) -> list[str]:
    """Return the names of the extracts that lack a month for which there is something to extract."""
    rows = connection.execute(
        read_sql("extracts", "list_unbuilt_extracts.sql"),
        {
            "extracts": [extract.relation.name for extract in EXTRACTS],
            "month": first_days([month])[0],
            "lower_bound": month.start(zone),
            "upper_bound": month.end(zone),
        },
    ).fetchall()
    return [name for (name,) in rows]


def freshness(extract: Extract, month: Month, missing: Sequence[str]) -> Finding:
    """Report whether an extract has the last month that has closed."""
    return Finding(
        subject=f"closed months that {extract.relation} lacks, of the last one: {month}",
        count=int(extract.relation.name in missing),
        cause="the schedule of monthly_extracts is off, or its run has failed, or a check of the logs held it back.",
        remedy=_build_again(extract, month),
        severity=Severity.WARN,
    )


_HAS_THE_LAST_MONTH = {
    asset_key(extract.relation): dg.AssetCheckSpec(
        "has_the_last_month",
        asset=asset_key(extract.relation),
        description=f"{extract.relation} has the last month that is over, if there was anything to extract.",
    )
    for extract in EXTRACTS
}


@dg.multi_asset_check(specs=[*_HAS_THE_LAST_MONTH.values()], can_subset=True)
def extracts_freshness(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
) -> Iterator[dg.AssetCheckResult]:
    """Checks that the extracts which analysts expect on the first day of a month have been built."""
    zone = settings.zone
    month = Month.of(datetime.now(UTC), zone) - 1
    read = postgres.read("check freshness of extracts", lambda reader: unbuilt(reader.connection, month, zone))
    for extract in EXTRACTS:
        key = _HAS_THE_LAST_MONTH[asset_key(extract.relation)].key
        if key in context.selected_asset_check_keys:
            yield result(freshness(extract, month, read.value), read.source, key)


def changes(extract: Extract, built: BuiltMonth, late: Entry) -> Finding:
    """Report what has changed in the logs since a month of an extract was built."""
    month = Month.of_day(built.month)
    subject = f"recommendations and feedback of {month} that came, changed or went since {extract.relation} was built"
    if built.purged_at:
        return Finding(
            subject=f"{subject}, and may still come in; none can, since retention has deleted rows of the month "
            f"(last at {built.purged_at}). The ledger counts what changed since: {late.late_recommendations:,} "
            f"recommendations and {late.late_feedback:,} feedbacks",
            count=0,
            metadata={"late_recommendations": late.late_recommendations, "late_feedback": late.late_feedback},
        )
    return Finding(
        subject=subject,
        count=max(built.recommendations + built.feedback, int(built.changed_since is not None)),
        cause=f"{built.change}. The extract is as of {late.as_of or late.built_at}.",
        remedy="wait for the next run of monthly_extracts, which builds such months every night; or "
        f"{_build_again(extract, month)}",
        severity=Severity.WARN,
        metadata={"recommendations": built.recommendations, "feedback": built.feedback},
    )


with accepting(dg.PreviewWarning):
    _AS_OF = {
        asset_key(extract.relation): dg.AssetCheckSpec(
            "of_the_logs_as_they_are",
            asset=asset_key(extract.relation),
            description=f"No recommendation or feedback has changed since {extract.relation} was built. By month.",
            partitions_def=CLOSED_MONTHS,
        )
        for extract in EXTRACTS
    }


@dg.multi_asset_check(name="extracts_as_of", specs=[*_AS_OF.values()], can_subset=True)
def extracts_as_of(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> Iterator[Event]:
    """Checks which months have to be built again, from the notes of what has changed.

    Without months of the run, it looks at those that have changed, or were built in the last days: the others are as
    they were when it last looked.
    """

    def compare(reader: Reader) -> dict[Extract, Findings]:
        months = months_of(context) or recent_months(reader.connection)
        ledger = entries(reader.connection, months)
        built = look(reader.connection, months)
        return {extract: _changes_by_month(extract, built, ledger) for extract in EXTRACTS}

    read = postgres.read("check what has changed", compare)
    for extract, findings in read.value.items():
        spec = _AS_OF[asset_key(extract.relation)]
        if spec.key in context.selected_asset_check_keys:
            yield from evaluations(context, spec, findings, read.source)


def _changes_by_month(extract: Extract, built: Sequence[BuiltMonth], ledger: Ledger) -> Findings:
    return {
        Month.of_day(each.month): changes(extract, each, ledger[each.extract, Month.of_day(each.month)])
        for each in built
        if each.extract == extract.relation.name and each.built_at
    }


def evaluate_refused(
    context: dg.AssetExecutionContext,
    connection: Connection,
    extracts: Sequence[Extract],
    months: Sequence[Month],
    zone: ZoneInfo,
) -> Iterator[dg.AssetCheckEvaluation]:
    """Evaluate the checks of months that a run refuses to build: they are as they were built, and as sound.

    Dagster would otherwise show that the checks of the failed run could not be executed.
    """
    ledger, built = entries(connection, months), look(connection, months)
    last = Month.of(datetime.now(UTC), zone) - 1
    missing = unbuilt(connection, last, zone)
    for extract in extracts:
        key = asset_key(extract.relation)
        found: list[tuple[dg.AssetCheckSpec, Findings]] = [
            (spec, proof.measure(connection, extract, months, zone, ledger))
            for spec, proof in zip(_proof_specs(extract), PROOFS, strict=True)
        ]
        found.append((_AS_OF[key], _changes_by_month(extract, built, ledger)))
        found.append((_HAS_THE_LAST_MONTH[key], {None: freshness(extract, last, missing)}))
        for spec, findings in found:
            for event in evaluations(context, spec, findings):
                if isinstance(event, dg.AssetCheckEvaluation):
                    yield event


def _build_again(extract: Extract, month: Month) -> str:
    return f"materialize the partition {month.partition_key} of {'/'.join(asset_key(extract.relation).path)}."


EXTRACT_CHECKS = [*(extract_checks(extract) for extract in EXTRACTS), extracts_as_of, extracts_freshness]
