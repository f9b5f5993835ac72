"""A login that has no business with the pipeline's locks takes one, and is named."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support import login, one
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.patience import LockNotObtainedError

if TYPE_CHECKING:
    from tests.support import Connection

IMPATIENT = LockPolicy(timedelta(milliseconds=5), timedelta(milliseconds=50))
TAKE = "SELECT pg_advisory_lock(hashtextextended(%s, 0))"


@pytest.mark.parametrize(("role", "stranger"), [("yumai_analyst", True), ("yumai_pipeline", False)])
def test_a_stranger_who_holds_a_lock_is_named(
    database: str, connection: Connection, role: str, *, stranger: bool
) -> None:
    with (
        login(connection, database, f"IN ROLE {role}") as url,
        psycopg.connect(url, autocommit=True) as other,
        connect(database, application_name="test: locks") as owner,
    ):
        other.execute(TAKE, (AdvisoryLock.EXTRACTS.value,))
        with (
            pytest.raises(LockNotObtainedError) as failure,
            advisory_lock(owner, AdvisoryLock.EXTRACTS, IMPATIENT),
        ):
            raise AssertionError("two have it")
        name = one(other, "SELECT current_user")
        (blocker,) = failure.value.blockers
        assert blocker.stranger == (name if stranger else None)
        assert (f'Its login "{name}" is no member of yumai_pipeline' in str(failure.value)) == stranger


def test_a_superuser_who_holds_a_lock_is_no_stranger(database: str, connection: Connection) -> None:
    connection.execute(TAKE, (AdvisoryLock.EXTRACTS.value,))
    with (
        connect(database, application_name="test: locks") as owner,
        pytest.raises(LockNotObtainedError) as failure,
        advisory_lock(owner, AdvisoryLock.EXTRACTS, IMPATIENT),
    ):
        raise AssertionError("two have it")
    assert [each.stranger for each in failure.value.blockers] == [None]
