"""Dagster's own storage: dagster-postgres, with the URL from this project's settings.

`dagster.yaml` could only name one environment variable. This class finds the database as the rest of the project does,
so that `dg dev` works in a fresh checkout with no variable set.
"""

from __future__ import annotations

import time
from itertools import takewhile
from typing import TYPE_CHECKING

import dagster as dg
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.storage import DagsterPostgresStorage
from psycopg.conninfo import conninfo_to_dict

from yumai_pipelines.postgres.connections import to_url
from yumai_pipelines.postgres.dagster_database import dagster_url, remember_database
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._config import UserConfigSchema
    from dagster._serdes import ConfigurableClassData

_STATEMENT_TIMEOUT_MS = 60_000
_POOL_RECYCLE_S = 3600
_MAX_OVERFLOW = 4


SETTLED_AFTER_S = 5.0
"""So long after its event, what became of a run is noted in the run itself."""


class EventLog(PostgresEventLogStorage):
    """The events of runs, in which a check of a whole table has one evaluation a run, and no failure is overlooked."""

    def get_logs_for_all_runs_by_log_id(
        self,
        after_cursor: int = -1,
        dagster_event_type: dg.DagsterEventType | set[dg.DagsterEventType] | None = None,
        limit: int | None = None,
    ) -> Mapping[int, dg.EventLogEntry]:
        """Return events by their numbers, up to the first that has only just been stored.

        dagster-daemon asks for the ends of runs, to start failed ones again, and asks for none twice. Dagster stores
        the event first and notes it in the run afterwards: in between, the daemon would take the run for one that has
        not failed, and never start it again. An event from a host whose clock is ahead holds nothing up.
        """
        events = super().get_logs_for_all_runs_by_log_id(after_cursor, dagster_event_type, limit)
        now = time.time()
        return dict(takewhile(lambda event: abs(now - event[1].timestamp) > SETTLED_AFTER_S, events.items()))

    def store_asset_check_event(self, event: dg.EventLogEntry, event_id: int | None) -> None:
        """Record a plan or an evaluation of a check.

        Dagster plans every check for each month of a run, and would for ever show as skipped the months of a check that
        looks at the whole table.
        """
        super().store_asset_check_event(event, event_id)
        if event.dagster_event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            return
        evaluation = event.get_dagster_event().asset_check_evaluation_data
        if evaluation.partition is None:
            with self.index_connection() as connection:
                connection.exec_driver_sql(
                    read_sql("records", "forget_planned_months.sql"),
                    {
                        "run_id": event.run_id,
                        "asset_key": evaluation.asset_key.to_string(),
                        "check_name": evaluation.check_name,
                    },
                )


class YumaiDagsterStorage(DagsterPostgresStorage):
    """Keeps runs, events and schedules in the database of `postgres.dagster_database.dagster_url`."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Make the tables that are not there."""
        super().__init__(postgres_url, inst_data=inst_data)
        self._event_log_storage = EventLog(postgres_url)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Allow no options in `dagster.yaml`: the URL is a secret and comes from the environment."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, object],
    ) -> YumaiDagsterStorage:
        """Connect to the database of `dagster_url`, and make its tables when it has none.

        Raises:
            ForeignHistoryError: it keeps the history of another YUMAI database.
        """
        del config_value  # empty, by config_type
        settings = Settings()
        url = dagster_url(settings)
        storage = cls(postgres_url=sqlalchemy_url(url), inst_data=inst_data)
        remember_database(settings, url)
        # dagster-postgres makes a connection for every operation otherwise: half of the time of a run of many months.
        for part in (storage.event_log_storage, storage.run_storage, storage.schedule_storage):
            part.optimize_for_webserver(
                statement_timeout=_STATEMENT_TIMEOUT_MS, pool_recycle=_POOL_RECYCLE_S, max_overflow=_MAX_OVERFLOW
            )
        return storage


def sqlalchemy_url(url: str) -> str:
    """The same place for SQLAlchemy: with as many ports as hosts, where libpq takes one port for all of them."""
    parts = conninfo_to_dict(url)
    hosts, port = str(parts.get("host") or "").split(","), str(parts.get("port") or "")
    if len(hosts) > 1 and port and "," not in port:
        parts["port"] = ",".join([port] * len(hosts))
    # SQLAlchemy 2.1 takes psycopg 3 by default, which refuses the NOTIFY of dagster-postgres.
    return to_url(parts, scheme="postgresql+psycopg2")
