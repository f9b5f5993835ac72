"""The query of a view at the time of its last refresh: which queries work, and which clocks they may not read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from yumai_pipelines.model.registry import VIEWS
from yumai_pipelines.schema.snapshot import unique_key, view_query
from yumai_pipelines.views.completeness import query_as_of

if TYPE_CHECKING:
    from tests.support import Connection
    from yumai_pipelines.model.entries import View

THEN = datetime(2025, 1, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.relation.name)
def test_every_view_of_the_registry_can_be_checked_and_refreshed_while_it_is_read(view: View) -> None:
    assert unique_key(view.relation)
    assert query_as_of(view_query(view.relation), THEN)


def test_the_present_of_a_query_is_the_time_of_the_refresh(connection: Connection) -> None:
    query = query_as_of("SELECT now() = CURRENT_TIMESTAMP, now(), '100%' LIKE '100\\%' AS whole", THEN)
    assert connection.execute(query, {}).fetchall() == [(True, THEN, True)]


@pytest.mark.parametrize("clock", ["CURRENT_DATE", "LOCALTIMESTAMP", "clock_timestamp()", "statement_timestamp()"])
def test_a_query_that_reads_another_clock_is_refused(clock: str) -> None:
    with pytest.raises(ValueError, match="let its query read now"):
        query_as_of(f"SELECT 1 WHERE {clock} > '2025-01-01'", THEN)
