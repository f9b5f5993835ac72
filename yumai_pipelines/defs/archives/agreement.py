"""The check that the ledger of the archived months, Dagster's history and what is there say the same.

They may differ after one of the databases, or the store of the archives, was restored from a backup.
"""

from zoneinfo import ZoneInfo

import dagster as dg

from yumai_pipelines.archives.agreement import Disagreement, disagreements, missing_months
from yumai_pipelines.defs.archives.assets import archived_conversations
from yumai_pipelines.defs.evaluations import result
from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.integrity.findings import SAMPLE, Finding
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.tables import describe_partitions
from yumai_pipelines.postgres.connections import Connection
from yumai_pipelines.settings import Settings


def unlike_history(instance: dg.DagsterInstance, connection: Connection, zone: ZoneInfo) -> list[Disagreement]:
    """The months that Dagster takes for made or archived, and that are not."""
    away = archived.read(connection)
    attached = {each.month for each in describe_partitions(connection, zone) if each.month}
    made = instance.get_materialized_partitions(asset_key(CONVERSATIONS))
    # A month without any row is materialized too, and has no file.
    filed = {
        key for key in instance.get_materialized_partitions(archived_conversations.key) if Month.parse(key) in attached
    }
    return [
        *missing_months(made, attached | away.keys(), "partition", "monthly_partitions"),
        *missing_months(filed, away.keys(), "entry in yumai_pipelines.archives", "monthly_archive"),
    ]


@dg.asset_check(asset=archived_conversations.key)
def archives_agree(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """The ledger of the archives, the partitions, the files and Dagster's history tell the same of each month."""
    zone = settings.zone
    read = postgres.read(
        "compare archives",
        lambda reader: [
            *disagreements(reader.connection, zone),
            *unlike_history(context.instance, reader.connection, zone),
        ],
    )
    found = read.value
    return result(
        Finding(
            subject="months of which the ledger, the files, the partitions or Dagster say different things",
            count=len(found),
            sample=[each._asdict() for each in found[:SAMPLE]],
            cause="a database or the archive was restored from a backup, or something was done by hand.",
            remedy="each month says what to do; docs/backup.md has the order of things after a restore.",
        ),
        read.source,
    )
