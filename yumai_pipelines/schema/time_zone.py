"""The time zone of an installed database, which its months have: a setting does not change it without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from yumai_pipelines.postgres.connections import Connection


class TimeZoneError(DatabaseError):
    """The months of the database begin in another time zone than the settings name. Nothing was changed."""


def refuse_other_zone(connection: Connection, zone: str) -> None:
    """Make sure that the months that are there begin in the business's time zone.

    Any zone will do while there is no month.

    Args:
        connection: one that `connect` made, since bounds are read as they are printed.
        zone: the business's time zone.

    Raises:
        TimeZoneError: naming both zones, and the first partition that is no month in the one of the settings.
    """
    found = connection.execute(
        read_sql("schema", "list_months_of_another_zone.sql"), {"parent": str(CONVERSATIONS), "zone": zone}
    ).fetchone()
    if found is None:
        return
    relation, lower, installed = found
    of = f"was installed with the time zone {installed}" if installed else "has lost the time zone of its installation"
    raise TimeZoneError(
        f"The database {connection.info.dbname} {of}, and YUMAI_TIMEZONE is {zone}: {relation} begins at "
        f"{lower.isoformat()}, which is no midnight at the beginning of a month in {zone}. Nothing was changed. Set "
        f"YUMAI_TIMEZONE={installed or 'to the zone of these midnights'}; the months of a database keep their zone."
    )
