"""All that the pipeline does, on an adopted database: a whole life, `--finish`, a dump and a restore."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest

from scripts.write_schema import copy_by_dump
from tests.adoption.test_adoption import SETTINGS
from tests.hostile.life import live
from tests.support import one
from yumai_pipelines.adoption import finish
from yumai_pipelines.schema.differences import drift
from yumai_pipelines.schema.upgrade import upgrade

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Databases

OF_ROWS = frozenset({"months_ahead", "user_is_the_sessions", "times_in_order"})
"""Checks that fail in older databases for what their rows are: no month is near today's, a session has two users."""


def live_on(databases: Databases, url: str, directory: Path, *, of_rows: frozenset[str] = OF_ROWS) -> None:
    """Let an adopted database live on; every job succeeds, and every check passes but those of rows."""
    with (
        psycopg.connect(url, autocommit=True) as admin,
        pytest.MonkeyPatch.context() as environment,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        environment.setenv("YUMAI_USER_KEY_SECRET", "of the tests, which nobody has to guess")
        environment.setenv("YUMAI_ARCHIVE_URL", str(directory / "archive"))
        environment.setenv("YUMAI_HOME", str(directory / "home"))
        person = one(admin, "SELECT min(id) FROM chatbot.users")
        life = live(url, admin, instance, directory)
        assert life.failed == {}
        failed = {name.partition(":")[2] for run in life.runs.values() for name in run.failed_checks()}
        assert failed <= of_rows, failed
        assert one(admin, "SELECT count(*) FROM chatbot.orders WHERE user_id = %s", person) == 0
        assert upgrade(url, SETTINGS).migrations == ()
        finish(url, SETTINGS)
        assert [str(each) for each in drift(admin)] == []
        with databases.create() as name:
            copy_by_dump(url, databases.url(name))
            with psycopg.connect(databases.url(name), autocommit=True) as restored:
                drifted = [str(each) for each in drift(restored)]
                assert drifted == [], drifted
